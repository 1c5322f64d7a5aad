// Reads   topk/, blended/, cowatch/, watched/, logs/ and, alone among the stages, logs/after/
// Writes  metrics/: metrics.json, table.txt, and per learner where relevant courses stand in each list
// Memory  one learner shard per thread, and a few hundred bytes per learner with a relevant course

import ArgumentParser
import Baselines
import LinearAlgebra
import Metrics
import Platform
import ShardKinds
import Shards
import StageKit

@main
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Compares the lists of a run, of its models and of baselines with what came after T.",
        discussion: """
            The stage itself is the default (evaluate run --help).
            Memory: one shard of learners per thread.
            """,
        version: Lectern.release, subcommands: [EvaluateRun.self, Pool.self, Cuts.self, Variant.self],
        defaultSubcommand: EvaluateRun.self)
}

struct EvaluateRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "The stage (default).",
        discussion: """
            Full ranking over all eligible courses without those of the learner's history (export.exclude), the same \
            for every model; courses that no model could know stay in the denominator. With nothing after T the validation table is shown, under that name.
            Memory: one shard of learners per thread.
            """)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.evaluate, options) { stage in
            let inputs = try EvaluationInputs(stage)
            var report = MetricsReport(
                asOf: [inputs.windows.asOf], windowEnd: [nil],
                eligibleCourses: [inputs.candidates.eligible.count { $0 }],
                historyBuckets: inputs.settings.historyBuckets)
            var results: [ShardResult] = []
            let end = try stage.step("window", inputs.windowEnd)
            if let end {
                report.windowEnd = [end == .max ? nil : end]
                let counts = try stage.step("count", inputs.watchCounts)
                let evaluation = try inputs.evaluation(until: end)
                results = try stage.step("rank") { try evaluation.results(stage) }
                if !stage.ranks.isFirst { return }  // the rest is the first one's
                stage.step("intervals") { inputs.summarize(&results, evaluation, counts, &report) }
            }
            if report.ranking == nil { try inputs.useValidation(&report, until: end) }
            try inputs.write(report, results)
        }
    }
}
