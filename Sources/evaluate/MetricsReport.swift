import Foundation
import Metrics
import ShardKinds
import StageKit

/// `metrics.json`, and the tables made from it.
struct MetricsReport: Codable {
    /// A whole-list number at one cut-off.
    struct Lists: Codable {
        var coverage: Double
        var gini: Double
        var novelty: Double
        /// nil: no list has two courses, or the similarity has no bound.
        var diversity: Double?
        var overlap: Double
    }

    /// A line of the validation table, where no learner has a relevant course after T.
    struct Validation: Codable {
        var model: String
        var against: String
        var group: String
        var metric: String
        var learners: Int
        var mean: Double
        var low: Double
        var high: Double
    }

    /// The name of the protocol, beside every number.
    var protocolName = MetricsReport.afterT
    var asOf: [Int64]
    /// End of each window; null: all that follows.
    var windowEnd: [Int64?]
    var eligibleCourses: [Int]
    /// First history lengths of the buckets, ascending.
    var historyBuckets: [Int]
    var counts: [String: Int] = [:]
    /// Model → k → number; for several cuts their mean.
    var lists: [String: [String: Lists]] = [:]
    /// The same for each other slice.
    var sliceLists: [String: [String: [String: Lists]]] = [:]
    var ranking: RankingSummary?
    var validation: [Validation]?
    /// Each cut by itself, where several are pooled.
    var cuts: [Cut]?

    struct Cut: Codable {
        var asOf: Int64
        var learners: Int
        /// Model → `ndcg@20` → mean over all learners with its interval.
        var metrics: [String: [String: Interval]]

        enum CodingKeys: String, CodingKey {
            case asOf = "as_of"
            case learners, metrics
        }
    }

    enum CodingKeys: String, CodingKey {
        case protocolName = "protocol"
        case asOf = "as_of"
        case windowEnd = "window_end"
        case eligibleCourses = "eligible_courses"
        case historyBuckets = "history_buckets"
        case sliceLists = "slice_lists"
        case counts, lists, ranking, validation, cuts
    }

    static let afterT =
        "full ranking over all courses eligible at T without those of the learner's history (export.exclude), the same "
        + "for every model; relevant: courses whose watch time passes the filter in [T, window end); macro average over "
        + "learners with a relevant course"
    static let noneAfterT = "validation: nothing follows T" + validationLists
    static let noneInWindow = "validation: no learner has a relevant course in [T, window end)" + validationLists
    private static let validationLists = "; out-of-fold lists as of t_v against [t_v, T), half B"

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(self)) + [0x0a]
    }

    init(asOf: [Int64], windowEnd: [Int64?], eligibleCourses: [Int], historyBuckets: [Int]) {
        (self.asOf, self.windowEnd, self.eligibleCourses) = (asOf, windowEnd, eligibleCourses)
        self.historyBuckets = historyBuckets
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(MetricsReport.self, from: Data(bytes)) }

    // MARK: As text

    func text(k: Int) -> String {
        var text = ""
        for (at, end) in zip(asOf, windowEnd) {
            text += "T \(Moment.text(at)), window " + (end.map { "to \(Moment.text($0))" } ?? "all that follows") + "\n"
        }
        text += protocolName + "\n\n"
        if let validation { return text + Self.text(validation) }
        guard let ranking else { return text }
        text += ranking.text(slices: ["warm", "cold", "all"], k: k)
        return text + "\n" + listsText(k, models: ranking.models) + cutsText(k, models: ranking.models)
    }

    /// Each model's NDCG cut by cut, and how far the cuts lie apart.
    private func cutsText(_ k: Int, models: [String]) -> String {
        guard let cuts, cuts.count > 1 else { return "" }
        let name = RankingSummary.name(.ndcg, k)
        var lines = [["NDCG@\(k) by cut"] + cuts.map { String(Moment.text($0.asOf).prefix(10)) } + ["spread"]]
        lines.append(["learners"] + cuts.map { String($0.learners) } + [""])
        for model in models {
            let found = cuts.map { $0.metrics[model]?[name]?.mean }
            let known = found.compactMap { $0 }
            guard let low = known.min(), let high = known.max() else { continue }
            lines.append(
                [model] + found.map { $0.map(RankingSummary.number) ?? "–" } + [RankingSummary.number(high - low)])
        }
        return "\n" + RankingSummary.aligned(lines)
    }

    private func listsText(_ k: Int, models: [String]) -> String {
        var lines = [["lists at \(k)", "coverage", "Gini", "novelty (bits)", "diversity", "mean overlap"]]
        for model in models {
            guard let numbers = lists[model]?[String(k)] else { continue }
            lines.append([
                model, RankingSummary.number(numbers.coverage), RankingSummary.number(numbers.gini),
                String(format: "%.2f", numbers.novelty), numbers.diversity.map(RankingSummary.number) ?? "–",
                RankingSummary.number(numbers.overlap),
            ])
        }
        return RankingSummary.aligned(lines)
    }

    private static func text(_ validation: [Validation]) -> String {
        ["warm", "cold", "all"].map { group in
            var lines = [["\(group)", "learners", "NDCG@20 (95 %)", "Recall@20 (95 %)"]]
            let own = validation.filter { $0.group == group && $0.against.isEmpty }
            for entry in own where entry.metric == "ndcg" {
                let recall = own.first { $0.model == entry.model && $0.metric == "recall" }
                func cell(_ e: Validation) -> String {
                    RankingSummary.text(Interval(mean: e.mean, low: e.low, high: e.high))
                }
                lines.append([entry.model, String(entry.learners), cell(entry), recall.map(cell) ?? "–"])
            }
            return RankingSummary.aligned(lines)
        }.joined(separator: "\n")
    }
}
