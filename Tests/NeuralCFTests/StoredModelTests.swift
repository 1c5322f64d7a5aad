// A model stored and loaded scores the same bits; numbers of another shape are refused.
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct StoredModelTests {
    let fixture = Fixture()

    private func atTime(_ data: NCFData, _ change: (inout NCFParameters) -> Void) -> NCFAtTime {
        let towers = Towers(
            courseCount: data.courseCount, parameters: smallParameters(change), decay: .init(age: 0.2, position: 0.3))
        return NCFAtTime(
            model: NCFModel(linear: linearPart, towers: towers, alpha: 0.5, gammaFactor: 0.75),
            snapshot: data.snapshots.last!, watched: data.watched, time: fixture.windows.asOf,
            history: fixture.windows.history, workers: Workers(count: 2))
    }

    private func scores(_ scorer: NCFScorer) -> [Float] {
        var all = [Float](repeating: 0, count: scorer.learnerCount * scorer.courseCount)
        all.withUnsafeMutableBufferPointer { scorer.score(0..<scorer.learnerCount, into: $0.baseAddress!) }
        return all
    }

    @Test(arguments: ModelTests.kinds.indices) func storedModelsScoreTheSame(_ kind: Int) throws {
        let data = fixture.data()
        let model = atTime(data, ModelTests.kinds[kind])
        let workers = Workers(count: 1)
        let scorer = NCFScorer(model, moments: data.shards[1], workers: workers)
        let loaded = try NCFAtTime(model.definition, model.stored, snapshot: data.snapshots.last!, workers: workers)
        let again = NCFScorer(
            loaded, moments: data.shards[1], learnerVectors: scorer.learnerVectors, workers: workers)
        #expect(scores(again) == scores(scorer))
        #expect(loaded.definition == model.definition && loaded.model == model.model)
        #expect(
            ContextShares(again).contributions(0, to: [1, 2]) == ContextShares(scorer).contributions(0, to: [1, 2]))
    }

    @Test func otherShapesAreRefused() {
        let data = fixture.data()
        let model = atTime(data, { _ in })
        var stored = model.stored
        stored.tensors["learner.bias"] = Matrix(rows: 1, columns: 5)
        #expect(throws: NCFStoredMismatch(tensor: "learner.bias", found: "1 × 5", expected: "1 × 4")) {
            _ = try NCFAtTime(
                model.definition, stored, snapshot: data.snapshots.last!, workers: Workers(count: 1))
        }
    }
}
