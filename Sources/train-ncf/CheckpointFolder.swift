import Foundation
import LinearAlgebra
import NeuralCF
import ShardKinds
import Shards
import StageKit

/// `ncf.checkpoint/`, beside `ncf/`: the training after its newest epoch. It counts only for the same program, kernels,
/// configuration and inputs; it is replaced in one step after every epoch, and goes when `ncf/` is in its place.
struct CheckpointFolder {
    static let name = "ncf.checkpoint"
    private static let numbers = "numbers\(ShardName.suffix)"
    private static let history = "history\(ShardName.suffix)"
    private static let fitHistory = "fit-history\(ShardName.suffix)"

    private let stage: StageRun
    private let layout: TowerLayout
    private let parameters: NCFParameters
    /// What the checkpoint must have been made by, and from.
    private let identity: Manifest

    private var path: String { "\(stage.run)/\(Self.name)" }

    /// - Parameter stage: with all its inputs opened.
    init(_ stage: StageRun, courses: Int, _ parameters: NCFParameters) throws {
        self.stage = stage
        self.parameters = parameters
        layout = TowerLayout(courseCount: courses, parameters: parameters)
        var identity = stage.manifest
        identity.counts = [:]
        // A rebuilt program or another kind of processor may end in other bytes.
        identity.facts = [
            "program": .text(Digest.sha256(try FileSystem.read("/proc/self/exe"))),
            "kernels": .text(BLAS.coreName),
        ]
        self.identity = identity
        stage.removedAfterCommit.append(path)
        if stage.ranks.isFirst { try StageOutput.repair(run: stage.run, stage: Self.name) }
    }

    func remove() throws { if stage.ranks.isFirst { try FileSystem.removeAll(path) } }

    // MARK: Writing

    func save(_ checkpoint: NCFCheckpoint) throws {
        if !stage.ranks.isFirst { return }
        let output = try StageOutput(run: stage.run, stage: Self.name)
        do {
            try write(checkpoint, to: output)
        } catch {
            output.abandon()
            throw error
        }
    }

    private func write(_ checkpoint: NCFCheckpoint, to output: StageOutput) throws {
        let state = checkpoint.trainer
        var columns = ["weights": state.weights, "first": state.first, "second": state.second]
        if let best = checkpoint.best { columns["best"] = best.weights }
        if let fit = checkpoint.fit { columns["fit"] = fit.model.towers.weights }
        let names = columns.keys.sorted()
        // One file a column: together they may be more than a shard may hold.
        try stage.workers.forEach(names.count) { index in
            let values = columns[names[index]]!
            var shard = ShardBuilder(kind: "ncf-checkpoint", rows: values.count)
            shard.add("value", values)
            try output.write(shard, as: Self.file(names[index]), stored: true)
        }
        var numbers = ShardBuilder(kind: "ncf-checkpoint", rows: 0)
        numbers.metadata["numbers"] = String(decoding: try JSONEncoder().encode(Numbers(checkpoint)), as: UTF8.self)
        try output.write(numbers, as: Self.numbers)
        try output.write(Self.encode(checkpoint.history), as: Self.history)
        if let fit = checkpoint.fit { try output.write(Self.encode(fit.history), as: Self.fitHistory) }
        try output.commit(identity)
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
    }

    // MARK: Reading

    /// As `load`, on every rank once the first has mended the folder; all ranks must find the same.
    func loadTogether() throws -> NCFCheckpoint? {
        _ = stage.ranks.exchange([])
        let found = load()
        let place = found.map { "epoch \($0.epoch) of the \($0.fit == nil ? "fit" : "refit")" } ?? "none"
        if Set(stage.ranks.exchange(Array(place.utf8))).count > 1 {
            throw LecternError(.ioError, "\(path): ranks do not read the same checkpoint; remove it and run make all")
        }
        return found
    }

    /// The checkpoint that this training may go on from; nil (with a line, if there is one) where there is none.
    func load() -> NCFCheckpoint? {
        if !FileSystem.exists(path) { return nil }
        do {
            let input = try StageInput(run: stage.run, stage: stage.name.rawValue, folder: Self.name)
            if let difference = difference(input.manifest) {
                stage.say("\(path) is ignored: made \(difference)")
                return nil
            }
            let found = try read(input)
            stage.say("\(path): goes on after epoch \(found.epoch) of the \(found.fit == nil ? "fit" : "refit")")
            return found
        } catch {
            stage.say("\(path) is ignored: \((error as? LecternError)?.message ?? "\(error)")")
            return nil
        }
    }

    private func difference(_ found: Manifest) -> String? {
        if found.config != identity.config { return "with another configuration" }
        if found.inputs != identity.inputs { return "from other inputs" }
        if found.facts != identity.facts || found.release != identity.release {
            return "by another build or on another kind of processor"
        }
        return nil
    }

    private func read(_ input: StageInput) throws -> NCFCheckpoint {
        let shard = try input.shard(Self.numbers)
        guard let json = shard.metadata["numbers"],
            let numbers = try? JSONDecoder().decode(Numbers.self, from: Data(json.utf8))
        else { throw LecternError.data("\(shard.name): has no numbers") }
        let history = try history(input, Self.history)
        var fit: NCFFit?
        if let stored = numbers.fit {
            let towers = Towers(layout: layout, parameters: parameters, weights: try values(input, "fit"))
            let model = NCFModel(
                linear: stored.linear, towers: towers, alpha: stored.alpha, gammaFactor: stored.gammaFactor)
            fit = NCFFit(model: model, epochs: stored.epochs, history: try self.history(input, Self.fitHistory))
        }
        var best: NCFCheckpoint.Best?
        if let epoch = numbers.best {
            guard let record = history.first(where: { $0.epoch == epoch }), record.quality != nil else {
                throw LecternError.data("\(shard.name): best epoch \(epoch) is not in the history")
            }
            best = NCFCheckpoint.Best(record: record, weights: try values(input, "best"))
        }
        let state = TowerTrainer.State(
            step: numbers.step, weights: try values(input, "weights"), first: try values(input, "first"),
            second: try values(input, "second"))
        return NCFCheckpoint(
            fit: fit, linear: numbers.linear, history: history, best: best, trainer: state,
            plannedSteps: numbers.plannedSteps, startLoss: numbers.startLoss)
    }

    private func values(_ input: StageInput, _ column: String) throws -> [Float] {
        let shard = try input.shard(Self.file(column))
        let values: [Float] = try shard.values("value")
        guard values.count == layout.weightCount else {
            throw LecternError.data("\(shard.name): \(values.count) values, expected \(layout.weightCount)")
        }
        return values
    }

    private func history(_ input: StageInput, _ file: String) throws -> [EpochRecord] {
        try NCFShards.epochs(input, file).map(EpochRecord.init)
    }
}

extension NCFShards.Epoch {
    init(_ record: EpochRecord, _ fit: NCFShards.Fit) {
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
    init(_ stored: NCFShards.Epoch) {
        let quality = stored.quality.map {
            EpochQuality(
                alpha: Float($0[0]), gammaFactor: Float($0[1]), warmLoss: $0[2], warmNDCG: $0[3], warmRecall: $0[4],
                coldNDCG: $0[5], coldRecall: $0[6], gain: $0[7], gainError: $0[8])
        }
        self.init(
            epoch: stored.epoch, steps: stored.steps, examples: stored.examples, loss: stored.loss, quality: quality)
    }
}
