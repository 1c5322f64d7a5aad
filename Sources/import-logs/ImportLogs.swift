// Reads   log files as data/<name>/dataset.yaml maps them (listed in config/inputs.txt)
// Writes  logs/: per shard watches, engagements, learners before T; courses and dictionaries once;
//         logs/after/: what follows T, with a manifest of its own; logs/rejected.csv.gz
// Memory  the catalogue, --spill-mib of records (beyond that, files), one shard per thread

import ArgumentParser
import StageKit

@main
struct ImportLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-logs",
        abstract: "Turns log files into the tables of a run, cut at T.",
        discussion: """
            The stage itself is the default (import-logs import --help).
            Memory: the catalogue, --spill-mib of records, and one shard per thread.
            """,
        version: Lectern.release,
        subcommands: [Import.self, Cuts.self],
        defaultSubcommand: Import.self)
}
