import ArgumentParser
import CommandKit
import ConfigText
import Foundation
import Logging
import Logs
import Platform
import Shards
import StageKit
import Yams

struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare", abstract: "Prepares a run folder (the default).")

    @Option(name: .customLong("run"), help: "The run folder; created if it is not there.")
    var runFolder = "out/latest"

    @Option(help: "The configuration file.")
    var config = "pipeline.yaml"

    @Option(help: "The dataset file.")
    var dataset = "data/sample/dataset.yaml"

    @Option(help: "The folder in which the dataset's files lie. Default: logs/ beside the dataset file.")
    var data: String?

    @Option(help: "T; overrides run.as_of.")
    var asOf: String?

    @Option(name: .customLong("set"), help: "One or more section.name=value, separated by blanks; may be repeated.")
    var assignments: [String] = []

    @Flag(help: "For train-glmix --examples: glmix.coordinates may name groupings that the dataset does not have.")
    var examples = false

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("prepare-run", talk, run: runFolder) { log in
            try checkName()
            let mapping = try readMapping()
            let configuration = try layeredConfiguration(mapping)
            let folder = data ?? ((dataset as NSString).deletingLastPathComponent + "/logs")
            let inputs = try mapping.inputFiles(dataFolder: folder)
            try FileSystem.createFolder(runFolder + "/config")
            let lock = try RunLock(run: runFolder)
            let origin = RunOrigin(
                dataset: dataset, data: data, config: config, asOf: asOf, settings: assignments.joined(separator: " "))
            try origin.requireNoForgottenDataset(after: RunOrigin.read(run: runFolder), run: runFolder)
            try repair(log)
            try origin.write(run: runFolder)
            try writeSlices(configuration, mapping)
            try writeInputs(inputs)
            try dropDamaged(log)
            try dateBackStale()
            try dropFinishedCheckpoint()
            FailureNote.clear(run: runFolder, stage: "prepare-run")
            _ = consume lock
        }
    }

    /// Stages write into their run: into what is published, or among publications, they must not.
    private func checkName() throws {
        let name = (runFolder as NSString).lastPathComponent
        let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: runFolder)) != nil
        if isLink || ["current", "published", "import-cache", ".", ".."].contains(name) {
            throw LecternError(.usage, "--run \(runFolder): expected a folder of its own, no link and no reserved name")
        }
    }

    /// A training that was killed between its commit and the end, or could not remove it, leaves its checkpoint.
    private func dropFinishedCheckpoint() throws {
        let states = StageState.all(run: runFolder)
        guard states.contains(where: { $0.stage == .trainNCF && $0.state == "done" }) else { return }
        for name in ["ncf.checkpoint", "ncf.checkpoint.old"] { try FileSystem.removeAll("\(runFolder)/\(name)") }
    }

    private func readMapping() throws -> DatasetMapping {
        guard try FileSystem.entry(dataset) != nil else {
            let shelf = ((dataset as NSString).deletingLastPathComponent as NSString).deletingLastPathComponent
            let known = (try? FileSystem.list(shelf)) ?? []
            let names = known.filter { FileSystem.exists("\(shelf)/\($0)/dataset.yaml") }.sorted()
            throw LecternError.missing(
                "\(dataset): no such dataset file; DATASET is one of \(names.joined(separator: ", ")), or write this file "
                    + "(docs/datasets.md)")
        }
        // Refuses what aliases multiply, before anything looks at all values.
        _ = try YAMLText.compose(text(dataset), file: dataset)
        return try DatasetMapping(yaml: text(dataset), file: dataset)
    }

    private func text(_ path: String) throws -> String {
        guard let text = String(validating: try FileSystem.read(path), as: UTF8.self) else {
            throw LecternError.configuration("\(path): not UTF-8")
        }
        return text
    }

    /// Defaults, then the configuration file, then what the dataset recommends, then the command line.
    private func layeredConfiguration(_ mapping: DatasetMapping) throws -> Configuration {
        var configuration = Configuration()
        try configuration.apply(yaml: text(config), file: config)
        if let recommended = mapping.pipeline { try configuration.apply(recommended, file: dataset) }
        if let asOf {
            try configuration.apply(
                assignment: "run.as_of=\(asOf.contains(":") ? "\"\(asOf)\"" : asOf)", source: "AS_OF")
        }
        for assignment in assignments.flatMap(Assignments.split) { try configuration.apply(assignment: assignment) }
        if mapping.holdsOut { try checkHeldOut(configuration) }
        try CrossChecks(configuration, mapping, dataset: dataset).check(forExamples: examples)
        return configuration
    }

    /// Test pairs are kept apart by T alone.
    private func checkHeldOut(_ configuration: Configuration) throws {
        let asOf = configuration.values["run.as_of"]
        let expected = Conversion.TimeForm.heldOutFrom
        if case .text(let text)? = asOf, Moment.parse(text) == expected { return }
        if asOf == .integer(Int(expected)) { return }
        throw LecternError.configuration(
            "run.as_of: found \(asOf?.yaml ?? "nothing"), expected 2001-01-01: \(dataset) keeps test pairs apart "
                + "(as: held_out), and every other T would train on them or lose them")
    }

    private func repair(_ log: Logger) throws {
        for stage in StageName.allCases where stage != .prepareRun && stage != .publishRun {
            try StageOutput.repair(run: runFolder, stage: stage.folder)
        }
    }

    private func writeSlices(_ configuration: Configuration, _ mapping: DatasetMapping) throws {
        let earlier = EarlierRuns(runFolder, configuration)
        for stage in StageName.allCases where stage != .prepareRun {
            var extra: [String: Value] = [:]
            if stage == .importLogs { extra["dataset"] = try datasetDocument() }
            if stage == .trainNCF { extra["warm_start"] = try earlier.warmStart() }
            if stage == .trainGLMix { extra["prior"] = try earlier.prior() }
            let slice = configuration.slice(stage, extra: extra)
            try writeIfChanged(slice.bytes(), "\(runFolder)/config/\(Slice.fileName(stage))", read(by: stage))
        }
    }

    /// The dataset file without its recommendations: those are in the slices they concern. As YAML with its scalars as they
    /// are written: as a value, `NULL`, `no` or 007 would be another text.
    private func datasetDocument() throws -> Value {
        guard let document = try YAMLText.compose(text(dataset), file: dataset)?.mapping else {
            throw LecternError.configuration("\(dataset): expected a mapping")
        }
        let kept = document.filter { !["pipeline", "backtest"].contains($0.key.string) }.map { ($0.key, $0.value) }
        return .text(try Yams.serialize(node: Node(kept)))
    }

    /// One line per file: table, path, bytes, modification time. A new or touched log file shows here.
    private func writeInputs(_ inputs: [(table: String, path: String)]) throws {
        if let odd = inputs.first(where: { $0.path.utf8.contains { $0 < 0x20 } }) {
            throw LecternError.data("\(odd.path): a tab or line break in its name; rename it")
        }
        let lines = inputs.map { table, path in
            let status = FileSystem.status(path)
            return "\(table)\t\(path)\t\(status?.bytes ?? 0)\t\(status?.modified ?? 0)\n"
        }
        try writeIfChanged(Array(lines.joined().utf8), runFolder + "/config/inputs.txt", read(by: .importLogs))
    }

    /// - Parameter manifest: of the stage that reads the file, and that must run again if its content changes.
    private func writeIfChanged(_ bytes: [UInt8], _ path: String, _ manifest: String) throws {
        if try FileSystem.entry(path) != nil, try FileSystem.read(path) == bytes { return }
        try dateBack(manifest)
        try FileSystem.replace(path, with: bytes)
    }

    /// The manifest of a stage.
    private func read(by stage: StageName) -> String { "\(runFolder)/\(stage.folder)/\(Manifest.fileName)" }

    /// Make goes by times, and clocks jump. What was made from other inputs or another configuration than lie here is
    /// dated back to 1970, so that make runs it and all that follows whatever the clock said.
    private func dateBackStale() throws {
        for (stage, state) in StageState.all(run: runFolder) where state.hasPrefix("stale") {
            try dateBack(read(by: stage))
        }
    }

    private func dateBack(_ path: String) throws {
        if try FileSystem.entry(path) == nil { return }
        // A new file: the old one may be linked from elsewhere (what is published, a copy of the run).
        try FileSystem.replace(path, with: FileSystem.read(path))
        try FileSystem.setModified(path, seconds: 0)
    }

    /// Removes the manifest of a stage with a missing or resized file, so that make rebuilds it.
    private func dropDamaged(_ log: Logger) throws {
        for stage in StageName.allCases where stage != .prepareRun && stage != .publishRun {
            let folder = "\(runFolder)/\(stage.folder)"
            let path = "\(folder)/\(Manifest.fileName)"
            guard try FileSystem.entry(path) != nil else { continue }
            let problem: String?
            do {
                problem = try StageState.damage(folder, Manifest(FileSystem.read(path), path: path))
            } catch {
                problem = "\((error as? LecternError)?.message ?? "\(path): \(error)")"
            }
            if let problem {
                log.warning("\(problem); \(stage.rawValue) will run again")
                try FileSystem.removeAll(path)
            }
        }
    }
}

/// `SET="ncf.epochs=20 export.k=50"`: blanks separate, except within brackets and quotes.
enum Assignments {
    static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var current = ""
        var depth = 0
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if "[{".contains(character) {
                depth += 1
            } else if "]}".contains(character) {
                depth -= 1
            } else if character == " " && depth == 0 {
                if !current.isEmpty { parts.append(current) }
                current = ""
                continue
            }
            current.append(character)
        }
        if !current.isEmpty { parts.append(current) }
        return parts
    }
}
