// Reads   logs/ (watches by shard, courses)
// Writes  watched/: moments by shard, thresholds with the watch-time histogram, learners taken for bots; the run's times
//         in manifest.json
// Memory  one shard of watches per thread

import ArgumentParser
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

@main
struct FilterWatches: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter-watches",
        abstract: "Finds for each learner the moments at which a course became relevant.",
        discussion: """
            Watch time is totalled over sessions; a course counts once its total reaches the largest of min_seconds, \
            min_fraction of its duration and the quantile of its duration bucket. Also fixes the run's time windows.
            Memory: one shard of watches per thread.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.filterWatches, options) { stage in
            let logs = try stage.input(.importLogs)
            let catalogue = try LogsShards.catalogue(logs)
            let source = try WatchSource(logs: logs, duration: catalogue.duration, stage: stage)
            let settings = FilterSettings(stage.slice)
            let decided = try stage.step("choose windows") {
                try chooseWindows(source, settings, asOf: stage.manifest.asOf)
            }
            try stage.step("write moments") { try writeMoments(source, decided, stage) }
            try stage.write(thresholdShard(decided, duration: catalogue.duration), as: WatchedShards.thresholds)
            stage.manifest.facts.merge(decided.windows.facts) { $1 }
            stage.count("validation learners", decided.validationLearners)
            stage.say(
                "T \(Moment.text(decided.windows.asOf)), validation from \(Moment.text(decided.windows.validation)), "
                    + "label window \(decided.windows.labelWindow / 86_400) d, "
                    + "\(decided.windows.fitSnapshots.count) training snapshots")
        }
    }

    private func writeMoments(_ source: WatchSource, _ decided: Decision, _ stage: StageRun) throws {
        let thresholds = decided.thresholds(source.duration)
        let counts = try stage.deal(source.shards) { shard in
            let (watches, learners) = try source.watches(shard)
            let (moments, bots) = decided.filter.moments(watches, learners: learners, thresholds: thresholds)
            try stage.write(WatchedShards.encode(moments), as: WatchedShards.moments(shard, of: source.shards))
            return Written(
                watches: watches.count, moments: moments.courses.count, bots: try source.ids(shard, rows: bots))
        }
        for shard in counts {
            stage.count("watches read", shard.watches)
            stage.count("moments", shard.moments)
            stage.count("learners dropped as bots", shard.bots.count)
        }
        try stage.write(WatchedShards.encodeBots(counts.flatMap(\.bots)), as: WatchedShards.bots)
    }

    private struct Written: Codable {
        var watches: Int
        var moments: Int
        /// Ids.
        var bots: [String]
    }

    private func thresholdShard(_ decided: Decision, duration: [Float?]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "thresholds", rows: WatchTimeHistogram.bucketNames.count)
        var histogram = Ragged<Int64>()
        for bins in decided.histogram.counts { histogram.append(bins.map(Int64.init)) }
        shard.add("bucket", Ragged(WatchTimeHistogram.bucketNames))
        shard.add("quantile_seconds", decided.filter.quantileSeconds)
        shard.add("histogram", histogram)
        WatchedShards.describe(decided.filter, in: &shard)
        return shard
    }
}
