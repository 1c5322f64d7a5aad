import Metrics
import Reporting
import ShardKinds
import Shards
import StageKit

/// `metrics.json` as far as the report shows it.
private struct MetricsFile: Decodable {
    struct Validation: Decodable {
        var model: String
        var against: String
        var group: String
        var metric: String
        var learners: Int
        var mean: Double
        var low: Double
        var high: Double
    }

    var `protocol`: String
    var windowEnd: [Int64?]
    var counts: [String: Int]
    var ranking: Comparison?
    var lists: [String: [String: Quality.Lists]]
    var validation: [Validation]?
}

extension FinishedRun {
    /// What `evaluate` found, and how many learners that was.
    func quality() throws -> (quality: Quality, evaluated: Int) {
        let path = "\(metrics.folder)/\(MetricsShards.report)"
        guard let file = Self.json(path, as: MetricsFile.self) else {
            throw LecternError.data("\(path): not a metrics report; run make evaluate")
        }
        let slice = try Slice(stage: .evaluate, path: "\(run)/config/\(Slice.fileName(.evaluate))")
        let isAfterT = file.ranking != nil
        var quality = Quality(
            file.ranking ?? file.validation.map(Self.comparison),
            protocolName: file.protocol + (isAfterT ? windowText(file.windowEnd.first ?? nil) : ""),
            k: isAfterT ? slice.integer("evaluate.table_cutoff") : BlendedShards.k)
        quality.lists = file.lists
        quality.before = published()
        return (quality, file.counts["learners evaluated"] ?? 0)
    }

    private func windowText(_ end: Int64?) -> String {
        "; T \(Self.day(windows.asOf)), window " + (end.map { "to \(Self.day($0))" } ?? "all that follows")
    }

    /// The validation table in the form of a ranking.
    private static func comparison(_ lines: [MetricsFile.Validation]) -> Comparison {
        func name(_ line: MetricsFile.Validation) -> String { "\(line.metric)@\(BlendedShards.k)" }
        func interval(_ line: MetricsFile.Validation) -> Interval {
            Interval(mean: line.mean, low: line.low, high: line.high)
        }
        var slices: [Comparison.Slice] = []
        for group in ["all", "warm", "cold"] {
            let own = lines.filter { $0.group == group }
            var slice = Comparison.Slice(
                name: group, learners: own.first?.learners ?? 0, metrics: [:], differences: [:])
            for line in own {
                if line.against.isEmpty {
                    slice.metrics[line.model, default: [:]][name(line)] = interval(line)
                } else if line.model == "blend" {
                    slice.differences[line.against, default: [:]][name(line)] = interval(line)
                }
            }
            slices.append(slice)
        }
        var models: [String] = []
        for line in lines where line.against.isEmpty && !models.contains(line.model) { models.append(line.model) }
        return Comparison(reference: "blend", models: models, slices: slices)
    }

    /// The newest publication that is not this run: its evaluation, if something followed its T.
    private func published() -> (name: String, comparison: Comparison)? {
        let folder = out + "/published"
        let names = ((try? FileSystem.list(folder)) ?? []).filter {
            !$0.hasSuffix(".partial") && !$0.hasSuffix("-\(topk.digest.prefix(8))")
        }
        for name in names.sorted().reversed() {
            let path = "\(folder)/\(name)/metrics/\(MetricsShards.report)"
            if let found = Self.json(path, as: MetricsFile.self)?.ranking { return (name, found) }
        }
        return nil
    }
}
