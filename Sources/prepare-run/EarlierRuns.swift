import Foundation
import Shards
import StageKit

/// The earlier runs that this one goes on from. Their generations stand in the slices: when one changes, training is stale.
/// (What is published is looked up when training runs: a run that published itself is not stale for it.)
struct EarlierRuns {
    private let run: URL
    private let configuration: Configuration

    init(_ runFolder: String, _ configuration: Configuration) {
        run = URL(fileURLWithPath: runFolder).standardizedFileURL
        self.configuration = configuration
    }

    /// Of the run whose towers NCF starts from.
    func warmStart() throws -> Value? {
        guard case .text(let name)? = configuration.values["ncf.warm_start"], !["none", "current"].contains(name)
        else { return nil }
        return try generation(
            EarlierRun.beside(run.path, named: name), of: .trainNCF,
            orElse: "ncf.warm_start: found \"\(name)\", expected none, current, or the name of another run in "
                + "\(run.deletingLastPathComponent().path) whose train-ncf is done")
    }

    /// Of the run whose model is GLMix's prior.
    func prior() throws -> Value? {
        guard case .text(let name)? = configuration.values["glmix.prior"], name != "none" else { return nil }
        let found = try generation(
            EarlierRun.at(name, for: run.path), of: .trainGLMix,
            orElse:
                "glmix.prior: found \"\(name)\", expected none, a path to another run whose train-glmix is done, or its "
                + "name in \(run.deletingLastPathComponent().path)")
        return name == "current" ? nil : found
    }

    private func generation(_ place: String, of stage: StageName, orElse message: String) throws -> Value {
        let source = URL(fileURLWithPath: place).standardizedFileURL.path
        let folder = source + "/" + stage.folder
        guard source != run.path, try FileSystem.entry(folder + "/" + Manifest.fileName) != nil else {
            throw LecternError.configuration(message)
        }
        return .text(try Manifest.read(stageFolder: folder).digest)
    }
}
