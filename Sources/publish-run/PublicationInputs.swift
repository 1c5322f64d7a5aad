import ShardKinds
import Shards
import StageKit

/// The finished stages that a publication rests on, of one generation.
struct PublicationInputs {
    let run: String
    let slice: Slice
    let logs: StageInput
    let blended: StageInput
    let topk: StageInput
    let metrics: StageInput

    init(_ options: StageOptions) throws {
        run = options.run
        slice = try Slice(
            stage: .publishRun,
            path: options.config ?? "\(options.run)/config/\(Slice.fileName(.publishRun))")
        func open(_ stage: StageName) throws -> StageInput {
            try StageInput(run: options.run, stage: stage.rawValue, folder: stage.folder)
        }
        logs = try open(.importLogs)
        blended = try open(.blend)
        topk = try open(.exportTopK)
        metrics = try open(.evaluate)
        let all: [(StageInput, StageName)] = [
            (logs, .importLogs), (blended, .blend), (topk, .exportTopK), (metrics, .evaluate),
        ]
        for (i, a) in all.enumerated() {
            for b in all[..<i] { try StageRun.agree(a.0, a.1, b.0, b.1) }
        }
    }

    /// `<as_of>-<8 hex of topk's digest>`: equal lists have equal names.
    var publicationName: String {
        let moment = Moment.text(topk.manifest.asOf)
        let day = moment.hasSuffix("T00:00:00Z") ? String(moment.prefix(10)) : String(moment.filter { $0 != ":" })
        return "\(day)-\(topk.digest.prefix(8))"
    }
}
