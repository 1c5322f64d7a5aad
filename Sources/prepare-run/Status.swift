import ArgumentParser
import CommandKit
import Foundation
import Shards
import StageKit

/// `make status`: what stands, what is stale and why.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Tells of each stage whether it is done, stale (and why), missing or running.",
        discussion: """
            Judged by what the run was last prepared from: a log file that has come since, or an edited pipeline.yaml, \
            shows after the next make run.
            """)

    @Option(name: .customLong("run"), help: "The run folder.")
    var runFolder = "out/latest"

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("prepare-run", talk) { _ in
            guard FileSystem.isFolder(runFolder) else {
                throw LecternError.missing("\(runFolder): no such run folder; make all creates it")
            }
            var lines = [row("stage", "state", "seconds", "memory", "rows")]
            let holder = lockHolder()
            for (stage, state) in StageState.all(run: runFolder) {
                let runs = holder != nil && FileSystem.isFolder("\(runFolder)/\(stage.folder).partial")
                lines.append(describe(stage, runs ? "running" : state))
            }
            try Terminal.write(lines.joined(separator: "\n") + "\n")
            if let holder { try Terminal.write("lock: held by \(holder)\n") }
            if let note = FailureNote.read(run: runFolder) {
                let when = FileSystem.status(FailureNote.path(runFolder)).map {
                    Moment.text($0.modified / 1_000_000_000)
                }
                try Terminal.write("last failure: \(when ?? "") \(note.stage) (\(note.code)): \(note.message)\n")
            }
            let current = (runFolder as NSString).deletingLastPathComponent + "/current"
            if let published = try? FileManager.default.destinationOfSymbolicLink(atPath: current) {
                try Terminal.write("current: \(published)\n")
            }
        }
    }

    private func row(_ name: String, _ state: String, _ seconds: String, _ memory: String, _ rows: String) -> String {
        func pad(_ text: String, _ width: Int) -> String {
            text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
        }
        return pad(name, 20) + pad(seconds, 10) + pad(memory, 10) + pad(rows, 12) + state
    }

    private func describe(_ stage: StageName, _ state: String) -> String {
        let folder = "\(runFolder)/\(stage.folder)"
        let stats = StageState.stats(folder)
        let rows = (try? Manifest.read(stageFolder: folder).manifest.outputs.values.compactMap(\.rows).reduce(0, +))
        return row(
            stage.rawValue, state,
            stats.map { String(format: "%.1f", $0.seconds) } ?? "",
            stats.map { "\($0.peak >> 20) MiB" } ?? "", rows.map(String.init) ?? "")
    }

    /// The process that holds the run's lock, from /proc/locks.
    private func lockHolder() -> String? {
        guard
            let inode = try? FileManager.default.attributesOfItem(atPath: runFolder + "/.lock")[.systemFileNumber]
                as? Int,
            let bytes = try? FileSystem.read("/proc/locks")
        else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", fields[5].hasSuffix(":\(inode)") else { continue }
            let command = (try? FileSystem.read("/proc/\(fields[4])/comm")) ?? []
            return "process \(fields[4]) \(String(decoding: command, as: UTF8.self).trimmingCharacters(in: .newlines))"
        }
        return nil
    }
}

/// Done, stale or missing, judged from manifests, slices and the list of inputs.
enum StageState {
    /// Every stage of the DAG with its state, in the order in which data flows.
    static func all(run: String) -> [(stage: StageName, state: String)] {
        var generations: [StageName: (manifest: Manifest, digest: String)] = [:]
        var states: [StageName: String] = [:]
        let stages = StageName.allCases.filter { $0 != .prepareRun && $0 != .publishRun }
        for stage in stages {
            generations[stage] = try? Manifest.read(stageFolder: "\(run)/\(stage.folder)")
            states[stage] = of(stage, run, generations, states)
        }
        return stages.map { ($0, states[$0]!) }
    }

    private static func of(
        _ stage: StageName, _ run: String, _ generations: [StageName: (manifest: Manifest, digest: String)],
        _ states: [StageName: String]
    ) -> String {
        let folder = "\(run)/\(stage.folder)"
        guard let (manifest, _) = generations[stage] else { return "missing" }
        if let damage = damage(folder, manifest) { return "damaged: \(damage)" }
        if let slice = try? Slice(stage: stage, path: "\(run)/config/\(Slice.fileName(stage))"),
            slice.digest != manifest.config
        {
            return "stale: its configuration changed"
        }
        for input in stage.inputs {
            guard let (_, digest) = generations[input] else { return "stale: \(input.folder)/ is missing" }
            if let seen = manifest.inputs[input.folder], seen != digest { return "stale: \(input.folder)/ is newer" }
            if states[input] != "done" { return "stale: \(input.folder)/ is not up to date" }
        }
        if stage == .importLogs, let list = FileSystem.status("\(run)/config/inputs.txt"),
            let done = FileSystem.status("\(folder)/\(Manifest.fileName)"), list.modified > done.modified
        {
            return "stale: the list of input files changed"
        }
        return "done"
    }

    /// The first file of a manifest that is missing or has another size.
    static func damage(_ folder: String, _ manifest: Manifest) -> String? {
        for (name, file) in manifest.outputs.sorted(by: { $0.key < $1.key }) {
            guard let status = FileSystem.status("\(folder)/\(name)") else { return "\(folder)/\(name) is missing" }
            if status.bytes != file.bytes {
                return "\(folder)/\(name) has \(status.bytes) bytes, the manifest says \(file.bytes)"
            }
        }
        for subfolder in manifest.nested.map({ "\(folder)/\($0)" }) {
            guard let (inner, _) = try? Manifest.read(stageFolder: subfolder) else {
                return "\(subfolder)/\(Manifest.fileName) is missing or damaged"
            }
            if let damage = damage(subfolder, inner) { return damage }
        }
        return nil
    }

    static func stats(_ folder: String) -> (seconds: Double, peak: Int)? {
        guard let bytes = try? FileSystem.read("\(folder)/stats.json"),
            let value = try? JSONDecoder().decode(Value.self, from: Data(bytes)), case .map(let map) = value
        else { return nil }
        var seconds = 0.0
        if case .number(let v)? = map["seconds"] { seconds = v }
        if case .integer(let v)? = map["seconds"] { seconds = Double(v) }
        if case .integer(let peak)? = map["peak_memory_bytes"] { return (seconds, peak) }
        return nil
    }
}
