import Foundation
import NeuralCF
import Platform
import ShardKinds
import Shards
import StageKit

/// `ncf.warm_start`: the earlier run whose towers a training begins from.
enum WarmStartSource {
    /// Among the inputs of the manifest.
    static let inputName = "warm_start"

    /// - Returns: nil for `none`, and for `current` as long as nothing is published.
    /// - Throws: `.badData` for towers of another shape, or that have seen what this run must not see.
    static func read(_ stage: StageRun, _ inputs: NCFInputs, _ parameters: NCFParameters) throws -> WarmStart? {
        let name = stage.slice.text("ncf.warm_start")
        if name == "none" { return nil }
        let folder = EarlierRun.beside(stage.run, named: name)
        if name == "current", try FileSystem.entry(folder) == nil {
            stage.say("ncf.warm_start: nothing is published yet; starts afresh")
            return nil
        }
        let source = try StageInput(run: folder, stage: StageName.trainNCF.rawValue, folder: StageName.trainNCF.folder)
        let fit = try towers(source, .fit, before: inputs.windows.validation, parameters, inputs)
        let refit = try towers(source, .refit, before: inputs.windows.asOf, parameters, inputs)
        let ids = try source.shard(NCFShards.courses(.refit)).strings("id").strings
        stage.manifest.inputs[inputName] = source.digest
        let start = WarmStart(fit: fit, refit: refit, ids: inputs.catalogue.ids, earlierIds: ids)
        stage.say(
            "starts from the towers of \(folder): \(start.earlier.count { $0 != nil }) of \(start.earlier.count) courses"
        )
        return start
    }

    private static func towers(
        _ source: StageInput, _ fit: NCFShards.Fit, before end: Int64, _ parameters: NCFParameters, _ inputs: NCFInputs
    ) throws -> Towers {
        let definition = try NCFShards.definition(source, fit, as: NCFDefinition.self)
        let place = "ncf.warm_start: \(source.folder)/\(NCFShards.towers(fit))"
        guard definition.time <= end else {
            throw LecternError.data(
                "\(place): has seen moments up to \(Moment.text(definition.time)), this training may see none from "
                    + "\(Moment.text(end)) on; take an earlier run, or ncf.warm_start=none")
        }
        let stored = try NCFShards.model(source, fit)
        let layout = TowerLayout(courseCount: stored.trendOther.count, parameters: definition.parameters)
        let wanted = TowerLayout(courseCount: inputs.catalogue.count, parameters: parameters)
        if let tensor = wanted.difference(from: layout) {
            throw LecternError.data(
                "\(place): \(tensor) has another shape than this configuration's; train with the same "
                    + "ncf.hidden, embedding, learner_input and output, or with ncf.warm_start=none")
        }
        var weights = [Float](repeating: 0, count: layout.weightCount)
        for tensor in layout.tensors {
            guard let found = stored.tensors[tensor.name], found.values.count == tensor.count else {
                throw LecternError.data("\(place): tensor \(tensor.name) is missing or of another shape")
            }
            weights.replaceSubrange(tensor.range, with: found.values)
        }
        return Towers(layout: layout, parameters: parameters, weights: weights)
    }
}
