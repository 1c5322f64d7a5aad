// Whole trainings: planted clusters are found, the same bytes for 1, 2 and 3 threads, degenerate platforms, the guard.
import DenseAlgebra
import Foundation
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct TrainingTests {
    /// As in the stage: OpenBLAS's own threads would sum in another order.
    init() { BLAS.useOneThread() }

    private func training(
        _ fixture: Fixture, data: NCFData? = nil, threads: Int = 2, _ change: (inout NCFParameters) -> Void = { _ in }
    ) -> NCFTraining {
        NCFTraining(
            data: data ?? fixture.data(), windows: fixture.windows, parameters: smallParameters(change),
            workers: Workers(count: threads))
    }

    // Courses of a group are watched together; embeddings must put them together (base rate: 1 in 4).
    @Test(arguments: [NCFParameters.Preset.linear, .deep, .published]) func plantedClusters(
        _ preset: NCFParameters.Preset
    ) throws {
        let fixture = Fixture(courseCount: 40, groups: 4, learners: 300)
        var parameters = NCFParameters(preset: preset)
        parameters.embedding = 16
        if !parameters.hidden.isEmpty { parameters.hidden = [32, 24] }
        parameters.batch = 64
        parameters.epochs = 8
        parameters.patience = 8
        let training = NCFTraining(
            data: fixture.data(), windows: fixture.windows, parameters: parameters, workers: Workers(count: 2))
        let fit = try training.fit()
        let workers = Workers(count: 2)
        let at = TowersAtTime(fit.model.towers, snapshot: training.data.snapshots.last, workers: workers)
        let related = RelatedCourses(vectors: at.courseVectors, best: 5, workers: workers)
        let share = related.share(of: (0..<40).map { [UInt32(fixture.group($0))] })
        #expect(share.courses == 40)
        #expect(abs(share.baseRate - 9.0 / 39) < 1e-12)
        #expect(share.neighbours > 0.8, "\(preset): \(share)")
        let losses = fit.history.dropFirst().map(\.loss)
        #expect(losses.last! < losses.first!)
    }

    @Test(arguments: [false, true]) func sameBytesForAnyNumberOfThreads(_ byPairs: Bool) throws {
        let fixture = Fixture(learners: 400)
        for preset in NCFParameters.Preset.allCases {
            let results = try [1, 2, 3].map { threads in
                var parameters = NCFParameters(preset: preset)
                (parameters.embedding, parameters.epochs, parameters.batch) = (8, 2, 150)
                if preset == .linear { (parameters.loss, parameters.sharedNegatives) = (.sampledSoftmax, 10) }
                if byPairs { parameters.loss = .sampledBCE }
                let training = NCFTraining(
                    data: fixture.data(), windows: fixture.windows, parameters: parameters,
                    workers: Workers(count: threads))
                let fit = try training.fit()
                return (fit.model, fit.history, try training.refit(fit).model)
            }
            for result in results.dropFirst() {
                #expect(result.0 == results[0].0)
                #expect(result.1 == results[0].1)
                #expect(result.2 == results[0].2)
            }
        }
    }

    @Test func theSeedDecides() throws {
        let fixture = Fixture()
        let a = try training(fixture) { $0.seed = 1 }.fit().model
        let again = try training(fixture) { $0.seed = 1 }.fit().model
        let other = try training(fixture) { $0.seed = 2 }.fit().model
        #expect(again == a)
        #expect(other.towers != a.towers)
    }

    @Test(arguments: [NCFParameters.Examples.snapshots, .rolling, .both, .random]) func everyKindOfCut(
        _ examples: NCFParameters.Examples
    ) throws {
        let fit = try training(Fixture()) {
            $0.examples = examples
            $0.hide = 0.3
        }.fit()
        #expect(fit.history.count >= 2 && fit.history.allSatisfy { $0.loss.isFinite })
        #expect(fit.history[1].examples > 20)
    }

    // Nothing at or after the end may enter a fit: later moments changed, the fit stays.
    @Test func theFutureChangesNothing() throws {
        let fixture = Fixture(learners: 120)
        let windows = fixture.windows
        let data = fixture.data()
        let before = training(fixture, data: data)
        var shards = data.shards
        let parameters = smallParameters()
        func linear(_ data: NCFData) -> LinearPart {
            let source = ExampleSource(
                data: data, snapshotCuts: windows.fitSnapshots, end: windows.validation, windows: windows,
                parameters: parameters)
            return LinearFit(source: source, workers: Workers(count: 2)).fit()
        }
        let expected = (linear(data), try before.fit().history[1].loss)
        for shard in shards.indices {
            for i in shards[shard].courses.indices where shards[shard].times[i] >= windows.validation {
                shards[shard].courses[i] = UInt32((Int(shards[shard].courses[i]) + 1) % fixture.courseCount)
            }
        }
        let changed = NCFData(
            courseCount: data.courseCount, shards: shards, hashes: data.hashes, snapshots: data.snapshots)
        #expect(changed.activity != fixture.data().activity)
        #expect(linear(changed) == expected.0)
        let loss = try training(fixture, data: changed).fit().history[1].loss
        #expect(loss == expected.1)
    }

    @Test func guardedTowersNeedAGain() throws {
        // Labels that follow from nothing: towers can only overfit.
        let fixture = Fixture(courseCount: 60, groups: 1, learners: 300, stray: 1)
        let fit = try training(fixture) { $0.epochs = 2 }.fit()
        let best = fit.history.first { $0.epoch == fit.epochs }!.quality!
        #expect((fit.model.alpha > 0) == (best.gain > 3 * best.gainError))
        let free = try training(fixture) { $0.guarded = false }.fit()
        #expect(free.model.alpha == 1 && free.model.gammaFactor == 1)
        // Nothing was trained: random towers are no model, guarded or not.
        #expect(try training(fixture) { ($0.guarded, $0.epochs) = (false, 0) }.fit().model.alpha == 0)
    }

    // A label that is published only after t_v is no candidate, so it has no probability. Expected: plain loops.
    @Test func lossOfHalfALeavesOutWhatIsPublishedLater() throws {
        let fixture = Fixture(groups: 1, learners: 400, watches: 14)
        let windows = fixture.windows
        let published = (0..<fixture.courseCount).map { $0 % 3 == 0 ? windows.validation + day : Int64.min }
        let data = fixture.data(publishedAt: published)
        let fit = try training(fixture, data: data) { $0.epochs = 0 }.fit()
        var twin = ReferenceNCF(
            towers: fit.model.towers, linear: fit.model.linear,
            snapshot: data.snapshots.first { $0.time == windows.validation }!, moments: data.shards,
            courseCount: data.courseCount)
        twin.ignoresTowers = true
        let source = ExampleSource(
            data: data, snapshotCuts: [windows.validation], end: windows.asOf, windows: windows,
            parameters: smallParameters())
        var (losses, late): ([Double], Int) = ([], 0)
        for example in source.snapshotExamples(workers: Workers(count: 1)) where !example.context.isEmpty {
            let open = Double(source.labels(example).count)
            late += example.labels.count - Int(open)
            let loss = twin.loss(.init(snapshot: 0, examples: [example]), publishedAt: published)
            losses.append(loss / open.squareRoot())  // the twin's ρ is ½, here it is 1
        }
        #expect(late > 20 && losses.count > 50, "\(late), \(losses.count): the plant is there")
        let expected = losses.reduce(0, +) / Double(losses.count)
        let found = try #require(fit.history[0].quality).warmLoss
        #expect(abs(found - expected) < 1e-5, "\(found), expected \(expected)")
    }

    // NDCG@20 and Recall@20 of every learner with a context at every setting of the guard, by plain loops.
    @Test(arguments: [NCFParameters.Output.cosine, .dot]) func theChoiceIsTheBestOfTheGrid(
        _ output: NCFParameters.Output
    ) throws {
        let fixture = Fixture(courseCount: 48, groups: 3, learners: 400, watches: 14)
        let (windows, data) = (fixture.windows, fixture.data())
        let fit = try training(fixture, data: data) { ($0.epochs, $0.output) = (1, output) }.fit()
        let twin = ReferenceNCF(
            towers: fit.model.towers, linear: fit.model.linear,
            snapshot: data.snapshots.first { $0.time == windows.validation }!, moments: data.shards,
            courseCount: data.courseCount)
        let trend = twin.trend(windows.validation, empty: false)
        var sums: [String: (ndcg: Double, recall: Double)] = [:]
        var learners = 0.0
        for moments in data.shards {
            for row in 0..<moments.learnerCount {
                let before = moments.range(row, from: windows.validation - windows.history, to: windows.validation)
                let labels = Set(
                    moments.range(row, from: windows.validation, to: windows.asOf).map { Int(moments.courses[$0]) })
                if before.isEmpty || labels.isEmpty { continue }
                learners += 1
                let context = before.map { (course: Int(moments.courses[$0]), time: moments.times[$0]) }
                let open = Set(0..<data.courseCount).subtracting(context.map(\.course))
                let wide = twin.wide(context, windows.validation)
                let tower = twin.tower(context, windows.validation)
                for alpha in [0.25, 0.5, 0.75, 1] {
                    for factor in [0.5, 0.75, 1, 1.25] {
                        let scores = trend.indices.map {
                            trend[$0] + twin.linear.gamma * factor * wide[$0] + alpha * tower[$0]
                        }
                        let top = open.sorted { scores[$0] > scores[$1] }.prefix(20)
                        let gain = top.enumerated().reduce(0.0) {
                            $0 + (labels.contains($1.element) ? 1 / log2(Double($1.offset + 2)) : 0)
                        }
                        let ideal = (0..<min(20, labels.count)).reduce(0.0) { $0 + 1 / log2(Double($1 + 2)) }
                        let hits = Double(labels.intersection(top).count)
                        let sum = sums["\(alpha) \(factor)"] ?? (0, 0)
                        sums["\(alpha) \(factor)"] = (sum.ndcg + gain / ideal, sum.recall + hits / Double(labels.count))
                    }
                }
            }
        }
        let quality = try #require(fit.history[1].quality)
        let best = sums.values.map(\.ndcg).max()! / learners
        let chosen = try #require(sums["\(quality.alpha) \(quality.gammaFactor)"])
        let worst = sums.values.map(\.ndcg).min()! / learners
        #expect(learners > 30 && best - worst > 0.005, "the grid matters: \(best), \(worst)")
        #expect(abs(quality.warmNDCG - best) < 1e-9, "\(quality.warmNDCG), expected \(best)")
        #expect(abs(chosen.ndcg / learners - best) < 1e-9)
        #expect(abs(quality.warmRecall - chosen.recall / learners) < 1e-9)
    }

    @Test func oneCourseOneLearnerAndLabelsAlreadyWatched() throws {
        let one = Moments(offsets: [0, 1], courses: [0], times: [100 * day])
        let windows = Fixture().windows
        let identity = SparseRows(columnCount: 1, offsets: [0, 1], columns: [0], values: [1])
        let data = NCFData(
            courseCount: 1, shards: [one], hashes: [[5]],
            snapshots: [CoWatchSnapshot(time: 0, similarity: identity, wide: .none)])
        for preset in NCFParameters.Preset.allCases {
            var parameters = NCFParameters(preset: preset)
            parameters.epochs = 2
            let training = NCFTraining(data: data, windows: windows, parameters: parameters, workers: Workers(count: 2))
            let fit = try training.fit()
            let model = try training.refit(fit).model
            #expect(model.towers.weights.allSatisfy { $0.isFinite })
            let at = NCFAtTime(
                model: model, snapshot: data.snapshots[0], watched: data.watched,
                time: windows.asOf,
                history: windows.history, workers: Workers(count: 1))
            var score: [Float] = [.nan]
            NCFScorer(at, moments: one, workers: Workers(count: 1)).score(0..<1, into: &score)
            #expect(score[0].isFinite)
        }
    }

    // A course without co-watches has only its diagonal: it is scored, and finite.
    @Test func isolatedCourseAndEmptyShard() throws {
        let fixture = Fixture(courseCount: 24, learners: 80)
        var moments = fixture.moments
        for i in moments.courses.indices where moments.courses[i] == 23 { moments.courses[i] = 19 }
        // Two moments of one course cannot be: keep the first of each learner.
        var clean = Moments(offsets: [0], courses: [], times: [])
        for learner in 0..<moments.learnerCount {
            var seen: Set<UInt32> = []
            for at in moments.range(learner) where seen.insert(moments.courses[at]).inserted {
                clean.courses.append(moments.courses[at])
                clean.times.append(moments.times[at])
            }
            clean.offsets.append(clean.courses.count)
        }
        let empty = Moments(offsets: [0], courses: [], times: [])
        let data = NCFData(
            courseCount: 24, shards: [clean, empty], hashes: [fixture.hashes, []],
            snapshots: fixture.windows.cowatchTimes.map { fixture.snapshot(clean, at: $0) })
        let fit = try training(fixture, data: data).fit()
        let at = TowersAtTime(fit.model.towers, snapshot: data.snapshots.last, workers: Workers(count: 2))
        #expect(at.courseVectors.values.allSatisfy { $0.isFinite })
        let related = RelatedCourses(vectors: at.courseVectors, best: 3, workers: Workers(count: 2))
        #expect(related.rows.range(23).count == 3)
        #expect(related.rows.columns.indices.allSatisfy { related.rows.columns[$0] < 24 })
    }

    @Test func divergenceStops() {
        #expect(throws: NCFDiverged.self) {
            _ = try training(Fixture()) {
                $0.learningRate = 1e6
                $0.output = .dot
                $0.hidden = [8]
                $0.epochs = 8
                $0.patience = 8
            }.fit()
        }
    }

    // A pilot: two courses, so that whoever watched one has the other as only candidate and loses nothing; then 22 more.
    // Whichever snapshot the first step is of, nothing diverges.
    @Test func aFirstStepThatLosesNothingIsNoYardstick() throws {
        let fixture = Fixture(learners: 240, watches: 10)
        let pilot = 80 * day
        var moments = Moments(offsets: [0], courses: [], times: [])
        for learner in 0..<120 {
            let start = Int64(12 + learner % 60) * day
            moments.courses += [UInt32(learner % 2), UInt32(1 - learner % 2)]
            moments.times += [start, start + 3 * day]
            moments.offsets.append(moments.courses.count)
        }
        let late = fixture.moments
        for learner in 0..<120 {
            for (at, place) in late.range(learner).enumerated() where late.courses[place] >= 2 {
                moments.courses.append(late.courses[place])
                moments.times.append(pilot + Int64(1 + 7 * at) * day)
            }
            moments.offsets.append(moments.courses.count)
        }
        let windows = TimeWindows(
            asOf: 160 * day, history: 120 * day, labelWindow: 20 * day, stride: 15 * day, snapshots: 8,
            firstMoment: 10 * day)
        let data = NCFData(
            courseCount: 24, shards: [moments], hashes: [fixture.hashes],
            publishedAt: (0..<24).map { $0 < 2 ? 0 : pilot },
            snapshots: windows.cowatchTimes.map { fixture.snapshot(moments, at: $0) })
        for seed in 1...6 {
            var parameters = smallParameters { $0.seed = UInt64(seed) }
            parameters.epochs = 1
            let fit = try NCFTraining(
                data: data, windows: windows, parameters: parameters, workers: Workers(count: 2)
            ).fit()
            #expect(fit.history.count == 2)
        }
    }
}
