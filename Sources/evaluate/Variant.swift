// Reads   ncf/, cowatch/, watched/, logs/ and logs/after/ of a run that has only these; metrics/ of the run it varies
// Writes  its own metrics/: where relevant courses stand in the lists of its NCF alone
// Memory  one learner shard per thread

import ArgumentParser
import Foundation
import LinearAlgebra
import Metrics
import NeuralCF
import Platform
import ShardKinds
import Shards
import StageKit

/// NCF of a run that was trained with other parameters on the same logs, evaluated like the run it varies. `evaluate pool
/// --variant` shows both in one table.
struct Variant: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "variant",
        abstract: "Evaluates the NCF of a run alone, on the learners and the window of another run of the same logs.")

    @Option(name: .customLong("run"), help: "The run folder with the variant's ncf/.") var folder: String

    @Option(help: "The run folder whose metrics/ it will stand beside.") var like: String

    @Option(help: "What the table will call it.") var name: String

    @Option(help: "Threads; results do not depend on it.") var threads: Int?

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("evaluate variant", talk) { _ in
            let workers = Workers(count: threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount))
            let evaluation = try VariantEvaluation(run: folder, like: like, name: name, workers: workers)
            let output = try StageOutput(run: folder, stage: StageName.evaluate.folder)
            try workers.forEach(evaluation.after.shards) { shard in
                let rows = try evaluation.shard(shard)
                try output.write(
                    MetricsShards.encode(rows), as: MetricsShards.learners(shard, of: evaluation.after.shards))
            }
            try output.commit(
                Manifest(
                    stage: StageName.evaluate.rawValue, release: Lectern.release, config: name,
                    asOf: evaluation.after.logs.manifest.asOf, newestEvent: evaluation.after.logs.manifest.newestEvent),
                nested: [:])
        }
    }
}

private struct VariantEvaluation {
    let after: AfterLogs
    let name: String
    private let watched: StageInput
    private let model: NCFAtTime
    private let eligible: [Bool]
    private let end: Int64
    private let depth: Int

    init(run: String, like: String, name: String, workers: Workers) throws {
        func input(_ stage: StageName, of run: String) throws -> StageInput {
            try StageInput(run: run, stage: stage.rawValue, folder: stage.folder)
        }
        self.name = name
        let (logs, metrics) = (try input(.importLogs, of: run), try input(.evaluate, of: like))
        watched = try input(.filterWatches, of: run)
        let (ncf, cowatch) = (try input(.trainNCF, of: run), try input(.buildCooccurrence, of: run))
        let catalogue = try LogsShards.catalogue(logs)
        let asOf = logs.manifest.asOf
        let report = try MetricsReport(FileSystem.read(metrics.folder + "/" + MetricsShards.report))
        guard report.asOf == [asOf], metrics.manifest.catalogue == ncf.manifest.catalogue else {
            throw LecternError.data("\(run): T or catalogue are not those of \(like)")
        }
        end = report.windowEnd[0] ?? .max
        depth = try metrics.names("learner-metrics").map { try MetricsShards.learners(metrics.shard($0)) }
            .flatMap(\.depths).max() ?? 20
        after = try AfterLogs(run: run, logs: logs, watched: watched, catalogue: catalogue)
        eligible = (0..<catalogue.count).map { catalogue.isEligible($0, at: asOf) }
        do {
            model = try NCFAtTime(
                NCFShards.definition(ncf, .refit, as: NCFDefinition.self), NCFShards.model(ncf, .refit),
                snapshot: CoWatchShards.snapshot(cowatch, at: asOf), workers: workers)
        } catch let error as NCFStoredMismatch {
            throw LecternError.data(
                "\(ncf.folder): \(error.tensor): \(error.found), expected \(error.expected); run make train-ncf")
        }
    }

    func shard(_ shard: Int) throws -> MetricsShards.LearnerMetrics {
        var moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(shard, of: after.shards)))
        let labels = try after.labels(shard, from: model.time, to: end)
        // A learner who appears only after T has an empty row of moments.
        while moments.learnerCount < labels.ids.count { moments.offsets.append(moments.courses.count) }
        let scorer = NCFScorer(model, moments: moments, workers: Workers(count: 1))
        var maker = ListMaker(eligible: eligible, depth: depth)
        var rows = MetricsShards.LearnerMetrics(models: [name], depths: [depth])
        for row in labels.ids.indices where !labels.relevant[row].isEmpty {
            let history = moments.range(row)
            maker.begin(watched: moments.courses[history])
            let hits = RankedHits(ranked: maker.list(scorer, learner: row), relevant: labels.relevant[row])
            rows.ids.append(labels.ids[row])
            rows.history.append(UInt32(history.count))
            rows.segments.append(labels.segments[row])
            rows.relevant.append(UInt32(labels.relevant[row].count))
            rows.ranks[0].append(hits.ranks.map { UInt32($0) })
        }
        return rows
    }
}
