import Foundation
import NeuralCF
import ShardKinds
import Shards

/// An NCF training after an epoch as shards, by file name: what `ncf.checkpoint/` holds beside its manifest.
///
/// `weights`, `first`, `second` (Adam's moments), `best` and `fit` (weights, where there are any) have one column `value`
/// (F32, as long as the layout's weights), and a file each: together they may be more than a shard may hold. `numbers` has
/// the rest as JSON in its header; `history` and `fit-history` are `ncf-history` shards.
package struct StoredCheckpoint {
    private static let numbers = "numbers\(ShardName.suffix)"
    private static let history = "history\(ShardName.suffix)"
    private static let fitHistory = "fit-history\(ShardName.suffix)"

    private let layout: TowerLayout
    private let parameters: NCFParameters

    /// - Parameter parameters: of the training that goes on.
    package init(courses: Int, _ parameters: NCFParameters) {
        self.parameters = parameters
        layout = TowerLayout(courseCount: courses, parameters: parameters)
    }

    // MARK: Writing

    /// The long vectors, by file.
    package static func vectors(_ checkpoint: NCFCheckpoint) -> [(file: String, values: [Float])] {
        let state = checkpoint.trainer
        var columns = ["weights": state.weights, "first": state.first, "second": state.second]
        if let best = checkpoint.best { columns["best"] = best.weights }
        if let fit = checkpoint.fit { columns["fit"] = fit.model.towers.weights }
        return columns.sorted { $0.key < $1.key }.map { (file: file($0.key), values: $0.value) }
    }

    package static func encode(_ values: [Float]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "ncf-checkpoint", rows: values.count)
        shard.add("value", values)
        return shard
    }

    /// All but the vectors, by file.
    package static func rest(_ checkpoint: NCFCheckpoint) throws -> [(file: String, shard: ShardBuilder)] {
        var numbers = ShardBuilder(kind: "ncf-checkpoint", rows: 0)
        numbers.metadata["numbers"] = String(decoding: try JSONEncoder().encode(Numbers(checkpoint)), as: UTF8.self)
        var files = [(file: Self.numbers, shard: numbers), (file: history, shard: encode(checkpoint.history))]
        if let fit = checkpoint.fit { files.append((file: fitHistory, shard: encode(fit.history))) }
        return files
    }

    private static func file(_ column: String) -> String { "\(column)\(ShardName.suffix)" }

    private static func encode(_ history: [EpochRecord]) -> ShardBuilder {
        NCFShards.encode(history.map { NCFShards.Epoch($0, .fit) })
    }

    /// What is neither a long vector nor the history.
    private struct Numbers: Codable {
        struct Fit: Codable {
            var linear: LinearPart
            var alpha: Float
            var gammaFactor: Float
            var epochs: Int
        }
        var step: Int
        var plannedSteps: Int
        var startLoss: Double?
        var linear: LinearPart
        var best: Int?
        var fit: Fit?

        init(_ checkpoint: NCFCheckpoint) {
            (step, plannedSteps) = (checkpoint.trainer.step, checkpoint.plannedSteps)
            (startLoss, linear) = (checkpoint.startLoss, checkpoint.linear)
            best = checkpoint.best?.record.epoch
            fit = checkpoint.fit.map {
                Fit(
                    linear: $0.model.linear, alpha: $0.model.alpha, gammaFactor: $0.model.gammaFactor,
                    epochs: $0.epochs)
            }
        }

        /// What no training of at most `epochs` writes would never end, or trap.
        func isPossible(epochs: Int) -> Bool {
            let counts = 0...(1 << 48)
            return counts.contains(step) && counts.contains(plannedSteps) && linear.isWhole
                && fit?.linear.isWhole != false
                && (0...epochs).contains(fit?.epochs ?? 0)
        }
    }

    // MARK: Reading

    /// - Parameter shard: by file name.
    /// - Throws: `.badData` for what no training with these parameters writes.
    package func decode(_ shard: (String) throws -> Shard) throws -> NCFCheckpoint {
        let file = try shard(Self.numbers)
        guard let json = file.metadata["numbers"],
            let numbers = try? JSONDecoder().decode(Numbers.self, from: Data(json.utf8)),
            numbers.isPossible(epochs: parameters.epochs)
        else { throw LecternError.data("\(file.name): has no numbers, or such as no training writes") }
        let history = try NCFShards.epochs(shard(Self.history)).map(EpochRecord.init)
        var fit: NCFFit?
        if let stored = numbers.fit {
            let towers = Towers(layout: layout, parameters: parameters, weights: try values(shard, "fit"))
            let model = NCFModel(
                linear: stored.linear, towers: towers, alpha: stored.alpha, gammaFactor: stored.gammaFactor)
            fit = NCFFit(
                model: model, epochs: stored.epochs,
                history: try NCFShards.epochs(shard(Self.fitHistory)).map(EpochRecord.init))
        }
        var best: NCFCheckpoint.Best?
        if let epoch = numbers.best {
            guard let record = history.first(where: { $0.epoch == epoch }), record.quality != nil else {
                throw LecternError.data("\(file.name): best epoch \(epoch) is not in the history")
            }
            best = NCFCheckpoint.Best(record: record, weights: try values(shard, "best"))
        }
        let state = TowerTrainer.State(
            step: numbers.step, weights: try values(shard, "weights"), first: try values(shard, "first"),
            second: try values(shard, "second"))
        return NCFCheckpoint(
            fit: fit, linear: numbers.linear, history: history, best: best, trainer: state,
            plannedSteps: numbers.plannedSteps, startLoss: numbers.startLoss)
    }

    private func values(_ shard: (String) throws -> Shard, _ column: String) throws -> [Float] {
        let file = try shard(Self.file(column))
        let values: [Float] = try file.values("value")
        guard values.count == layout.weightCount else {
            throw LecternError.data("\(file.name): \(values.count) values, expected \(layout.weightCount)")
        }
        return values
    }
}

extension LinearPart {
    /// As its initialiser demands; decoding does not pass through that.
    fileprivate var isWhole: Bool {
        newcomerShares.count == Self.none.newcomerShares.count && trendOther.count == Self.none.trendOther.count
            && gamma >= 0 && decay.age >= 0 && decay.position >= 0
    }
}

extension NCFShards.Epoch {
    package init(_ record: EpochRecord, _ fit: NCFShards.Fit) {
        let quality = record.quality.map {
            [
                Double($0.alpha), Double($0.gammaFactor), $0.warmLoss, $0.warmNDCG, $0.warmRecall, $0.coldNDCG,
                $0.coldRecall, $0.gain, $0.gainError,
            ]
        }
        self.init(
            fit: fit, epoch: record.epoch, steps: record.steps, examples: record.examples, loss: record.loss,
            quality: quality)
    }
}

extension EpochRecord {
    package init(_ stored: NCFShards.Epoch) {
        let quality = stored.quality.map {
            EpochQuality(
                alpha: Float($0[0]), gammaFactor: Float($0[1]), warmLoss: $0[2], warmNDCG: $0[3], warmRecall: $0[4],
                coldNDCG: $0[5], coldRecall: $0[6], gain: $0[7], gainError: $0[8])
        }
        self.init(
            epoch: stored.epoch, steps: stored.steps, examples: stored.examples, loss: stored.loss, quality: quality)
    }
}
