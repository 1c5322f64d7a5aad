import ArgumentParser
import CommandKit
import Foundation
import Logging
import Shards
import StageKit

/// `OUT/metrics.prom`: what a monitoring system scrapes after every nightly run, failed ones included. A run of another name
/// than `latest` writes into its own folder: an experiment beside the nightly run is no news of it.
struct Monitoring: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitoring",
        abstract: "Writes metrics.prom, in the Prometheus text format: beside the run folder latest, into others.",
        discussion: """
            For the node exporter's textfile collector. `make all` calls it at its end, whether it succeeded or not; \
            docs/operations.md lists the metrics.
            """)

    @Option(name: .customLong("run"), help: "The run folder.")
    var runFolder = "out/latest"

    @Option(help: "Exit code of the whole run: 0 if it succeeded.")
    var code = 0

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("prepare-run monitoring", talk) { log in
            let out = (runFolder as NSString).deletingLastPathComponent
            let isNightly = (runFolder as NSString).lastPathComponent == "latest"
            let path = (isNightly ? (out.isEmpty ? "." : out) : runFolder) + "/metrics.prom"
            let now = Int64(Date().timeIntervalSince1970)
            if code != 0 { noteWhoWasKilled(log) }
            let before = (try? FileSystem.read(path)).flatMap { Exposition.value(Self.success, in: $0) }
            var text = Exposition()
            text.add(
                Self.success, "When make all last succeeded.", code == 0 ? Double(now) : before ?? 0)
            outcome(&text)
            stages(&text, now: now)
            quality(&text)
            do {
                try FileSystem.replace(path, with: text.bytes)
            } catch let error as LecternError where code != 0 {
                // A full disk: the run has said so, and that is what to look at.
                log.warning("\(error.message)")
            }
        }
    }

    /// make removes the note of an earlier failure when it begins. Where it failed and there is none, the first stage that
    /// is not done had no time to write one.
    private func noteWhoWasKilled(_ log: Logger) {
        guard FileSystem.isFolder(runFolder), FailureNote.read(run: runFolder) == nil,
            let stage = StageState.all(run: runFolder).first(where: { $0.state != "done" })?.stage
        else { return }
        let message =
            "\(stage.rawValue) ended without a word: killed, by hand or because memory ran out (dmesg tells); "
            + stage.lowersMemory
        FailureNote.writeKilled(run: runFolder, stage: stage.rawValue, message: message)
        log.error("\(message)")
    }

    private static let success = "lectern_last_success_timestamp_seconds"

    /// Exit codes: of the run, and of each stage. A stage that has finished and is not the one that failed has 0.
    private func outcome(_ text: inout Exposition) {
        let failure = code == 0 ? nil : FailureNote.read(run: runFolder)
        let failedStage = failure?.stage
        let failedCode = failure.map { Double($0.code) } ?? Double(code)
        text.add("lectern_last_exit_code", "Exit code of the last run; 0 is success.", code == 0 ? 0 : failedCode)
        var codes: [([String: String], Double)] = []
        for stage in StageName.allCases {
            let finished = FileSystem.exists("\(runFolder)/\(stage.folder)/\(Manifest.fileName)")
            if stage.rawValue == failedStage {
                codes.append((["stage": stage.rawValue], failedCode))
            } else if finished || (code == 0 && stage == .publishRun) || stage == .prepareRun {
                codes.append((["stage": stage.rawValue], 0))
            }
        }
        text.add("lectern_stage_last_exit_code", "Exit code of each stage's last run.", codes)
        if let gates = JSONFile("\(runFolder)/gates.json")?.list {
            text.add(
                "lectern_gate_passed", "Whether a gate of publish-run was passed.",
                gates.compactMap { gate in
                    guard case .map(let gate) = gate, case .text(let name)? = gate["gate"],
                        case .boolean(let passes)? = gate["passes"]
                    else { return nil }
                    return (["gate": name], passes ? 1 : 0)
                })
        }
    }

    private func stages(_ text: inout Exposition, now: Int64) {
        var (seconds, memory, rows) = (
            [([String: String], Double)](), [([String: String], Double)](), [([String: String], Double)]()
        )
        for stage in StageName.allCases where stage != .prepareRun && stage != .publishRun {
            let folder = "\(runFolder)/\(stage.folder)"
            guard let (manifest, _) = try? Manifest.read(stageFolder: folder) else { continue }
            let label = ["stage": stage.rawValue]
            if let stats = StageState.stats(folder) {
                seconds.append((label, stats.seconds))
                memory.append((label, Double(stats.peak)))
            }
            rows.append((label, Double(manifest.outputs.values.compactMap(\.rows).reduce(0, +))))
            if stage == .importLogs {
                text.add("lectern_as_of_timestamp_seconds", "T of the run.", Double(manifest.asOf))
                text.add(
                    "lectern_newest_event_timestamp_seconds", "The newest event before T.", Double(manifest.newestEvent)
                )
                text.add(
                    "lectern_data_age_seconds", "How old the newest event before T was when this was written.",
                    Double(now - manifest.newestEvent))
            }
            if stage == .exportTopK, let coverage = Exposition.number(manifest.facts["coverage"]) {
                text.add("lectern_coverage_ratio", "Share of the eligible courses that stand in some list.", coverage)
            }
        }
        text.add("lectern_stage_duration_seconds", "Seconds of each stage's last run.", seconds)
        text.add("lectern_stage_peak_memory_bytes", "Peak memory of each stage's last run.", memory)
        text.add("lectern_stage_rows", "Rows of the shards that each stage wrote.", rows)
    }

    /// Means over learners, of what is served and of the blend; `after_t` or, where nothing follows T, `validation`.
    private func quality(_ text: inout Exposition) {
        guard let report = JSONFile("\(runFolder)/metrics/metrics.json") else { return }
        var values: [([String: String], Double)] = []
        for slice in report.list("ranking", "slices") {
            guard case .map(let slice) = slice, case .text(let name)? = slice["name"],
                ["all", "warm", "cold"].contains(name), case .map(let models)? = slice["metrics"],
                JSONFile.number(slice["learners"]) != 0  // nobody's mean is no 0
            else { continue }
            for model in ["blend", "export"] {
                guard case .map(let metrics)? = models[model] else { continue }
                for (metric, interval) in metrics.sorted(by: { $0.key < $1.key }) {
                    guard case .map(let interval) = interval, let mean = JSONFile.number(interval["mean"]) else {
                        continue
                    }
                    let parts = metric.split(separator: "@").map(String.init)
                    values.append(
                        (
                            ["model": model, "slice": name, "metric": parts[0], "k": parts[1], "protocol": "after_t"],
                            mean
                        ))
                }
            }
        }
        for entry in report.list("validation") {
            guard case .map(let entry) = entry, entry["against"] == .text(""), case .text(let model)? = entry["model"],
                case .text(let metric)? = entry["metric"], case .text(let group)? = entry["group"],
                let mean = JSONFile.number(entry["mean"]), model == "blend", JSONFile.number(entry["learners"]) != 0
            else { continue }
            values.append(
                (
                    ["model": model, "slice": group, "metric": metric, "k": "20", "protocol": "validation"], mean
                ))
        }
        text.add("lectern_quality", "Mean ranking metric over learners with a relevant course.", values)
    }
}

