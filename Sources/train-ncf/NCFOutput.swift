import LinearAlgebra
import NeuralCF
import Platform
import ShardKinds
import Shards
import StageKit

/// Writes `ncf/` and says what came out.
struct NCFOutput {
    let stage: StageRun
    let inputs: NCFInputs

    private var windows: TimeWindows { inputs.windows }

    func write(_ fit: NCFFit, _ refit: NCFFit?) throws {
        try writeModel(model(fit.model, at: windows.validation), .fit)
        let final = model((refit ?? fit).model, at: windows.asOf)
        try writeModel(final, .refit)
        let epochs = fit.history.map { epoch($0, .fit) } + (refit?.history ?? []).map { epoch($0, .refit) }
        try stage.write(NCFShards.encode(epochs), as: NCFShards.history)
        let eligible = (0..<inputs.catalogue.count).map { inputs.catalogue.isEligible($0, at: windows.asOf) }
        let related = RelatedCourses(
            vectors: final.towers.courseVectors, eligible: eligible, workers: stage.workers)
        try stage.write(NCFShards.encodeRelated(related.rows), as: NCFShards.related)
        try stage.write(NCFShards.encode(neighbourShares(related)), as: NCFShards.neighbourShares)
    }

    private func model(_ model: NCFModel, at time: Int64) -> NCFAtTime {
        let data = inputs.data
        return NCFAtTime(
            model: model, snapshot: data.snapshots.first { $0.time == time }, activity: data.activity, time: time,
            history: windows.history, workers: stage.workers)
    }

    private func writeModel(_ model: NCFAtTime, _ fit: NCFShards.Fit) throws {
        let stored = model.stored
        try stage.write(
            NCFShards.encodeTowers(stored, definition: model.definition), as: NCFShards.towers(fit))
        try stage.write(NCFShards.encodeCourses(stored, ids: inputs.catalogue.ids), as: NCFShards.courses(fit))
        let shards = inputs.data.shards
        try stage.workers.forEach(shards.count) { shard in
            let vectors = model.towers.learnerVectors(
                shards[shard], learners: Array(0..<shards[shard].learnerCount), at: model.time,
                history: model.history, workers: Workers(count: 1))
            try stage.write(NCFShards.encodeLearners(vectors), as: NCFShards.learners(fit, shard, of: shards.count))
        }
    }

    private func epoch(_ record: EpochRecord, _ fit: NCFShards.Fit) -> NCFShards.Epoch {
        let quality = record.quality.map {
            [
                Double($0.alpha), Double($0.gammaFactor), $0.warmLoss, $0.warmNDCG, $0.warmRecall, $0.coldNDCG,
                $0.coldRecall, $0.gain, $0.gainError,
            ]
        }
        return NCFShards.Epoch(
            fit: fit, epoch: record.epoch, steps: record.steps, examples: record.examples, loss: record.loss,
            quality: quality)
    }

    /// Of every categorical and list column of the catalogue.
    private func neighbourShares(_ related: RelatedCourses) -> [NCFShards.NeighbourShare] {
        inputs.catalogue.attributes.names.compactMap { name in
            guard let codes = codes(inputs.catalogue.attributes.columns[name]!) else { return nil }
            let share = related.share(of: codes)
            return NCFShards.NeighbourShare(
                column: name, neighbours: share.neighbours, baseRate: share.baseRate, courses: share.courses)
        }
    }

    private func codes(_ column: AttributeColumn) -> [[UInt32]]? {
        switch column {
        case .categorical(let codes, let valid): return zip(codes, valid).map { $1 ? [$0] : [] }
        case .list(let offsets, let values):
            return (0..<offsets.count - 1).map { Array(values[offsets[$0]..<offsets[$0 + 1]]) }
        case .numeric, .text: return nil
        }
    }

    func describe(_ fit: NCFFit, _ refit: NCFFit?) {
        let model = (refit ?? fit).model
        stage.count("courses", inputs.data.courseCount)
        stage.count("learners", inputs.data.shards.reduce(0) { $0 + $1.learnerCount })
        stage.count("moments", inputs.data.shards.reduce(0) { $0 + $1.courses.count })
        stage.count("epochs kept", fit.epochs)
        stage.manifest.facts["alpha"] = .number(Double(model.alpha))
        stage.manifest.facts["gamma"] = .number(Double(model.gamma))
        let chosen = fit.history.first { $0.epoch == fit.epochs }?.quality
        let towers =
            model.alpha > 0
            ? "towers of epoch \(fit.epochs) count with α \(model.alpha)"
            : "towers do not count: their gain of \(rounded(chosen?.gain ?? 0)) is within three standard errors"
        stage.say("trend + \(rounded(Double(model.gamma)))·wide; \(towers)")
    }
}
