// Models over ids: gradients against finite differences, planted clusters, the same bytes for any number of threads,
// learners and courses without a moment are unknown, and a stored model scores the same bits.
import DenseAlgebra
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct IdModelTests {
    static let kinds: [NCFParameters.Model] = [.idMLP, .neuMF]

    // As in the stage: thousands of small products, each too short to share between threads.
    init() { BLAS.useOneThread() }

    private func training(_ fixture: Fixture, _ kind: NCFParameters.Model, threads: Int = 2, epochs: Int = 3)
        -> IdTraining
    {
        var parameters = NCFParameters()
        (parameters.model, parameters.epochs, parameters.patience) = (kind, epochs, epochs)
        return IdTraining(
            data: fixture.data(), windows: fixture.windows, parameters: parameters, workers: Workers(count: threads))
    }

    @Test(arguments: kinds) func finiteDifferences(_ kind: NCFParameters.Model) {
        let fixture = Fixture()
        var run = IdRun(training(fixture, kind), end: fixture.windows.validation)
        let batch = Array(run.pairs(1).prefix(24))
        var random = RandomKey(seed: 2, purpose: "ids").stream()
        // Away from the start, where vectors are so small that nothing but the bias has a slope.
        let start = run.parameters.map { $0 + Float(0.3 * random.normal()) }
        func loss(_ values: [Float]) -> Double {
            run.parameters = values
            return run.lossAndGradient(batch).loss
        }
        run.parameters = start
        let gradient = run.lossAndGradient(batch).gradient
        let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        func along(_ size: Float) -> [Float] { zip(start, gradient).map { $0 + size * $1 / Float(norm) } }
        let slope = (loss(along(1e-3)) - loss(along(-1e-3))) / 2e-3
        #expect(norm > 0.1 && abs(slope - norm) < 0.01 * norm)
        let steep = gradient.indices.sorted { abs(gradient[$0]) > abs(gradient[$1]) }
        for i in steep.prefix(400).enumerated().filter({ $0.offset % 20 == 0 }).map(\.element) {
            var (up, down) = (start, start)
            up[i] += 2e-3
            down[i] -= 2e-3
            let slope = (loss(up) - loss(down)) / Double(up[i] - down[i])
            #expect(abs(slope - Double(gradient[i])) < 0.05 * abs(slope) + 1e-3, "\(kind): \(i)")
        }
    }

    // Four groups of ten courses: half A's labels are of the learner's group, so NDCG@20 far above chance.
    @Test(arguments: kinds) func plantedClusters(_ kind: NCFParameters.Model) throws {
        let fixture = Fixture(courseCount: 40, groups: 4, learners: 300)
        let fit = try training(fixture, kind, epochs: kind == .idMLP ? 8 : 40).fit()
        let measured = fit.history.map { $0.quality!.warmNDCG }
        // All 40 courses in random order: the expected DCG is Σ_{r ≤ 20} 1/log2(r + 1) / 40 a label, about .18.
        #expect(measured.max()! > 0.3, "\(kind): \(measured)")
        #expect(fit.history.last!.loss < fit.history[0].loss)
    }

    @Test(arguments: kinds) func storedUnknownAndThreads(_ kind: NCFParameters.Model) throws {
        let fixture = Fixture(learners: 120)
        let fit = try training(fixture, kind, threads: 1).fit()
        let other = training(fixture, kind, threads: 3)
        #expect(try other.fit().model == fit.model)
        #expect(try other.refit(fit).model == training(fixture, kind, threads: 2).refit(fit).model)

        let data = fixture.data()
        var parameters = NCFParameters()
        parameters.model = kind
        let snapshot = data.snapshots.last!
        let loaded = try NCFAtTime(
            fit.model.definition(parameters, time: fixture.windows.validation, history: fixture.windows.history),
            fit.model.stored, snapshot: snapshot, workers: Workers(count: 1))
        let moments = data.shards[1]
        func scores(_ vectors: Matrix?) -> [Float] {
            var all = [Float](repeating: .nan, count: moments.learnerCount * data.courseCount)
            let scorer = NCFScorer(loaded, moments: moments, learnerVectors: vectors, workers: Workers(count: 1))
            all.withUnsafeMutableBufferPointer { scorer.score(0..<moments.learnerCount, into: $0.baseAddress!) }
            return all
        }
        let known = scores(fit.model.learners[1])
        #expect(known.allSatisfy { $0.isFinite } && Set(known).count > data.courseCount)
        // Without their vectors all learners are unknown.
        #expect(scores(nil).allSatisfy { $0 == 0 })
        for learner in 0..<moments.learnerCount {
            let has = !moments.range(
                learner, from: fixture.windows.validation - fixture.windows.history, to: fixture.windows.validation
            ).isEmpty
            let width = fit.model.learners[1].columns
            let vector = fit.model.learners[1].values[learner * width..<(learner + 1) * width]
            #expect(vector.contains { $0 != 0 } == has)
        }
    }
}
