import NeuralCF
import Shards
import StoredModels

/// A small checkpoint of train-ncf, in the middle of its refit: all files that there can be.
struct CheckpointExample: Sendable {
    static let shared = CheckpointExample()

    /// Not compressed, by name.
    let files: [(name: String, bytes: [UInt8])]
    private let shards: [String: Shard]
    private let courses = 3
    private let parameters: NCFParameters

    init() {
        var parameters = NCFParameters()
        (parameters.hidden, parameters.embedding) = ([2], 2)
        self.parameters = parameters
        let layout = TowerLayout(courseCount: courses, parameters: parameters)
        let weights = [Float](repeating: 0.5, count: layout.weightCount)
        let record = EpochRecord(
            epoch: 1, steps: 2, examples: 3, loss: 4,
            quality: EpochQuality(
                alpha: 1, gammaFactor: 1, warmLoss: 1, warmNDCG: 0.5, warmRecall: 0.5, coldNDCG: 0.5, coldRecall: 0.5,
                gain: 0.1, gainError: 0.01))
        let model = NCFModel(
            linear: .none, towers: Towers(layout: layout, parameters: parameters, weights: weights), alpha: 1,
            gammaFactor: 1)
        let checkpoint = NCFCheckpoint(
            fit: NCFFit(model: model, epochs: 1, history: [record]), linear: .none, history: [record],
            best: NCFCheckpoint.Best(record: record, weights: weights),
            trainer: TowerTrainer.State(step: 2, weights: weights, first: weights, second: weights), plannedSteps: 9,
            startLoss: 5)
        files =
            StoredCheckpoint.vectors(checkpoint).map { ($0.file, StoredCheckpoint.encode($0.values).encoded()) }
            + (try! StoredCheckpoint.rest(checkpoint)).map { ($0.file, $0.shard.encoded()) }
        shards = try! Dictionary(uniqueKeysWithValues: files.map { ($0.name, try Shard(fuzzed: $0.bytes)) })
    }

    /// Reads it with one file, which the first byte chooses, replaced by the other bytes.
    /// - Throws: also if what was read is not what a training can go on from.
    func read(_ bytes: [UInt8]) throws {
        let damaged = files[Int(bytes.first ?? 0) % files.count].name
        let found = try StoredCheckpoint(courses: courses, parameters).decode { name in
            name == damaged ? try Shard(fuzzed: Array(bytes.dropFirst())) : shards[name]!
        }
        let layout = TowerLayout(courseCount: courses, parameters: parameters)
        precondition(found.trainer.weights.count == layout.weightCount)
        precondition((found.fit?.epochs ?? 0) <= parameters.epochs && found.trainer.step + 1 > 0)
    }
}
