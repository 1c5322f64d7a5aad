// What is written to ncf/ is read back as it was, through real files.
import Foundation
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import Testing

@Suite struct NCFShardsTests {
    private struct Definition: Codable, Equatable {
        var alpha: Float
        var name: String
    }

    private func committed(_ fill: (StageOutput) throws -> Void) throws -> StageInput {
        let run = NSTemporaryDirectory() + "ncf-shards-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
        let output = try StageOutput(run: run, stage: "ncf")
        try fill(output)
        try output.commit(Manifest(stage: "train-ncf", release: "test", config: "", asOf: 2, newestEvent: 1))
        return try StageInput(run: run, stage: "train-ncf", folder: "ncf")
    }

    @Test func modelsAndEmbeddings() throws {
        let model = NeuralModel(
            tensors: [
                "learner.table": Matrix(rows: 3, columns: 2, values: [1, 2, 3, 4, 5, 6]),
                "learner.bias": Matrix(rows: 1, columns: 2, values: [-1, 0.5]),
            ],
            courseVectors: Matrix(rows: 3, columns: 1, values: [7, 8, 9]), trendEmpty: [0, 1, 2],
            trendOther: [2, 1, 0])
        let learners = Matrix(rows: 2, columns: 1, values: [0.25, 0])
        let definition = Definition(alpha: 0.75, name: "\"quoted\" ✓")
        let ncf = try committed {
            try $0.write(NCFShards.encodeTowers(model, definition: definition), as: NCFShards.towers(.refit))
            try $0.write(NCFShards.encodeCourses(model, ids: ["a", "b", "ç"]), as: NCFShards.courses(.refit))
            try $0.write(NCFShards.encodeLearners(learners), as: NCFShards.learners(.refit, 1, of: 4))
        }
        #expect(try NCFShards.model(ncf, .refit) == model)
        #expect(try NCFShards.definition(ncf, .refit, as: Definition.self) == definition)
        #expect(try NCFShards.learnerVectors(ncf, .refit, 1, of: 4) == learners)
        #expect(throws: LecternError.self) { _ = try NCFShards.model(ncf, .fit) }
    }

    @Test func historyRelatedAndShares() throws {
        let epochs = [
            NCFShards.Epoch(
                fit: .fit, epoch: 0, steps: 0, examples: 0, loss: 0, quality: [0, 1, 6.5, 0.1, 0.2, 0.3, 0.4, 0, 0]),
            NCFShards.Epoch(fit: .refit, epoch: 1, steps: 9, examples: 100, loss: 4.5, quality: nil),
        ]
        let related = SparseRows(columnCount: 3, offsets: [0, 2, 2, 3], columns: [2, 1, 0], values: [0.9, 0.1, 0.9])
        let shares = [NCFShards.NeighbourShare(column: "language", neighbours: 0.8, baseRate: 0.25, courses: 3)]
        let ncf = try committed {
            try $0.write(NCFShards.encode(epochs), as: NCFShards.history)
            try $0.write(NCFShards.encodeRelated(related), as: NCFShards.related)
            try $0.write(NCFShards.encode(shares), as: NCFShards.neighbourShares)
        }
        #expect(try NCFShards.history(ncf) == epochs)
        #expect(try NCFShards.related(ncf) == related)
        #expect(try NCFShards.neighbourShares(ncf) == shares)
    }
}