/// A JSON file that need not be there.
private struct JSONFile {
    private let value: Value

    init?(_ path: String) {
        guard let bytes = try? FileSystem.read(path),
            let value = try? JSONDecoder().decode(Value.self, from: Data(bytes))
        else { return nil }
        self.value = value
    }

    var list: [Value]? { if case .list(let items) = value { items } else { nil } }

    private func at(_ path: [String]) -> Value? {
        path.reduce(value as Value?) { found, key in
            if case .map(let map)? = found { map[key] } else { nil }
        }
    }

    func list(_ path: String...) -> [Value] { if case .list(let items)? = at(path) { items } else { [] } }

    static func number(_ value: Value?) -> Double? {
        switch value {
        case .number(let number)?: number
        case .integer(let number)?: Double(number)
        default: nil
        }
    }
}

/// The Prometheus text exposition format 0.0.4, gauges only.
struct Exposition {
    private var text = ""

    var bytes: [UInt8] { Array(text.utf8) }

    mutating func add(_ name: String, _ help: String, _ value: Double) { add(name, help, [([:], value)]) }

    mutating func add(_ name: String, _ help: String, _ values: [([String: String], Double)]) {
        if values.isEmpty { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
        for (labels, value) in values {
            let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
            text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(Self.number(value))\n"
        }
    }

    private static func escaped(_ label: String) -> String {
        label.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
            .replacingOccurrences(of: "\n", with: "\\n")
    }

    /// Whole numbers without an exponent.
    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    static func number(_ fact: Manifest.Fact?) -> Double? {
        switch fact {
        case .number(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }

    /// The value of a metric without labels in a file written before.
    static func value(_ name: String, in bytes: [UInt8]) -> Double? {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .flatMap { Double($0.dropFirst(name.count + 1)) }
    }
}
