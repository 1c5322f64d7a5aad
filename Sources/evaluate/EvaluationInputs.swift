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
    let courseCount: Int
    /// By course: published before T, not retired by it.
    let eligible: [Bool]

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
        catalogue = try LogsShards.catalogue(logs)
        courseCount = catalogue.count
        eligible = (0..<courseCount).map { [catalogue] in catalogue.isEligible($0, at: windows.asOf) }
        after = try AfterLogs(run: stage.run, logs: logs, watched: watched, catalogue: catalogue)
    }

    /// End of the window, nil if nothing follows T.
    func windowEnd() throws -> Int64? {
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
            eligible: eligible, windows: windows, end: end, cutoffs: settings.cutoffs)
    }

    /// Fills the report, unless no learner has a relevant course.
    func summarize(
        _ results: inout [ShardResult], _ evaluation: Evaluation, _ counts: Counts, _ report: inout MetricsReport
    ) {
        let models = evaluation.models
        let depths = models.indices.map { model in results.map { $0.longest[model] }.max() ?? 0 }
        for shard in results.indices { results[shard].learners.depths = depths }
        var learners = EvaluatedLearners(models: models, depths: depths)
        for result in results { learners.append(result.learners) }
        for (name, count) in [
            ("learners evaluated", learners.count), ("learners skipped: nothing relevant", sum(results, \.skipped)),
            ("learners new after T", sum(results, \.newLearners)), ("relevant courses", sum(results, \.relevant)),
            ("relevant courses not eligible at T", sum(results, \.unreachable)),
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
        for (model, name) in models.enumerated() {
            for (at, k) in settings.cutoffs.enumerated() where k <= depths[model] {
                var statistics = ListStatistics(courseCount: courseCount, k: k)
                for result in results { statistics += result.statistics[model][at] }
                report.lists[name, default: [:]][String(k)] = numbers(statistics, counts, report.eligibleCourses[0])
            }
        }
    }

    private func numbers(_ statistics: ListStatistics, _ counts: Counts, _ eligible: Int) -> MetricsReport.Lists {
        MetricsReport.Lists(
            coverage: statistics.coverage(eligible: eligible), gini: statistics.gini(eligible: eligible),
            novelty: statistics.novelty(watches: counts.all, learners: counts.learners),
            overlap: statistics.meanOverlap)
    }

    private func sum(_ results: [ShardResult], _ value: (ShardResult) -> Int) -> Int {
        results.reduce(0) { $0 + value($1) }
    }

    /// Nothing follows T: the numbers that the blend was judged by, under their own name.
    func useValidation(_ report: inout MetricsReport) throws {
        stage.warn("no learner has a relevant course after T: showing the validation table instead")
        report.protocolName = MetricsReport.noneAfterT
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
