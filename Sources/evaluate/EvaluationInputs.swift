import Baselines
import LinearAlgebra
import Metrics
import Platform
import ShardKinds
import Shards
import StageKit

/// The opened inputs of the stage, and its steps in order.
struct EvaluationInputs {
    let stage: StageRun
    let watched: StageInput
    let windows: TimeWindows
    let settings: EvaluateSettings
    let after: AfterLogs
    let catalogue: Catalogue
    /// As of T.
    let candidates: CandidateRule

    /// Moments of each course, and learners with a moment, before T.
    struct Counts {
        var all: [Int]
        var learners: Int
    }

    init(_ stage: StageRun) throws {
        self.stage = stage
        let logs = try stage.input(.importLogs)
        watched = try stage.input(.filterWatches)
        let windows = try TimeWindows(watched.manifest)
        self.windows = windows
        settings = EvaluateSettings(stage.slice, labelWindow: windows.labelWindow)
        let catalogue = try LogsShards.catalogue(logs)
        self.catalogue = catalogue
        candidates = CandidateRule(stage.slice, logs: logs, catalogue: catalogue, at: windows.asOf)
        after = try AfterLogs(run: stage.run, logs: logs, watched: watched, catalogue: catalogue)
    }

    var courseCount: Int { catalogue.count }
    private var slices: EvaluationSlices { EvaluationSlices(historyBounds: settings.historyBuckets) }

    /// End of the window, nil if nothing follows T.
    /// - Throws: `.configuration` for a window that ends by T.
    func windowEnd() throws -> Int64? {
        if case .until(let moment) = settings.window, moment <= windows.asOf {
            throw LecternError.configuration(
                "evaluate.window: \(Moment.text(moment)) is not after T, \(Moment.text(windows.asOf)): take a later moment, "
                    + "or a duration")
        }
        let times = try stage.workers.map(after.shards, after.relevantTimes).flatMap { $0 }
        let later = times.count { $0 >= windows.asOf }
        stage.count("relevant watches after T", later)
        if later == 0 { return nil }
        return settings.window.end(asOf: windows.asOf, events: EventQuantiles(times: times))
    }

    func watchCounts() throws -> Counts {
        let parts = try stage.workers.map(after.shards) { shard in
            let moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(shard, of: after.shards)))
            return Counts(
                all: Popularity.counts([moments], courseCount: courseCount, to: windows.asOf),
                learners: (0..<moments.learnerCount).count { !moments.range($0).isEmpty })
        }
        var total = Counts(all: [Int](repeating: 0, count: courseCount), learners: 0)
        for part in parts {
            for course in 0..<courseCount { total.all[course] += part.all[course] }
            total.learners += part.learners
        }
        return total
    }

    func evaluation(until end: Int64) throws -> Evaluation {
        let (baselines, models) = try stage.step("baselines", chooseBaselines)
        let stored = try StoredLists(
            blended: stage.input(.blend), topk: stage.input(.exportTopK), shards: after.shards,
            courseCount: courseCount)
        return Evaluation(
            watched: watched, after: after, baselines: baselines, baselineModels: models, stored: stored,
            candidates: candidates, windows: windows, end: end, cutoffs: settings.cutoffs, slices: slices,
            languages: HistoryLanguages(catalogue),
            statistics: SliceStatistics(
                courseCount: courseCount, models: baselines.count + StoredLists.names.count,
                cutoffs: settings.cutoffs))
    }

    /// Fills the report, unless no learner has a relevant course.
    func summarize(
        _ results: inout [ShardResult], _ evaluation: Evaluation, _ counts: Counts, _ report: inout MetricsReport
    ) {
        let models = evaluation.models
        let depths = models.indices.map { model in
            results.contains { $0.isCut[model] } ? results.map { $0.longest[model] }.max() ?? 0 : evaluation.depth
        }
        for shard in results.indices { results[shard].learners.depths = depths }
        var learners = EvaluatedLearners(models: models, depths: depths)
        for result in results { learners.append(result.learners) }
        for (name, count) in [
            ("learners evaluated", learners.count), ("learners skipped: nothing relevant", sum(results, \.skipped)),
            ("learners new after T", sum(results, \.newLearners)), ("relevant courses", sum(results, \.relevant)),
            ("relevant courses not eligible at T", sum(results, \.unreachable)),
            ("relevant courses begun before T", sum(results, \.begun)),
        ] {
            stage.count(name, count)
            report.counts[name] = count
        }
        if learners.count == 0 { return }
        var bootstrap = Bootstrap(seed: settings.seed, purpose: "evaluate")
        bootstrap.resamples = settings.resamples
        report.ranking = RankingSummary(
            learners, cutoffs: settings.cutoffs, historyBounds: settings.historyBuckets, reference: "blend",
            bootstrap: bootstrap, workers: stage.workers)
        for slice in report.ranking!.slices {
            let numbers = lists(slice.name, models, depths, evaluation, results, counts)
            if slice.name == "all" { report.lists = numbers } else { report.sliceLists[slice.name] = numbers }
        }
    }

    /// What the lists of a slice are as a whole: model → k → numbers.
    private func lists(
        _ slice: String, _ models: [String], _ depths: [Int], _ evaluation: Evaluation, _ results: [ShardResult],
        _ counts: Counts
    ) -> [String: [String: MetricsReport.Lists]] {
        let eligible = candidates.eligible.count { $0 }
        let statistics = evaluation.statistics[slice]
        var lists: [String: [String: MetricsReport.Lists]] = [:]
        for (model, name) in models.enumerated() {
            for (at, k) in settings.cutoffs.enumerated() where k <= depths[model] {
                let found = statistics[model][at]
                let distances = results.map { $0.distances[slice]?[model][at] ?? MeanDistance() }
                let measured = distances.reduce(0) { $0 + $1.lists }
                lists[name, default: [:]][String(k)] = MetricsReport.Lists(
                    coverage: found.coverage(eligible: eligible), gini: found.gini(eligible: eligible),
                    novelty: found.novelty(watches: counts.all, learners: counts.learners),
                    diversity: measured == 0 ? nil : treeSum(distances.map(\.sum)) / Double(measured),
                    overlap: found.meanOverlap)
            }
        }
        return lists
    }

    private func sum(_ results: [ShardResult], _ value: (ShardResult) -> Int) -> Int {
        results.reduce(0) { $0 + value($1) }
    }

    /// Nothing to measure by: the numbers that the blend was judged by, under their own name.
    /// - Parameter end: of the window; nil: nothing follows T.
    func useValidation(_ report: inout MetricsReport, until end: Int64?) throws {
        let why = end == nil ? "nothing relevant follows T" : "no learner has a relevant course in the window after T"
        stage.warn("\(why): showing the validation table instead")
        report.protocolName = end == nil ? MetricsReport.noneAfterT : MetricsReport.noneInWindow
        let blended = try stage.input(.blend)
        report.validation = try BlendedShards.validation(blended.shard(BlendedShards.validation)).map {
            MetricsReport.Validation(
                model: $0.model, against: $0.against, group: $0.group, metric: $0.metric, learners: $0.learners,
                mean: $0.mean, low: $0.low, high: $0.high)
        }
    }

    func write(_ report: MetricsReport, _ results: [ShardResult]) throws {
        for (shard, result) in results.enumerated() where report.ranking != nil {
            try stage.write(
                MetricsShards.encode(result.learners), as: MetricsShards.learners(shard, of: results.count))
        }
        try stage.output.write(report.encoded(), as: MetricsShards.report)
        try stage.output.write(Array(report.text(k: settings.tableCutoff).utf8), as: MetricsShards.table)
    }
}
