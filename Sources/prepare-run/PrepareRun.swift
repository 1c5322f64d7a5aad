// Reads   pipeline.yaml, the dataset file, options; the run folder as an earlier run left it
// Writes  config/: one slice per stage, and the list of input files; each only if its content changed
// Memory  a few MiB

import ArgumentParser
import Shards
import StageKit

@main
struct PrepareRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare-run",
        abstract: "Checks the whole configuration, writes each stage's slice of it, and repairs a killed run.",
        version: Lectern.release,
        subcommands: [Prepare.self, Status.self, Monitoring.self, Cuts.self, Defaults.self],
        defaultSubcommand: Prepare.self)
}
