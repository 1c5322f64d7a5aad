import ShardKinds
import Shards
import StageKit

/// The finished stages that a publication rests on, of one generation.
struct PublicationInputs {
    let run: String
    let slice: Slice
    /// Every stage that is linked, in the order of the pipeline.
    let stages: [(stage: StageName, input: StageInput)]
    let logs: StageInput
    let blended: StageInput
    let topk: StageInput
    let metrics: StageInput

    init(_ options: StageOptions) throws {
        run = options.run
        slice = try Slice(
            stage: .publishRun,
            path: options.config ?? "\(options.run)/config/\(Slice.fileName(.publishRun))")
        stages = try StageName.publishRun.inputs.map { stage in
            (stage, try StageInput(run: options.run, stage: stage.rawValue, folder: stage.folder))
        }
        let inputs = Dictionary(uniqueKeysWithValues: stages)
        (logs, blended) = (inputs[.importLogs]!, inputs[.blend]!)
        (topk, metrics) = (inputs[.exportTopK]!, inputs[.evaluate]!)
        for (i, a) in stages.enumerated() {
            for b in stages[..<i] { try StageRun.agree(a.input, a.stage, b.input, b.stage) }
        }
    }

    /// The report that is published with the rest is of their generation too. (Before it is rendered its predecessor may lie
    /// there, and one may be missing.)
    func requireReport() throws {
        let stage = StageName.renderReport
        if try FileSystem.entry("\(run)/\(stage.folder)/\(Manifest.fileName)") == nil { return }
        let report = try StageInput(run: run, stage: stage.rawValue, folder: stage.folder)
        for known in stages { try StageRun.agree(report, stage, known.input, known.stage) }
    }

    /// `<as_of>-<8 hex of topk's digest>`: equal lists have equal names.
    var publicationName: String {
        let moment = Moment.text(topk.manifest.asOf)
        let day = moment.hasSuffix("T00:00:00Z") ? String(moment.prefix(10)) : String(moment.filter { $0 != ":" })
        return "\(day)-\(topk.digest.prefix(8))"
    }
}
