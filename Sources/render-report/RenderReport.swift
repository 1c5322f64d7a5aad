// Reads   every stage of the run, its gates.json, what was published before
// Writes  report/index.html: one self-contained page
// Memory  the course embeddings, 128 rows of their N × N products a thread, one learner shard

import ArgumentParser
import Reporting
import Shards
import StageKit

@main
struct RenderReport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render-report",
        abstract: "Renders a run as one page: may it be published, is it better, what did it learn, what did it cost.",
        discussion: """
            The stage itself is the default (render-report run --help).
            Memory: the course embeddings and one shard of learners.
            """,
        version: Lectern.release, subcommands: [RenderRun.self, History.self], defaultSubcommand: RenderRun.self)
}

struct RenderRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "The stage (default).",
        discussion: """
            report/index.html loads nothing from elsewhere and needs no script. What a run does not say (nothing after T, \
            nothing published before) is said in a sentence. Memory: the course embeddings and one shard of learners.
            """)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.renderReport, options) { stage in
            let run = try FinishedRun(stage)
            let gates = try stage.step("gates") { try run.gates() }
            let quality = try stage.step("quality") { try run.quality() }
            let lists = try stage.step("lists") { try ListSurvey(run) }
            let learned = try stage.step("learned") { try run.learned(reasons: lists.reasons) }
            let data = try stage.step("data") { try run.dataLoss(evaluated: quality.evaluated) }
            let page = Page(
                title: run.title, facts: run.facts,
                sections: [
                    Verdict(gates: gates).section, quality.quality.section, learned.section, data.section,
                    try run.cost().section, lists.reach(gates).section,
                ], colophon: run.colophon)
            try stage.output.write(page.bytes, as: "index.html")
            stage.count("bytes", page.bytes.count)
            stage.count("courses", run.catalogue.count)
        }
    }
}
