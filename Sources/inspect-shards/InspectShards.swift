// Reads   any shard, stage folder or run
// Writes  text, CSV, TSV or JSON Lines on standard output
// Memory  one shard; verify: one file per thread; stats: up to 4 million values of each column

import ArgumentParser
import Shards
import StageKit

@main
struct InspectShards: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect-shards",
        abstract: "Shows what lies in shards, stage folders and runs, and checks them.",
        discussion: """
            A path is a shard (out/latest/logs/courses.safetensors.gz), all shards of one name (out/latest/logs/watches), \
            a stage folder (out/latest/logs) or a run (out/latest). Course and learner numbers and dictionary codes are \
            spelled out if the run's logs/ is there. Nothing is ever changed.
            """,
        version: Lectern.release,
        subcommands: [List.self, Schema.self, Head.self, Stats.self, Cat.self, Verify.self, Lineage.self, Diff.self],
        defaultSubcommand: List.self)
}
