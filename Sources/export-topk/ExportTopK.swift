import ArgumentParser
import Shards
import StageKit

@main
struct ExportTopK: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-topk",
        abstract: "Makes the final lists, with reasons, in shards and serving formats.",
        discussion: """
            The stage itself is the default (export-topk run --help).
            Memory: one shard of learners with its candidates per thread.
            """,
        version: Lectern.release, subcommands: [ExportRun.self, Show.self],
        defaultSubcommand: ExportRun.self)
}
