import Platform
import Reporting
import ShardKinds
import Shards
import StageKit

/// One pass over the final lists: what they rest on, their reasons, and some of them whole.
struct ListSurvey {
    private let run: FinishedRun
    private var byReason = [Int](repeating: 0, count: Reason.allCases.count)
    private var byRung = [Int](repeating: 0, count: Rung.allCases.count)
    private var byShortness = [Int](repeating: 0, count: Shortness.allCases.count)
    private var shown: [Reach.List] = []

    init(_ run: FinishedRun) throws {
        self.run = run
        var examples: [Rung: (shard: Int, row: Int)] = [:]
        var others: [(shard: Int, row: Int)] = []
        let limit = run.stage.slice.integer("report.learners")
        for shard in 0..<run.shards {
            let top = try top(shard)
            for reason in top.reasons { byReason[Int(reason.rawValue)] += 1 }
            for row in 0..<top.lists.count {
                byRung[Int(top.rungs[row].rawValue)] += 1
                byShortness[Int(top.shortness[row].rawValue)] += 1
                if top.lists.range(row).isEmpty { continue }
                if examples[top.rungs[row]] == nil {
                    examples[top.rungs[row]] = (shard, row)
                } else if others.count < limit {
                    others.append((shard, row))
                }
            }
        }
        let chosen = (Rung.allCases.compactMap { examples[$0] } + others).prefix(limit)
        shown = try chosen.map { try list($0.shard, $0.row) }
    }

    private func top(_ shard: Int) throws -> TopLists {
        try TopKShards.lists(run.topk.shard(TopKShards.topk(shard, of: run.shards)))
    }

    /// Entries of all lists by reason, in words.
    var reasons: [(name: String, entries: Int)] {
        [
            ("because you watched …", byReason[Int(Reason.watched.rawValue)]),
            ("fits your …", byReason[Int(Reason.fits.rawValue)]),
            ("popular in your segment", byReason[Int(Reason.popularInSegment.rawValue)]),
            ("popular now", byReason[Int(Reason.popular.rawValue)]),
        ]
    }

    func reach(_ gates: [Verdict.Gate]?) -> Reach {
        var reach = Reach()
        reach.coverage = FinishedRun.number(run.topk.manifest.facts["coverage"])
        reach.churn = gates?.first { $0.name == "churn" }?.value
        reach.rungs = Rung.allCases.map { ($0.label, byRung[Int($0.rawValue)]) }.filter { $0.1 > 0 }
        reach.short = Shortness.allCases.filter { $0 != .full }
            .map { ($0.label, byShortness[Int($0.rawValue)]) }.filter { $0.1 > 0 }
        reach.lists = shown
        return reach
    }

    // MARK: One list

    private func list(_ shard: Int, _ row: Int) throws -> Reach.List {
        let top = try top(shard)
        let learners = try LogsShards.learners(run.logs.shard(LogsShards.learners(shard, of: run.shards)))
        let fits = try LogsShards.dictionary(run.topk.shard(TopKShards.fits(shard, of: run.shards))).values
        let moments = try WatchedShards.moments(run.watched.shard(WatchedShards.moments(shard, of: run.shards)))
        let history = moments.courses[moments.range(row)]
        let about = [
            try segment(learners, row),
            history.count == 1 ? "1 course watched" : "\(Format.count(history.count)) courses watched",
            "rests on \(top.rungs[row].label)",
        ].filter { !$0.isEmpty }.joined(separator: ", ")
        let entries = top.lists.range(row).prefix(10).map { at in
            (title: title(top.lists.courses[at]), reason: reason(top, at, fits))
        }
        return .init(
            learner: learners.ids[row], about: about, watched: history.suffix(4).reversed().map(title), entries: entries
        )
    }

    private func segment(_ learners: Learners, _ row: Int) throws -> String {
        guard case .categorical(let codes, let valid)? = learners.attributes.columns["segment"], valid[row] else {
            return ""
        }
        return try LogsShards.learnerDictionaries(run.logs)["segment"]?.values[Int(codes[row])] ?? ""
    }

    private func title(_ course: UInt32) -> String { Format.short(run.title(Int(course)), 60) }

    private func reason(_ top: TopLists, _ at: Int, _ fits: [String]) -> String {
        switch top.reasons[at] {
        case .watched: "because you watched \(title(top.because[at]))"
        case .fits: "fits your \(fits[Int(top.because[at])])"
        case .popularInSegment: "popular in your segment"
        case .popular: "popular now"
        }
    }
}
