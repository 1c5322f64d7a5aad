import Baselines
import CoWatch
import LinearAlgebra
import Platform

/// What baselines are made from.
struct BaselineSource: Sendable {
    /// Moments of every shard.
    let moments: [Moments]
    /// By column, then shard: the code of each learner's value, −1 for none.
    let profiles: [String: [[Int32]]]
    let courseCount: Int
    let history: Int64
    /// What the matrix of `cowatch/` is; nil: none.
    let wide: Baseline.Weights?
    /// Whether the co-watch similarity of two courses is at most 1.
    let isSimilarityBounded: Bool
    let seed: UInt64
    let workers: Workers
}

/// Baselines as of one time, from moments before it.
struct BaselineModels: Sendable {
    let time: Int64
    private let source: BaselineSource
    private let similarity: SparseRows
    /// Moments before `time`.
    private let popular: [Float]
    private var constant: [Baseline: [Float]] = [:]
    private var profile: [Baseline: ProfilePopularity] = [:]
    private var weights: [Baseline.Weights: WideMatrix] = [:]
    private var als: [ImplicitALS.Options: ImplicitALS] = [:]

    /// Fits what the given baselines need.
    /// - Parameter snapshot: the co-watch matrices of `time`.
    init(_ source: BaselineSource, snapshot: CoWatchSnapshot, at time: Int64, fitting baselines: [Baseline]) {
        (self.source, self.time, similarity) = (source, time, snapshot.similarity)
        let counts = Popularity.counts(source.moments, courseCount: source.courseCount, to: time)
        popular = Popularity.scores(counts)
        let activity = CourseActivity(courseCount: source.courseCount, shards: source.moments)
        for baseline in Set(baselines.flatMap(\.parts)) {
            switch baseline {
            case .popular: constant[baseline] = popular
            case .recent(let days):
                let from = time - Int64(days * Double(Popularity.day))
                let recent = Popularity.counts(
                    source.moments, courseCount: source.courseCount, from: from, to: time)
                constant[baseline] = Popularity.scores(recent: recent, all: counts)
            case .trending(let halfLife):
                let decayed = activity.decayed(before: CourseActivity.day(time), halfLife: halfLife)
                constant[baseline] = Popularity.scores(decayed: decayed, all: counts)
            case .profile(let column, let smoothing):
                profile[baseline] = profilePopularity(column, smoothing, before: counts)
            case .items(let kind, _): if weights[kind] == nil { weights[kind] = matrix(kind, snapshot) }
            case .als(let options):
                als[options] = ImplicitALS(
                    source.moments, courseCount: source.courseCount, from: time - source.history, to: time,
                    options: options, seed: source.seed, workers: source.workers)
            case .mixed: break
            }
        }
    }

    var isSimilarityBounded: Bool { source.isSimilarityBounded }

    /// Co-watch similarity of two courses; 0 beyond each one's best neighbours.
    func cowatch(_ a: UInt32, _ b: UInt32) -> Float {
        similarity.value(Int(a), b) ?? similarity.value(Int(b), a) ?? 0
    }

    /// - Parameter moments: those of the shard, perhaps with empty rows added for learners unknown before T.
    func scorer(_ baseline: Baseline, shard: Int, moments: Moments) -> any CourseScorer {
        scorer(baseline, shard, moments, isPart: false)
    }

    /// - Parameter isPart: of a mixture.
    private func scorer(_ baseline: Baseline, _ shard: Int, _ moments: Moments, isPart: Bool) -> any CourseScorer {
        switch baseline {
        case .popular, .recent, .trending:
            return ConstantScorer(scores: constant[baseline]!, learnerCount: moments.learnerCount)
        case .profile(let column, _):
            var values = source.profiles[column]![shard]
            while values.count < moments.learnerCount { values.append(-1) }
            return ProfileScorer(profile[baseline]!, values: values)
        case .items(let kind, let recency):
            return ItemToItemScorer(
                weights[kind]!, moments: moments, time: time, history: source.history, recency: recency,
                fallback: popular, ordersRest: !isPart)
        case .als(let options):
            return ALSScorer(
                als[options]!, moments: moments, time: time, history: source.history, fallback: popular)
        case .mixed(let a, let b, let share):
            return MixtureScorer(
                scorer(a, shard, moments, isPart: true), scorer(b, shard, moments, isPart: true), share: share)
        }
    }

    private func matrix(_ kind: Baseline.Weights, _ snapshot: CoWatchSnapshot) -> WideMatrix {
        if kind == .cowatch { return .sparse(snapshot.similarity) }
        if kind == source.wide { return snapshot.wide }
        let matrix = WatchMatrix(
            source.moments, courseCount: source.courseCount, from: time - source.history, to: time)
        let options = CoWatch.WideOptions()
        switch kind {
        case .ease: return .dense(CoWatch.ease(matrix, l2: options.easeL2, workers: source.workers))
        case .markov: return .sparse(CoWatch.markov(matrix, options: options, workers: source.workers))
        case .dampedCoWatch, .cowatch:
            return .sparse(
                CoWatch.dampedCoWatch(matrix, neighbours: options.neighbours, workers: source.workers))
        }
    }

    /// Within 28 days.
    private func profilePopularity(_ column: String, _ smoothing: Double, before: [Int]) -> ProfilePopularity {
        let values = source.profiles[column]!
        let rows = Int(values.lazy.joined().max() ?? -1) + 1
        var counts = [[Int]](repeating: [Int](repeating: 0, count: source.courseCount), count: rows)
        var all = [Int](repeating: 0, count: source.courseCount)
        for (shard, moments) in source.moments.enumerated() {
            for learner in 0..<moments.learnerCount {
                for at in moments.range(learner, from: time - 28 * Popularity.day, to: time) {
                    let course = Int(moments.courses[at])
                    all[course] += 1
                    if values[shard][learner] >= 0 { counts[Int(values[shard][learner])][course] += 1 }
                }
            }
        }
        return ProfilePopularity(counts: counts, all: all, before: before, smoothing: smoothing)
    }
}

extension Baseline {
    /// Those that a mixture is made of, itself otherwise.
    fileprivate var parts: [Baseline] {
        if case .mixed(let a, let b, _) = self { return a.parts + b.parts }
        return [self]
    }
}
