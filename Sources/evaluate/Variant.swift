// Reads   ncf/, cowatch/, watched/, logs/ and logs/after/ of a run that may have only these
// Writes  its own metrics/: where relevant courses stand in the lists of its NCF alone
// Memory  one learner shard per thread

import ArgumentParser
import CommandKit
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
        abstract: "Evaluates the NCF of a run alone, on the learners and the window of another run of the same logs.",
        discussion: """
            Writes the run's metrics/, which evaluate pool --variant puts beside those of the other run, and prints means.
            Memory: one shard of learners per thread.
            """)

    @Option(name: .customLong("run"), help: "The run folder with the variant's ncf/.") var folder: String

    @Option(
        help: "End of the window: UTC, seconds since 1970, or all; as metrics/metrics.json of the other run has it.")
    var until: String

    @Option(help: "What the table will call it.") var name: String

    @Option(help: "Threads; results do not depend on it.") var threads: Int?

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("evaluate variant", talk) { _ in
            let workers = Workers(count: threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount))
            let evaluation = try VariantEvaluation(run: folder, until: until, name: name, workers: workers)
            let output = try StageOutput(run: folder, stage: StageName.evaluate.folder)
            let parts = try workers.map(evaluation.after.shards) { shard in
                let rows = try evaluation.shard(shard)
                try output.write(
                    MetricsShards.encode(rows), as: MetricsShards.learners(shard, of: evaluation.after.shards))
                return rows
            }
            try output.commit(
                Manifest(
                    stage: StageName.evaluate.rawValue, release: Lectern.release, config: name,
                    asOf: evaluation.after.logs.manifest.asOf, newestEvent: evaluation.after.logs.manifest.newestEvent),
                nested: [:])
            try Terminal.write(Self.means(parts, name))
        }
    }

    private static func means(_ parts: [MetricsShards.LearnerMetrics], _ name: String) -> String {
        var learners = EvaluatedLearners(models: [name], depths: parts.first?.depths ?? [0])
        for part in parts { learners.append(part) }
        return [("warm", true), ("cold", false)].map { group, isWarm in
            let rows = (0..<learners.count).filter { (learners.history[$0] > 0) == isWarm }.map { learners.hits[0][$0] }
            func mean(_ value: (RankedHits) -> Double) -> String {
                RankingSummary.number(rows.reduce(0) { $0 + value($1) } / Double(max(rows.count, 1)))
            }
            return "\(name)\t\(group)\t\(rows.count) learners\tNDCG@20 \(mean { $0.ndcg(at: 20) })"
                + "\tRecall@20 \(mean { $0.recall(at: 20) })\n"
        }.joined()
    }
}

private struct VariantEvaluation {
    let after: AfterLogs
    let name: String
    private let watched: StageInput
    private let ncf: StageInput
    private let model: NCFAtTime
    private let candidates: CandidateRule
    private let end: Int64
    /// As deep as tables look.
    private let depth = 50

    init(run: String, until: String, name: String, workers: Workers) throws {
        func input(_ stage: StageName, of run: String) throws -> StageInput {
            try StageInput(run: run, stage: stage.rawValue, folder: stage.folder)
        }
        self.name = name
        let logs = try input(.importLogs, of: run)
        watched = try input(.filterWatches, of: run)
        ncf = try input(.trainNCF, of: run)
        let cowatch = try input(.buildCooccurrence, of: run)
        let catalogue = try LogsShards.catalogue(logs)
        let asOf = logs.manifest.asOf
        guard let end = until == "all" ? .max : Int64(until) ?? Moment.parse(until) else {
            throw LecternError(.usage, "--until \(until): expected a moment in UTC, seconds since 1970, or all")
        }
        self.end = end
        after = try AfterLogs(run: run, logs: logs, watched: watched, catalogue: catalogue)
        candidates = CandidateRule(
            try Slice(stage: .evaluate, path: "\(run)/config/\(Slice.fileName(.evaluate))"), logs: logs,
            catalogue: catalogue, at: asOf)
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
        let labels = try after.labels(shard, from: model.time, to: end)
        // A learner who appears only after T has an empty row of moments, and 0 for a vector.
        let moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(shard, of: after.shards)))
            .extended(to: labels.ids.count)
        let removed = try candidates.removed(shard, of: after.shards, moments: moments)
        var vectors = try NCFShards.learnerVectors(ncf, .refit, shard, of: after.shards)
        vectors.values += [Float](repeating: 0, count: (labels.ids.count - vectors.rows) * vectors.columns)
        vectors.rows = labels.ids.count
        let scorer = NCFScorer(model, moments: moments, learnerVectors: vectors, workers: Workers(count: 1))
        var maker = ListMaker(eligible: candidates.eligible, depth: depth)
        var rows = MetricsShards.LearnerMetrics(models: [name], depths: [depth])
        for row in labels.ids.indices where !labels.relevant[row].isEmpty {
            maker.begin(without: removed[row])
            let hits = RankedHits(ranked: maker.list(scorer, learner: row), relevant: labels.relevant[row])
            rows.ids.append(labels.ids[row])
            rows.history.append(UInt32(moments.range(row).count))
            rows.segments.append(labels.segments[row])
            rows.languages.append(labels.languages[row])
            rows.rungs.append("")  // nothing is served
            rows.relevant.append(UInt32(labels.relevant[row].count))
            rows.ranks[0].append(hits.ranks.map { UInt32($0) })
        }
        return rows
    }
}
