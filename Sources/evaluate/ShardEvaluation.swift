import LinearAlgebra
import Metrics
import Platform
import ShardKinds
import Shards

/// Everything one learner shard adds to an evaluation.
struct ShardResult {
    var learners: MetricsShards.LearnerMetrics
    /// By model, then cut-off.
    var statistics: [[ListStatistics]]
    /// By model: the longest list.
    var longest: [Int]
    /// Learners without a relevant course in the window.
    var skipped = 0
    /// Relevant courses, and those of them that no list could hold: not eligible at T, or only known after it.
    var relevant = 0
    var unreachable = 0
    /// Evaluated learners who appear only after T.
    var newLearners = 0
}

/// Full ranking over all eligible courses, courses watched before T removed; every list of every learner with a
/// relevant course in `[asOf, end)`.
struct Evaluation {
    let watched: StageInput
    let after: AfterLogs
    /// What tables call them, and what they are.
    let baselines: [(name: String, baseline: Baseline)]
    let baselineModels: BaselineModels
    let stored: StoredLists
    let eligible: [Bool]
    let windows: TimeWindows
    let end: Int64
    let cutoffs: [Int]

    var models: [String] { baselines.map(\.name) + StoredLists.names }
    var depth: Int { cutoffs.last ?? 0 }

    func shard(_ shard: Int) throws -> ShardResult {
        let moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(shard, of: after.shards)))
        let labels = try after.labels(shard, from: windows.asOf, to: end)
        let lists = try stored.lists(shard, learners: labels.knownLearners)
        var result = ShardResult(
            learners: .init(models: models, depths: models.map { _ in depth }),
            statistics: models.map { _ in cutoffs.map { ListStatistics(courseCount: eligible.count, k: $0) } },
            longest: models.map { _ in 0 })
        // A learner who appears only after T has an empty row of moments.
        var extended = moments
        while extended.learnerCount < labels.ids.count { extended.offsets.append(moments.courses.count) }
        let scorers = baselines.map { baselineModels.scorer($0.baseline, shard: shard, moments: extended) }
        var maker = ListMaker(eligible: eligible, depth: depth)
        for row in labels.ids.indices {
            if labels.relevant[row].isEmpty {
                result.skipped += 1
                continue
            }
            maker.begin(watched: extended.courses[extended.range(row)])
            var found = scorers.map { maker.list($0, learner: row) }
            if row < labels.knownLearners {
                found += lists.dropLast().map { maker.list($0[row]) }
                found.append(Array(lists.last![row].prefix(depth)))  // as served: filtered by its own rules
            } else {
                found += stored.defaultLists.map { Array($0.prefix(depth)) }
                result.newLearners += 1
            }
            add(found, labels, row, history: extended.range(row).count, to: &result)
        }
        return result
    }

    private func add(
        _ lists: [[UInt32]], _ labels: ShardLabels, _ row: Int, history: Int, to result: inout ShardResult
    ) {
        let relevant = labels.relevant[row]
        result.relevant += relevant.count
        result.unreachable += relevant.count { Int($0) >= eligible.count || !eligible[Int($0)] }
        result.learners.ids.append(labels.ids[row])
        result.learners.history.append(UInt32(history))
        result.learners.segments.append(labels.segments[row])
        result.learners.relevant.append(UInt32(relevant.count))
        for (model, list) in lists.enumerated() {
            let hits = RankedHits(ranked: list, relevant: relevant)
            result.learners.ranks[model].append(hits.ranks.map { UInt32($0) })
            result.longest[model] = max(result.longest[model], list.count)
            for at in cutoffs.indices { result.statistics[model][at].add(list) }
        }
    }
}

extension EvaluatedLearners {
    /// From a shard of `metrics/`, cut to common depths.
    mutating func append(_ rows: MetricsShards.LearnerMetrics) {
        for row in 0..<rows.count {
            append(
                id: rows.ids[row], history: Int(rows.history[row]), segment: rows.segments[row],
                hits: rows.ranks.map {
                    RankedHits(ranks: $0[row].map { Int($0) }, relevantCount: Int(rows.relevant[row]))
                })
        }
    }
}
