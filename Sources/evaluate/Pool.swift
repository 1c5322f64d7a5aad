// Reads   metrics/ of several runs
// Writes  one table to standard output, and with --out the pooled metrics.json
// Memory  a few hundred bytes per learner and cut

import ArgumentParser
import CommandKit
import Foundation
import LinearAlgebra
import Metrics
import ShardKinds
import Shards
import StageKit

/// Several cuts as one evaluation: every learner of every cut is one observation, learners are resampled with all
/// their cuts.
struct Pool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Pools the evaluations of several runs (backtest cuts) into one table.")

    @Argument(help: "Run folders whose metrics/ are pooled.") var runs: [String]

    @Option(help: "Also show the metrics of RUN-NAME beside each RUN's (evaluate variant writes them); repeatable.")
    var variant: [String] = []

    @Option(help: "The list whose paired differences to the others are shown.") var reference = "blend"

    @Option(help: "Also write the pooled metrics.json and table.txt into this folder.") var out: String?

    @Option(help: "The list length shown.") var k = 20

    @Option(help: "Bootstrap resamples behind each 95 % interval.") var resamples = 1_000

    @Option(help: "Seed of the resamples.") var seed = 1

    @Option(help: "Threads; results do not depend on it.") var threads: Int?

    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if runs.isEmpty { throw ValidationError("expected the run folders to pool") }
        if resamples < 100 || k < 1 || seed < 0 {
            throw ValidationError("--resamples from 100, --k from 1, --seed from 0")
        }
    }

    func run() throws {
        try reportingErrors("evaluate pool", talk) { _ in
            let cuts = try runs.map { try Cut($0, variants: variant) }
            let report = try pooled(cuts)
            let text = report.text(k: k)
            try Terminal.write(text)
            if let out {
                try FileSystem.createFolder(out)
                try FileSystem.replace(out + "/" + MetricsShards.report, with: report.encoded())
                try FileSystem.replace(out + "/" + MetricsShards.table, with: Array(text.utf8))
            }
        }
    }

    private func pooled(_ cuts: [Cut]) throws -> MetricsReport {
        let models = cuts[0].models
        for cut in cuts where cut.models != models {
            throw LecternError.data(
                "\(cut.folder): lists \(cut.models.joined(separator: ", ")), expected those of \(cuts[0].folder): "
                    + models.joined(separator: ", "))
        }
        let buckets = cuts[0].report.historyBuckets
        for cut in cuts where cut.report.historyBuckets != buckets {
            throw LecternError.data(
                "\(cut.folder): evaluate.history_buckets \(cut.report.historyBuckets), expected those of "
                    + "\(cuts[0].folder): \(buckets)")
        }
        guard models.contains(reference) else {
            throw LecternError(
                .usage, "--reference \(reference): expected one of \(models.joined(separator: ", "))")
        }
        let depths = models.indices.map { model in cuts.map { $0.depths[model] }.min()! }
        var learners = EvaluatedLearners(models: models, depths: depths)
        for cut in cuts { for part in cut.parts { learners.append(part) } }
        var report = MetricsReport(
            asOf: cuts.flatMap(\.report.asOf), windowEnd: cuts.flatMap(\.report.windowEnd),
            eligibleCourses: cuts.flatMap(\.report.eligibleCourses), historyBuckets: buckets)
        for cut in cuts { report.counts.merge(cut.report.counts) { $0 + $1 } }
        var bootstrap = Bootstrap(seed: UInt64(seed), purpose: "evaluate")
        bootstrap.resamples = resamples
        report.ranking = RankingSummary(
            learners, cutoffs: cuts[0].cutoffs, historyBounds: buckets, reference: reference, bootstrap: bootstrap,
            workers: Workers(count: threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount)))
        report.cuts = cuts.compactMap { cut in
            cut.report.ranking?["all"].map {
                .init(asOf: cut.report.asOf[0], learners: $0.learners, metrics: $0.metrics)
            }
        }
        report.lists = meanLists(cuts.map(\.report.lists))
        for slice in report.ranking!.slices where slice.name != "all" {
            report.sliceLists[slice.name] = meanLists(cuts.map { $0.report.sliceLists[slice.name] ?? [:] })
        }
        return report
    }

    /// Coverage and the like belong to one catalogue at one time: their mean over the cuts, where every cut has them.
    private func meanLists(
        _ cuts: [[String: [String: MetricsReport.Lists]]]
    ) -> [String: [String: MetricsReport.Lists]] {
        var means: [String: [String: MetricsReport.Lists]] = [:]
        for (model, byCutoff) in cuts[0] {
            for k in byCutoff.keys {
                let all = cuts.compactMap { $0[model]?[k] }
                if all.count < cuts.count { continue }
                func mean(_ value: (MetricsReport.Lists) -> Double) -> Double {
                    all.reduce(0) { $0 + value($1) } / Double(all.count)
                }
                let diverse = all.compactMap(\.diversity)
                means[model, default: [:]][k] = MetricsReport.Lists(
                    coverage: mean(\.coverage), gini: mean(\.gini), novelty: mean(\.novelty),
                    diversity: diverse.count < all.count ? nil : diverse.reduce(0, +) / Double(diverse.count),
                    overlap: mean(\.overlap))
            }
        }
        return means
    }
}

/// The `metrics/` of one run.
private struct Cut {
    let folder: String
    let report: MetricsReport
    let parts: [MetricsShards.LearnerMetrics]
    let models: [String]
    let depths: [Int]
    let cutoffs: [Int]

    init(_ run: String, variants: [String]) throws {
        let input = try StageInput(run: run, stage: StageName.evaluate.rawValue, folder: StageName.evaluate.folder)
        folder = input.folder
        let path = folder + "/" + MetricsShards.report
        guard let report = try? MetricsReport(FileSystem.read(path)) else {
            throw LecternError.data("\(path): not a metrics report; run make evaluate")
        }
        guard report.ranking != nil else {
            throw LecternError.data("\(path): nothing follows its T: there is nothing to pool")
        }
        self.report = report
        var parts = try input.names("learner-metrics").map { try MetricsShards.learners(input.shard($0)) }
        for name in variants {
            let other = try StageInput(
                run: "\(run)-\(name)", stage: StageName.evaluate.rawValue, folder: StageName.evaluate.folder)
            let more = try other.names("learner-metrics").map { try MetricsShards.learners(other.shard($0)) }
            guard more.count == parts.count, zip(more, parts).allSatisfy({ $0.ids == $1.ids }) else {
                throw LecternError.data("\(other.folder): other learners than \(input.folder)")
            }
            for at in parts.indices { parts[at].append(more[at]) }
        }
        self.parts = parts
        models = parts.first?.models ?? []
        depths = parts.first?.depths ?? []
        cutoffs = Set(report.lists.values.flatMap(\.keys).compactMap { Int($0) }).sorted()
    }
}

extension MetricsShards.LearnerMetrics {
    /// Puts the lists of another evaluation of the same learners beside these.
    fileprivate mutating func append(_ other: Self) {
        models += other.models
        depths += other.depths
        ranks += other.ranks
    }
}
