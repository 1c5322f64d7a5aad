import DenseAlgebra
import Foundation
import NeuralCF
import ShardKinds
import Shards
import StageKit
import StoredModels

/// `ncf.checkpoint/`, beside `ncf/`: the training after its newest epoch. It counts only for the same program, kernels,
/// configuration and inputs; it is replaced in one step after every epoch, and goes when `ncf/` is in its place.
struct CheckpointFolder {
    static let name = "ncf.checkpoint"

    private let stage: StageRun
    private let stored: StoredCheckpoint
    /// What the checkpoint must have been made by, and from.
    private let identity: Manifest

    private var path: String { "\(stage.run)/\(Self.name)" }

    /// - Parameter stage: with all its inputs opened.
    init(_ stage: StageRun, courses: Int, _ parameters: NCFParameters) throws {
        self.stage = stage
        stored = StoredCheckpoint(courses: courses, parameters)
        var identity = stage.manifest
        identity.counts = [:]
        // A rebuilt program or another kind of processor may end in other bytes.
        identity.facts = [
            "program": .text(Digest.sha256(try FileSystem.read("/proc/self/exe"))),
            "kernels": .text(BLAS.coreName),
        ]
        self.identity = identity
        stage.removedAfterCommit += [path, path + ".old"]  // the second where a commit could not remove it
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
        let vectors = StoredCheckpoint.vectors(checkpoint)
        try stage.workers.forEach(vectors.count) { index in
            try output.write(StoredCheckpoint.encode(vectors[index].values), as: vectors[index].file, stored: true)
        }
        for (file, shard) in try StoredCheckpoint.rest(checkpoint) { try output.write(shard, as: file) }
        try output.commit(identity)
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
        do {
            if try FileSystem.entry(path) == nil { return nil }
            let input = try StageInput(run: stage.run, stage: stage.name.rawValue, folder: Self.name)
            if let difference = difference(input.manifest) {
                stage.say("\(path) is ignored: made \(difference)")
                return nil
            }
            let found = try stored.decode(input.shard)
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
}
