// Which examples an epoch has, on a platform small enough to list them by hand, and in which steps they come.
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct ExampleTests {
    // One learner: courses 0, 1 at day 10 (same second), 2 at day 20, 3 at day 60, 4 at day 95. End at day 100.
    let moments = Moments(
        offsets: [0, 5], courses: [0, 1, 2, 3, 4], times: [10, 10, 20, 60, 95].map { $0 * day })
    let windows = TimeWindows(
        asOf: 110 * day, history: 50 * day, labelWindow: 10 * day, stride: 30 * day, snapshots: 3, firstMoment: 0)

    private func source(_ change: (inout NCFParameters) -> Void) -> ExampleSource {
        var parameters = NCFParameters()
        change(&parameters)
        let identity = SparseRows(
            columnCount: 5, offsets: [0, 1, 2, 3, 4, 5], columns: [0, 1, 2, 3, 4], values: [1, 1, 1, 1, 1])
        let data = NCFData(
            courseCount: 5, shards: [moments], hashes: [[1]],
            snapshots: [CoWatchSnapshot(time: 15 * day, similarity: identity, wide: .none)])
        return ExampleSource(
            data: data, snapshotCuts: windows.fitSnapshots, end: windows.validation, windows: windows,
            parameters: parameters)
    }

    private func list(_ source: ExampleSource) -> [String] {
        source.epoch(1, workers: Workers(count: 2)).joined().map {
            "\($0.cut / day): \(Array($0.context)) -> \(Array($0.labels)) @\($0.snapshot)"
        }
    }

    @Test func windowsAreWhatThisTestSaysTheyAre() {
        #expect(windows.validation == 100 * day)
        #expect(windows.fitSnapshots == [90 * day, 60 * day, 30 * day])
    }

    @Test func snapshotCuts() {
        // Day 90: context from day 40 on, label day 95. Day 60: label is the moment of that second. Day 30: no label.
        #expect(list(source { $0.examples = .snapshots }) == ["90: [3] -> [4] @0", "60: [0, 1, 2] -> [3] @0"])
    }

    @Test func rollingCutsOfEachDistinctMoment() {
        let expected = [
            "20: [0, 1] -> [2] @0", "60: [0, 1, 2] -> [3] @0", "95: [3] -> [4] @0",
        ]
        #expect(list(source { $0.examples = .rolling }) == expected)
        // A course bias can learn from the empty context; the cut lies before the first snapshot.
        let withEmpty = list(
            source {
                $0.examples = .rolling
                $0.output = .dot
                $0.emptyShare = 0.5
            })
        // Labels of day 10: those of that second; day 20 lies at the window's open end.
        #expect(withEmpty == ["10: [] -> [0, 1] @-1"] + expected)
    }

    @Test func atMostSoManyRollingCuts() {
        let source = source {
            $0.examples = .rolling
            $0.cutsPerLearner = 2
        }
        let drawn = (0..<20).map { epoch in
            source.epoch(epoch, workers: Workers(count: 1)).joined().map { $0.cut / day }
        }
        #expect(drawn.allSatisfy { $0.count <= 2 && $0 == $0.sorted() })
        #expect(Set(drawn).count > 1, "drawn anew each epoch")
    }

    @Test func courseOfAfterTheCutIsNoLabel() {
        // One learner: course 0 on day 1, then 1 and 2 on days 12 and 13; course 2 is published on day 11.
        let moments = Moments(offsets: [0, 3], courses: [0, 1, 2], times: [1 * day, 12 * day, 13 * day])
        func examples(publishedOn: [Int64]) -> (ExampleSource, [Example]) {
            let data = NCFData(
                courseCount: 3, shards: [moments], hashes: [[1]], publishedAt: publishedOn.map { $0 * day },
                snapshots: [])
            let windows = TimeWindows(
                asOf: 40 * day, history: 100 * day, labelWindow: 10 * day, stride: 10 * day, snapshots: 1,
                firstMoment: 0)
            let source = ExampleSource(
                data: data, snapshotCuts: [10 * day], end: 30 * day, windows: windows, parameters: NCFParameters())
            return (source, source.snapshotExamples(workers: Workers(count: 1)))
        }
        let (source, found) = examples(publishedOn: [0, 0, 11])
        #expect(found.map { source.labels($0) } == [[1]])
        #expect(examples(publishedOn: [0, 11, 11]).1.isEmpty, "nothing to learn from")
    }

    @Test func randomCutsHideSome() {
        let examples = source {
            $0.examples = .random
            $0.hide = 0.4
        }.epoch(1, workers: Workers(count: 1)).joined()
        #expect(examples.count == 1)
    }

    @Test func emptyContextsAreAtMostTheirShare() {
        let fixture = Fixture(learners: 400, watches: 2)
        let data = fixture.data(shards: 4)
        var parameters = NCFParameters()
        parameters.output = .dot
        parameters.emptyShare = 0.2
        let source = ExampleSource(
            data: data, snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
            windows: fixture.windows, parameters: parameters)
        let all = source.epoch(1, workers: Workers(count: 2)).flatMap { $0 }
        let empty = all.count { $0.context.isEmpty }
        // Bernoulli thinning: four standard deviations around a fifth.
        let deviation = 4 * (0.2 * 0.8 / Double(all.count)).squareRoot()
        #expect(abs(Double(empty) / Double(all.count) - 0.2) < deviation)
    }

    // Of all that an epoch could have, it draws about so many, others each time.
    @Test func anEpochIsCapped() {
        let fixture = Fixture(learners: 400)
        func source(_ most: Int) -> ExampleSource {
            ExampleSource(
                data: fixture.data(), snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
                windows: fixture.windows, parameters: smallParameters { $0.examplesPerEpoch = most })
        }
        let workers = Workers(count: 2)
        let all = source(1_000_000).epoch(1, workers: workers)
        let total = all.reduce(0) { $0 + $1.count }
        #expect(total > 2_000)
        let some = source(1_000).epoch(1, workers: workers)
        let drawn = some.reduce(0) { $0 + $1.count }
        #expect(abs(drawn - 1_000) < 100, "binomial: three standard deviations are below 95")
        for (part, whole) in zip(some, all) { #expect(part.allSatisfy(whole.contains)) }
        #expect(source(1_000).epoch(2, workers: workers) != some)
    }

    /// A batch smaller than the number of shards: no step is empty, and each example comes once.
    @Test(arguments: [1, 3, 8]) func smallBatches(batch: Int) {
        let shards = (0..<16).map { shard in
            (0..<(shard % 7)).map {
                Example(shard: shard, learner: $0, cut: 1, context: 0..<1, labels: 1..<2, snapshot: 0)
            }
        }
        let schedule = EpochSchedule(shards: shards, batch: batch, epoch: 1, seed: 1)
        let steps = (0..<schedule.stepCount).map { schedule.step($0).examples }
        #expect(steps.allSatisfy { !$0.isEmpty })
        let found = steps.flatMap { $0.map { "\($0.shard) \($0.learner)" } }
        #expect(found.sorted() == shards.flatMap { $0.map { "\($0.shard) \($0.learner)" } }.sorted())
    }

    @Test func everyExampleOncePerEpochAndStepsOfOneSnapshot() {
        let fixture = Fixture(learners: 150)
        let data = fixture.data(shards: 5)
        let source = ExampleSource(
            data: data, snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
            windows: fixture.windows, parameters: NCFParameters())
        let shards = source.epoch(2, workers: Workers(count: 3))
        let schedule = EpochSchedule(shards: shards, batch: 16, epoch: 2, seed: 1)
        let steps = (0..<schedule.stepCount).map { schedule.step($0) }
        func key(_ e: Example) -> String { "\(e.shard)/\(e.learner)/\(e.cut)" }
        #expect(steps.flatMap { $0.examples.map(key) }.sorted() == shards.flatMap { $0.map(key) }.sorted())
        for step in steps {
            #expect(step.examples.allSatisfy { $0.snapshot == step.snapshot })
            #expect(step.examples.count <= 16 + 5)  // ⌊⌋ of five shards may round up together
        }
    }
}
