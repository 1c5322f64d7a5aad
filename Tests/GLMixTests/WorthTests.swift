// Proves that watch-time weights and segment coordinates earn their place, on data whose truth is drawn here: what a
// learner is interested in, what merely looks clickable, and how segments differ. Numbers: docs/glmix.md.
import Foundation
import GLMix
import LinearAlgebra
import Metrics
import Platform
import Testing

private let topics = 8

/// Courses with a topic (one-hot) and a catchy title (a number): titles draw clicks, interest makes people watch.
private struct Site {
    let courses: Int
    let topic: [Int]
    let catchy: [Double]
    let features: SparseRows

    init(courses: Int, _ random: inout CounterRandom) {
        self.courses = courses
        topic = (0..<courses).map { $0 % topics }
        let catchy = (0..<courses).map { _ in random.normal() }
        self.catchy = catchy
        features = sparse(
            (0..<courses).map { c in
                (0..<topics).map { $0 == c % topics ? 1 : 0 } + [Float(catchy[c])]
            })
    }

    func examples(
        _ rows: [(learner: Int, course: Int, label: Bool)], weights: [Float], groupings: [Grouping]
    ) -> Examples {
        Examples(
            labels: rows.map { $0.label ? 1 : 0 }, weights: weights, offsets: rows.map { _ in 0 },
            groupings: groupings,
            bags: [FeatureBag(name: "course", table: features, rowOf: rows.map { UInt32($0.course) })])
    }
}

private func sigma(_ z: Double) -> Double { 1 / (1 + exp(-z)) }

@Suite struct WorthTests {
    let workers = Workers(count: 2)

    /// Mean over learners and half the width of its 95 % interval.
    private func interval(_ values: [Double]) -> (mean: Double, half: Double) {
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        return (mean, 1.96 * (variance / Double(values.count)).squareRoot())
    }

    @Test func watchTimeWeightsRankWatchedCoursesBetter() throws {
        var random = RandomKey(seed: 11, purpose: "test.worth").stream()
        let (learners, shown) = (900, 30)
        let platform = Site(courses: 64, &random)
        let interest = (0..<learners).map { _ in (0..<topics).map { _ in random.normal() } }
        var rows: [(learner: Int, course: Int, label: Bool)] = []
        var watched: [Float] = []
        for l in 0..<learners {
            for _ in 0..<shown {
                let c = random.below(platform.courses)
                let i = interest[l][platform.topic[c]]
                let clicks = random.uniform() < sigma(-1 + 0.7 * i + platform.catchy[c])
                rows.append((l, c, clicks))
                // of those who click, the interested watch, and for longer
                let stays = clicks && random.uniform() < sigma(2 * i)
                watched.append(stays ? Float(exp(4 + 1.2 * i + 0.7 * random.normal())) : 0)
            }
        }
        let known = rows.map { _ in random.uniform() < 0.2 }
        let some = zip(watched, known).map { $1 ? $0 : 0 }
        let truth = (0..<learners).map { l in
            (0..<platform.courses).map { random.uniform() < sigma(2 * interest[l][platform.topic[$0]]) }
        }
        let unweighted = try perLearner(rows, [Float](repeating: 0, count: rows.count), platform, truth)
        let weighted = try perLearner(rows, watched, platform, truth)
        let partly = try perLearner(rows, some, platform, truth)
        let gain = interval(zip(weighted, unweighted).map { $0 - $1 })
        let small = interval(zip(partly, unweighted).map { $0 - $1 })
        print("AUC of watched courses: unweighted \(interval(unweighted)), weighted \(interval(weighted))")
        print("gain by all weights \(gain), by 20 % of them \(small)")
        #expect(gain.mean - gain.half > 0.005)
        #expect(small.mean - small.half > 0)
    }

    /// AUC of each learner's watched courses among all, by a model weighted with these watch times.
    private func perLearner(
        _ rows: [(learner: Int, course: Int, label: Bool)], _ watched: [Float], _ platform: Site, _ truth: [[Bool]]
    ) throws -> [Double] {
        let weights = WatchWeights(kappa: 1, watched: watched)
        let learners = truth.count
        let data = platform.examples(
            rows, weights: watched.map { weights.weight(watched: $0) },
            groupings: [
                Grouping(name: "learner", entityCount: learners, entities: rows.map { Int32($0.learner) })
            ])
        let coordinates = [
            Coordinate(name: "global", bags: ["course"], l2: 1),
            Coordinate(name: "per-learner", by: "learner", bags: ["course"], l2: 1),
        ]
        let model = try CoordinateDescent().fit(data, coordinates, workers: workers).model
        let pairs = (0..<learners).flatMap { l in (0..<platform.courses).map { (l, $0, truth[l][$0]) } }
        let all = platform.examples(
            pairs.map { (learner: $0.0, course: $0.1, label: $0.2) }, weights: pairs.map { _ in 1 },
            groupings: [Grouping(name: "learner", entityCount: learners, entities: pairs.map { Int32($0.0) })])
        let z = model.margins(of: all, workers: workers)
        return (0..<learners).map { l in
            let own = l * platform.courses..<(l + 1) * platform.courses
            return ResponseMetrics.auc(scores: Array(z[own]), labels: truth[l]) ?? 0.5
        }
    }

    @Test func segmentsOfDifferentBehaviourNeedTheirCoordinate() throws {
        // four segments like different topics; nine learners in ten are new in the test rows, so that only the segment
        // can tell what they like
        var random = RandomKey(seed: 12, purpose: "test.worth").stream()
        let platform = Site(courses: 64, &random)
        let taste = (0..<4).map { _ in (0..<topics).map { _ in 1.2 * random.normal() } }
        func draw(_ learners: Range<Int>) -> [(learner: Int, course: Int, label: Bool)] {
            learners.flatMap { l in
                (0..<10).map { _ in
                    let c = random.below(platform.courses)
                    let p = sigma(-0.5 + taste[l % 4][platform.topic[c]] + 0.5 * platform.catchy[c])
                    return (l, c, random.uniform() < p)
                }
            }
        }
        func examples(_ rows: [(learner: Int, course: Int, label: Bool)]) -> Examples {
            platform.examples(
                rows, weights: rows.map { _ in 1 },
                groupings: [
                    Grouping(name: "learner", entityCount: 4000, entities: rows.map { Int32($0.learner) }),
                    Grouping(name: "segment", entityCount: 4, entities: rows.map { Int32($0.learner % 4) }),
                ])
        }
        let (train, test) = (examples(draw(0..<1000)), examples(draw(900..<1900)))
        let without = [
            Coordinate(name: "global", bags: ["course"], l2: 10),
            Coordinate(name: "per-learner", by: "learner", bags: ["course"], l2: 10),
        ]
        let with = without + [Coordinate(name: "per-segment", by: "segment", bags: ["course"], l2: 10)]
        func quality(_ coordinates: [Coordinate]) throws -> (auc: Double, logLoss: Double) {
            let model = try CoordinateDescent().fit(train, coordinates, workers: workers).model
            let z = model.margins(of: test, workers: workers)
            let labels = test.labels.map { $0 == 1 }
            return (
                ResponseMetrics.auc(scores: z, labels: labels)!, ResponseMetrics.logLoss(logits: z, labels: labels)
            )
        }
        let (plain, segmented) = (try quality(without), try quality(with))
        print("segments: without \(plain), with \(segmented)")
        #expect(segmented.auc > plain.auc + 0.03)
        #expect(segmented.logLoss < plain.logLoss - 0.02)
    }
}
