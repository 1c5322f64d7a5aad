import LinearAlgebra
import NeuralCF
import Platform
import ShardKinds
import Shards
import StageKit
import StoredModels

/// Writes `ncf/` and says what came out.
struct NCFOutput {
    let stage: StageRun
    let inputs: NCFInputs
    let parameters: NCFParameters

    private var windows: TimeWindows { inputs.windows }

    func write(_ fit: NCFFit, _ refit: NCFFit?) throws {
        try writeModel(model(fit.model, at: windows.validation), .fit)
        let final = model((refit ?? fit).model, at: windows.asOf)
        try writeModel(final, .refit)
        let epochs =
            fit.history.map { NCFShards.Epoch($0, .fit) }
            + (refit?.history ?? []).map { NCFShards.Epoch($0, .refit) }
        try stage.write(NCFShards.encode(epochs), as: NCFShards.history)
        try writeCourses(final.towers.courseVectors)
    }

    /// A model over ids, in the same files.
    func write(_ fit: IdFit, _ refit: IdFit?) throws {
        let final = refit ?? fit
        for (model, fit, time) in [(fit.model, .fit, windows.validation), (final.model, .refit, windows.asOf)]
            as [(IdModel, NCFShards.Fit, Int64)]
        {
            let definition = model.definition(parameters, time: time, history: windows.history)
            try stage.write(NCFShards.encodeTowers(model.stored, definition: definition), as: NCFShards.towers(fit))
            try stage.write(
                NCFShards.encodeCourses(model.stored, ids: inputs.catalogue.ids), as: NCFShards.courses(fit))
            let count = model.learners.count
            try stage.dealEach(count) { shard in
                try stage.write(
                    NCFShards.encodeLearners(model.learners[shard]), as: NCFShards.learners(fit, shard, of: count))
            }
        }
        let epochs =
            fit.history.map { NCFShards.Epoch($0, .fit) }
            + (refit?.history ?? []).map { NCFShards.Epoch($0, .refit) }
        try stage.write(NCFShards.encode(epochs), as: NCFShards.history)
        try writeCourses(final.model.courses)
    }

    /// What is drawn from the course embeddings as of T.
    private func writeCourses(_ vectors: Matrix) throws {
        let eligible = (0..<inputs.catalogue.count).map { inputs.catalogue.isEligible($0, at: windows.asOf) }
        let related = RelatedCourses(
            vectors: vectors, eligible: eligible, workers: stage.workers)
        try stage.write(NCFShards.encodeRelated(related.rows), as: NCFShards.related)
        try stage.write(NCFShards.encode(neighbourShares(related)), as: NCFShards.neighbourShares)
        let map = try CourseMap(vectors: vectors)
        try stage.write(
            NCFShards.encodeMap(x: map.x, y: map.y, valid: map.isPlaced, explained: map.explained), as: NCFShards.map)
        try stage.output.write(
            ProjectorFiles.vectors(vectors), as: ProjectorFiles.vectors, rows: inputs.catalogue.count)
        try stage.output.write(
            ProjectorFiles.metadata(inputs.catalogue), as: ProjectorFiles.metadata, rows: inputs.catalogue.count)
    }

    private func model(_ model: NCFModel, at time: Int64) -> NCFAtTime {
        let data = inputs.data
        return NCFAtTime(
            model: model, snapshot: data.snapshots.first { $0.time == time }, watched: data.watched, time: time,
            history: windows.history, workers: stage.workers)
    }

    private func writeModel(_ model: NCFAtTime, _ fit: NCFShards.Fit) throws {
        let stored = model.stored
        try stage.write(
            NCFShards.encodeTowers(stored, definition: model.definition), as: NCFShards.towers(fit))
        try stage.write(NCFShards.encodeCourses(stored, ids: inputs.catalogue.ids), as: NCFShards.courses(fit))
        let shards = inputs.data.shards
        try stage.dealEach(shards.count) { shard in
            let vectors = model.towers.learnerVectors(
                shards[shard], learners: Array(0..<shards[shard].learnerCount), at: model.time,
                history: model.history, workers: Workers(count: 1))
            try stage.write(NCFShards.encodeLearners(vectors), as: NCFShards.learners(fit, shard, of: shards.count))
        }
    }

    /// Of every categorical and list column of the catalogue.
    private func neighbourShares(_ related: RelatedCourses) -> [NCFShards.NeighbourShare] {
        inputs.catalogue.attributes.names.compactMap { name in
            guard let codes = inputs.catalogue.attributes.columns[name]!.codes else { return nil }
            let share = related.share(of: codes)
            return NCFShards.NeighbourShare(
                column: name, neighbours: share.neighbours, baseRate: share.baseRate, courses: share.courses)
        }
    }

    private func count(epochs: Int) {
        stage.count("courses", inputs.data.courseCount)
        stage.count("learners", inputs.data.shards.reduce(0) { $0 + $1.learnerCount })
        stage.count("moments", inputs.data.shards.reduce(0) { $0 + $1.courses.count })
        stage.count("epochs kept", epochs)
    }

    func describe(_ fit: IdFit, _ refit: IdFit?) {
        let model = (refit ?? fit).model
        let width = model.network.embedding
        func known(_ matrix: Matrix) -> Int {
            (0..<matrix.rows).count { row in matrix.values[row * width..<(row + 1) * width].contains { $0 != 0 } }
        }
        count(epochs: fit.epochs)
        stage.count("learners it can score", model.learners.reduce(0) { $0 + known($1) })
        stage.count("courses it can score", known(model.courses))
        stage.say(
            "\(parameters.model.rawValue) scores only learners and courses that it was trained on; it has neither trend "
                + "nor wide")
    }

    func describe(_ fit: NCFFit, _ refit: NCFFit?) {
        let model = (refit ?? fit).model
        count(epochs: fit.epochs)
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
