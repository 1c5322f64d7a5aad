import ArgumentParser
import StageKit

@main
struct ExportTopK: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-topk",
        abstract: "Makes the final lists, with reasons, in shards and serving formats.",
        version: Lectern.release, subcommands: [ExportRun.self, Show.self], defaultSubcommand: ExportRun.self)
}
