import Foundation
import Platform
import Reporting
import ShardKinds
import Shards
import StageKit

/// The opened stages of a run, and the small things about it that several sections tell.
struct FinishedRun {
    let stage: StageRun
    let logs: StageInput
    let watched: StageInput
    let ncf: StageInput
    let glmix: StageInput
    let blended: StageInput
    let topk: StageInput
    let metrics: StageInput
    let catalogue: Catalogue
    let windows: TimeWindows
    let shards: Int

    init(_ stage: StageRun) throws {
        self.stage = stage
        logs = try stage.input(.importLogs)
        watched = try stage.input(.filterWatches)
        _ = try stage.input(.buildCooccurrence)
        ncf = try stage.input(.trainNCF)
        glmix = try stage.input(.trainGLMix)
        blended = try stage.input(.blend)
        topk = try stage.input(.exportTopK)
        metrics = try stage.input(.evaluate)
        catalogue = try LogsShards.catalogue(logs)
        windows = try TimeWindows(watched.manifest)
        shards = logs.names("learners").count
    }

    var run: String { stage.run }
    /// The run's parent.
    var out: String {
        let parent = (run as NSString).deletingLastPathComponent
        return parent.isEmpty ? "." : parent
    }

    var title: String { "Lectern’s run as of \(Self.day(windows.asOf))" }

    var facts: [String] {
        func count(_ name: String) -> Int { logs.manifest.counts[name] ?? 0 }
        return [
            "\(Format.count(count("learners"))) learners", "\(Format.count(catalogue.count)) courses",
            "\(Format.count(count("watches"))) watches", "\(Format.count(count("engagements"))) engagements",
            "newest event \(Self.day(logs.manifest.newestEvent))", "run \((run as NSString).lastPathComponent)",
        ]
    }

    var colophon: String {
        "Lectern \(Lectern.release). T \(Moment.text(windows.asOf)); lists \(topk.digest.prefix(8)). "
            + "Definitions: docs/evaluation.md. This page loads nothing from elsewhere."
    }

    /// `2025-06-03`, with the time of day unless it is midnight.
    static func day(_ seconds: Int64) -> String {
        let text = Moment.text(seconds)
        return text.hasSuffix("T00:00:00Z")
            ? String(text.prefix(10)) : text.prefix(16).replacingOccurrences(of: "T", with: " ")
    }

    func title(_ course: Int) -> String {
        catalogue.titles[course].isEmpty ? catalogue.ids[course] : catalogue.titles[course]
    }

    /// A fact of a manifest as a number.
    static func number(_ fact: Manifest.Fact?) -> Double? {
        switch fact {
        case .number(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }

    /// nil: the file is not there or not what it should be.
    static func json<Content: Decodable>(_ path: String, as type: Content.Type) -> Content? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return (try? FileSystem.read(path)).flatMap { try? decoder.decode(type, from: Data($0)) }
    }

    // MARK: Gates

    /// `gates.json`, as `publish-run --gates-only` wrote it; nil without it.
    func gates() throws -> [Verdict.Gate]? {
        struct Entry: Decodable {
            var gate: String
            var value: Double?
            var passes: Bool
            var line: String
        }
        return Self.json(run + "/gates.json", as: [Entry].self)?.map {
            Verdict.Gate(name: $0.gate, value: $0.value, passes: $0.passes, line: $0.line)
        }
    }

    // MARK: Cost

    func cost() throws -> Cost {
        struct Stats: Decodable {
            var seconds: Double
            var peakMemoryBytes: Int
            var threads: Int
            var blasCore: String
        }
        var (stages, machines) = ([Cost.Stage](), Set<String>())
        for name in StageName.renderReport.inputs {
            let folder = "\(run)/\(name.folder)"
            guard let stats = Self.json(folder + "/stats.json", as: Stats.self) else { continue }
            let rows = try Manifest.read(stageFolder: folder).manifest.outputs.values.compactMap(\.rows).reduce(0, +)
            stages.append(
                .init(name: name.rawValue, seconds: stats.seconds, peak: stats.peakMemoryBytes, rows: rows))
            machines.insert("\(stats.threads) threads, OpenBLAS kernels \(stats.blasCore)")
        }
        return Cost(stages: stages, machine: "Each stage's last run: \(machines.sorted().joined(separator: "; ")).")
    }
}
