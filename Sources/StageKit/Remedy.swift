import Foundation
import Shards

extension StageName {
    /// Whether publish-run takes a file of the stage's manifest: of stages that serve or explain all but training rows, of
    /// the others none (of the blend two that it names).
    package func isPublished(_ file: String) -> Bool {
        [.exportTopK, .evaluate, .trainNCF, .trainGLMix].contains(self) && !file.contains("examples")
    }
}

/// What make can do about damage.
extension StageName {
    /// `make <stage> DATASET=… OUT=… RUN=… && make run …`, which makes a stage's output and all that rests on it anew.
    package func rebuilding(run: String) -> String {
        let (out, name) = ((run as NSString).deletingLastPathComponent, (run as NSString).lastPathComponent)
        let variables =
            (out == "out" ? "" : " OUT=\(out.isEmpty ? "." : out)") + (name == "latest" ? "" : " RUN=\(name)")
        let origin = RunOrigin.read(run: run)?.variables ?? ""
        let all = (origin.isEmpty ? "" : " " + origin) + variables
        return "make \(rawValue)\(all) && make run\(all)"
    }
}

extension LecternError {
    /// Where a file that a stage of this run has written is not as written: how it is made anew.
    func withRemedy(run: String) -> LecternError {
        guard code == .badData, !message.contains("make "),
            let stage = StageName.allCases.first(where: { message.hasPrefix("\(run)/\($0.folder)/") })
        else { return self }
        return LecternError(code, message + "; made anew by: " + stage.rebuilding(run: run))
    }
}
