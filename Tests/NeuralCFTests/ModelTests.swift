// The fast model against its plain twin (ReferenceNCF): scores and losses of every kind of tower, empty contexts,
// courses not yet published, contributions, and training's forward pass against stored embeddings.
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct ModelTests {
    static let kinds: [@Sendable (inout NCFParameters) -> Void] = [
        { _ in },
        { $0.learnerInput = .decay },
        {
            $0.learnerRows = .watched
            $0.learnerInput = .decay
            $0.hidden = [6, 5]
        },
        { $0.learnerInput = .attention },
        {
            $0.learnerRows = .watched
            $0.learnerInput = .attention
            $0.hidden = [6]
        },
        {
            $0.learnerRows = .watched
            $0.hidden = [6]
            $0.output = .dot
            $0.temperature = 0.7
            $0.loss = .bce
        },
    ]
    let fixture = Fixture()

    private func reference(_ data: NCFData, _ towers: Towers, _ snapshot: CoWatchSnapshot) -> ReferenceNCF {
        ReferenceNCF(
            towers: towers, linear: linearPart, snapshot: snapshot, moments: data.shards,
            courseCount: data.courseCount)
    }

    private func context(_ scorer: NCFScorer, _ learner: Int) -> [(course: Int, time: Int64)] {
        scorer.context(learner).map { (Int(scorer.moments.courses[$0]), scorer.moments.times[$0]) }
    }

    /// A scorer of shard 0 at T, with an added learner who watched nothing.
    private func scorer(_ data: NCFData, _ towers: Towers, alpha: Float = 0.75, factor: Float = 1.25) -> NCFScorer {
        let model = NCFModel(linear: linearPart, towers: towers, alpha: alpha, gammaFactor: factor)
        let workers = Workers(count: 2)
        let at = NCFAtTime(
            model: model, snapshot: data.snapshots.last!, watched: data.watched,
            time: fixture.windows.asOf,
            history: fixture.windows.history, workers: workers)
        var moments = data.shards[0]
        moments.offsets.append(moments.courses.count)
        return NCFScorer(at, moments: moments, workers: workers)
    }

    private func towers(_ data: NCFData, _ change: (inout NCFParameters) -> Void) -> Towers {
        var towers = Towers(
            courseCount: data.courseCount, parameters: smallParameters(change), decay: .init(age: 0.2, position: 0.3))
        var random = RandomKey(seed: 5, purpose: "biases").stream()
        for tensor in towers.layout.tensors where tensor.name.hasSuffix("bias") || tensor.name.contains("attention") {
            for i in tensor.range { towers.weights[i] = Float(0.2 + 0.3 * random.normal()) }
        }
        return towers
    }

    private func scores(_ scorer: NCFScorer, _ learner: Int) -> [Float] {
        var row = [Float](repeating: 0, count: scorer.courseCount)
        row.withUnsafeMutableBufferPointer { scorer.score(learner..<learner + 1, into: $0.baseAddress!) }
        return row
    }

    @Test(arguments: kinds.indices, [false, true]) func scoresMatchTheTwin(_ kind: Int, _ sparse: Bool) {
        let data = fixture.data(sparseWide: sparse)
        let towers = towers(data, Self.kinds[kind])
        let scorer = scorer(data, towers)
        let twin = reference(data, towers, data.snapshots.last!)
        for learner in 0..<scorer.learnerCount {
            let expected = twin.score(context(scorer, learner), fixture.windows.asOf, alpha: 0.75, gammaFactor: 1.25)
            let watched = Set(context(scorer, learner).map(\.course))
            for (course, score) in scores(scorer, learner).enumerated() where !watched.contains(course) {
                // Float sums of some 30 terms of size 10.
                #expect(abs(Double(score) - expected[course]) < 2e-4, "learner \(learner) course \(course)")
            }
        }
    }

    @Test(arguments: kinds.indices) func lossMatchesTheTwin(_ kind: Int) {
        var published = [Int64](repeating: .min, count: fixture.courseCount)
        published[3] = 60 * day
        published[9] = 120 * day
        let data = fixture.data(publishedAt: published)
        let parameters = smallParameters(Self.kinds[kind])
        let (trainer, step) = trainer(data, fixture.windows, parameters)
        let share = [Double](repeating: 0.1, count: data.courseCount)
        let loss = trainer.accumulate(step, epoch: 1, labelShare: share)
        let twin = reference(data, trainer.towers, data.snapshots[Int(step.snapshot)])
        let expected = twin.loss(step, publishedAt: published)
        #expect(step.examples.count > 10)
        #expect(abs(loss - expected) < 1e-4 * expected, "\(loss) against \(expected)")
    }

    /// The logits that training works with are those of the scorer made from the stored embeddings.
    @Test func trainingForwardIsTheScoreOfStoredEmbeddings() {
        let data = fixture.data()
        let (trainer, step) = trainer(data, fixture.windows, smallParameters())
        let share = [Double](repeating: 0.1, count: data.courseCount)
        let loss = trainer.accumulate(step, epoch: 1, labelShare: share)
        var expected = 0.0
        let workers = Workers(count: 1)
        for example in step.examples {
            let model = NCFModel(linear: linearPart, towers: trainer.towers, alpha: 1, gammaFactor: 1)
            let at = NCFAtTime(
                model: model, snapshot: data.snapshots[Int(step.snapshot)], watched: data.watched,
                time: example.cut, history: fixture.windows.history, workers: workers)
            let moments = data.shards[Int(example.shard)]
            let computed = NCFScorer(at, moments: moments, workers: workers)
            let stored = NCFScorer(at, moments: moments, learnerVectors: computed.learnerVectors, workers: workers)
            var row = scores(stored, Int(example.learner))
            for k in example.context { row[Int(moments.courses[k])] = RowLoss.excluded }
            let labels = example.labels.map { Int(moments.courses[$0]) }
            expected += row.withUnsafeMutableBufferPointer {
                RowLoss.softmax($0.baseAddress!, data.courseCount, labels: labels, rho: 0.5)
            }
        }
        #expect(abs(loss - expected) < 1e-5 * expected, "\(loss) against \(expected)")
    }

    @Test func blocksScoreAsSingleLearners() {
        let data = fixture.data()
        let scorer = scorer(data, towers(data, Self.kinds[2]))
        var all = [Float](repeating: 0, count: scorer.learnerCount * scorer.courseCount)
        all.withUnsafeMutableBufferPointer { scorer.score(0..<scorer.learnerCount, into: $0.baseAddress!) }
        for learner in [0, 7, scorer.learnerCount - 1] {
            let row = all[learner * scorer.courseCount..<(learner + 1) * scorer.courseCount]
            #expect(Array(row) == scores(scorer, learner))
            #expect(Array(row) == tiled(scorer, learner, together: 5))
        }
    }

    /// A learner's scores out of a block with its neighbours, tile by tile.
    private func tiled(_ scorer: NCFScorer, _ learner: Int, together: Int) -> [Float] {
        let first = max(0, learner - together + 1)
        let block = scorer.block(first..<learner + 1)
        let rows = learner + 1 - first
        return stride(from: 0, to: scorer.courseCount, by: 16).flatMap { course -> ArraySlice<Float> in
            let wanted = course..<min(course + 16, scorer.courseCount)
            var tile = [Float](repeating: .nan, count: rows * 32)
            tile.withUnsafeMutableBufferPointer { block.scores(of: wanted, into: $0.baseAddress!, row: 32) }
            return tile[(rows - 1) * 32..<(rows - 1) * 32 + wanted.count]
        }
    }

    /// Wide contributions sum to the wide score; without hidden layers, tower shares and the bias's share sum to the
    /// tower's.
    @Test(arguments: [false, true]) func contributionsSumToTheScore(_ sparse: Bool) {
        let data = fixture.data(sparseWide: sparse)
        var towers = towers(data, { _ in })
        for i in towers.layout.tensor("learner.bias")!.range { towers.weights[i] = 0 }
        let scorer = scorer(data, towers)
        let twin = reference(data, towers, data.snapshots.last!)
        let shares = ContextShares(scorer)
        let means = NCFCourseMeans(scorer.model)
        for learner in 0..<8 {
            let context = context(scorer, learner)
            if context.isEmpty { continue }
            let open = (0..<data.courseCount).filter { course in !context.contains { $0.course == course } }
            let parts = shares.contributions(learner, to: open.map { UInt32($0) })
            let full = twin.score(context, fixture.windows.asOf, alpha: 0.75, gammaFactor: 1.25)
            let trend = twin.trend(fixture.windows.asOf, empty: false)
            for (k, course) in open.enumerated() {
                let sum = (0..<context.count).reduce(0.0) { $0 + Double(parts[k, $1]) }
                #expect(abs(sum - (full[course] - trend[course])) < 2e-4)
            }
            // Beyond the average course: the mean over all courses of the plain amounts is taken away.
            let every = shares.contributions(learner, to: (0..<UInt32(data.courseCount)).map { $0 })
            let beyond = shares.contributions(learner, to: [UInt32(open[0])], over: means)
            for entry in 0..<context.count {
                let mean =
                    (0..<data.courseCount).reduce(0.0) { $0 + Double(every[$1, entry]) }
                    / Double(data.courseCount)
                #expect(abs(Double(beyond[0, entry]) - (Double(every[open[0], entry]) - mean)) < 1e-5)
            }
        }
    }

    @Test func partsSayWhatIsNotZero() {
        let data = fixture.data()
        let scorer = scorer(data, towers(data, { _ in }))
        let last = scorer.learnerCount - 1
        #expect(scorer.parts(last) == [.trend], "nobody's context is empty but the added learner's")
        #expect(scorer.parts(0) == [.trend, .wide, .towers])
        #expect(self.scorer(data, towers(data, { _ in }), alpha: 0).parts(0) == [.trend, .wide])
        let shares = ContextShares(scorer)
        #expect(shares.contributions(last, to: [0, 1]).columns == 0)
        #expect(shares.hasWide(0) && !shares.hasWide(last))
    }
}
