import LinearAlgebra
import Metrics
import Platform
import ShardKinds
import Shards
import StageKit

/// Everything one learner shard adds to an evaluation.
struct ShardResult: Codable {
    var learners: MetricsShards.LearnerMetrics
    /// Slice → model → cut-off.
    var distances: [String: [[MeanDistance]]] = [:]
    /// By model: the longest list, and whether any ends where the model's limit is, with candidates left.
    var longest: [Int]
    var isCut: [Bool]
    /// Learners without a relevant course in the window.
    var skipped = 0
    /// Relevant courses, and those of them that no list could hold: not eligible at T or only known after it; and
    /// eligible, but begun before T.
    var relevant = 0
    var unreachable = 0
    var begun = 0
    /// Evaluated learners who appear only after T.
    var newLearners = 0
}

/// Full ranking of the candidates of one rule; every list of every learner with a relevant course in `[asOf, end)`.
struct Evaluation {
    let watched: StageInput
    let after: AfterLogs
    /// What tables call them, and what they are.
    let baselines: [(name: String, baseline: Baseline)]
    let baselineModels: BaselineModels
    let stored: StoredLists
    let candidates: CandidateRule
    let windows: TimeWindows
    let end: Int64
    let cutoffs: [Int]
    let slices: EvaluationSlices
    let languages: HistoryLanguages
    let statistics: SliceStatistics

    var models: [String] { baselines.map(\.name) + StoredLists.names }
    var depth: Int { cutoffs.last ?? 0 }

    func shard(_ shard: Int) throws -> ShardResult {
        let moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(shard, of: after.shards)))
        let labels = try after.labels(shard, from: windows.asOf, to: end)
        let (lists, rungs, isFull) = try stored.lists(shard, learners: labels.knownLearners)
        var result = ShardResult(
            learners: .init(models: models, depths: models.map { _ in depth }),
            longest: models.map { _ in 0 }, isCut: models.map { _ in false })
        // A learner who appears only after T has an empty row of moments.
        let extended = moments.extended(to: labels.ids.count)
        let removed = try candidates.removed(shard, of: after.shards, moments: extended)
        let scorers = baselines.map { baselineModels.scorer($0.baseline, shard: shard, moments: extended) }
        var maker = ListMaker(eligible: candidates.eligible, depth: depth)
        var shown: [(slices: [String], lists: [[UInt32]])] = []
        for row in labels.ids.indices {
            if labels.relevant[row].isEmpty {
                result.skipped += 1
                continue
            }
            maker.begin(without: removed[row])
            var found = scorers.map { maker.list($0, learner: row) }
            if row < labels.knownLearners {
                found += lists.dropLast().map { maker.list($0[row]) }
                found.append(Array(lists.last![row].prefix(depth)))  // as served: filtered by its own rules
            } else {
                found += stored.defaultLists.map { Array($0.prefix(depth)) }
                result.newLearners += 1
            }
            let history = extended.courses[extended.range(row)]
            result.learners.history.append(UInt32(history.count))
            result.learners.languages.append(
                labels.languages[row].isEmpty ? languages.name(of: history) : labels.languages[row])
            result.learners.rungs.append(row < labels.knownLearners ? rungs[row].label : stored.defaultRung)
            add(found, labels, row, removed[row], to: &result)
            // What is served is short by its own rules, unless it is full.
            let isServedFull = row < labels.knownLearners ? isFull[row] : stored.isDefaultFull
            for (model, list) in found.enumerated() where list.count < min(depth, maker.candidateCount) {
                if model + 1 < found.count || isServedFull { result.isCut[model] = true }
            }
            shown.append((sliceNames(result.learners), found))
        }
        statistics.add(shown)
        for (slices, lists) in shown { addDistances(lists, slices, to: &result) }
        return result
    }

    /// Of the row added last.
    private func sliceNames(_ rows: MetricsShards.LearnerMetrics) -> [String] {
        let row = rows.count - 1
        return slices.names(
            history: Int(rows.history[row]), segment: rows.segments[row], language: rows.languages[row],
            rung: rows.rungs[row])
    }

    /// Distance of two courses: 1 − their co-watch similarity at T, if that has 1 as its bound.
    private func addDistances(_ lists: [[UInt32]], _ slices: [String], to result: inout ShardResult) {
        if !baselineModels.isSimilarityBounded { return }
        let empty = models.map { _ in cutoffs.map { _ in MeanDistance() } }
        for (model, list) in lists.enumerated() {
            let distances = intraListDistances(list, cutoffs: cutoffs) { 1 - Double(baselineModels.cowatch($0, $1)) }
            for slice in slices {
                for at in cutoffs.indices {
                    result.distances[slice, default: empty][model][at].add(distances[at])
                }
            }
        }
    }

    private func add(
        _ lists: [[UInt32]], _ labels: ShardLabels, _ row: Int, _ removed: ArraySlice<UInt32>,
        to result: inout ShardResult
    ) {
        let (relevant, eligible) = (labels.relevant[row], candidates.eligible)
        result.relevant += relevant.count
        let reachable = relevant.filter { Int($0) < eligible.count && eligible[Int($0)] }
        result.unreachable += relevant.count - reachable.count
        result.begun += reachable.count { removed.contains($0) }
        result.learners.ids.append(labels.ids[row])
        result.learners.segments.append(labels.segments[row])
        result.learners.relevant.append(UInt32(relevant.count))
        for (model, list) in lists.enumerated() {
            let hits = RankedHits(ranked: list, relevant: relevant)
            result.learners.ranks[model].append(hits.ranks.map { UInt32($0) })
            result.longest[model] = max(result.longest[model], list.count)
        }
    }
}

/// What one rank found in its shards.
struct RankResult: Codable {
    var shards: [ShardResult]
    var statistics: [String: [[ListStatistics]]]
}

extension Evaluation {
    /// The shards' results, on every rank: each ranks the learners of its own.
    func results(_ stage: StageRun) throws -> [ShardResult] {
        let progress = stage.progress("rank", total: after.shards, unit: "shards")
        let parts = try stage.dealRanges(after.shards) { own in
            let results = try stage.workers.map(own.count) {
                defer { progress.advance() }
                return try shard(own.lowerBound + $0)
            }
            return RankResult(shards: results, statistics: statistics.counts)
        }
        statistics.replace(bySumOf: parts.map(\.statistics))
        return parts.flatMap(\.shards)
    }
}

extension EvaluatedLearners {
    /// From a shard of `metrics/`, cut to common depths.
    mutating func append(_ rows: MetricsShards.LearnerMetrics) {
        for row in 0..<rows.count {
            append(
                id: rows.ids[row], history: Int(rows.history[row]), segment: rows.segments[row],
                language: rows.languages[row], rung: rows.rungs[row],
                hits: rows.ranks.map {
                    RankedHits(ranks: $0[row].map { Int($0) }, relevantCount: Int(rows.relevant[row]))
                })
        }
    }
}
