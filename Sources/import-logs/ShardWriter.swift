import Logs
import Platform
import ShardKinds
import Shards
import StageKit

/// Writes `logs/` and `logs/after/`.
struct ShardWriter {
    private let cut: LogCut
    private let stage: StageRun

    init(_ cut: LogCut, _ stage: StageRun) { (self.cut, self.stage) = (cut, stage) }

    func write() throws {
        try stage.write(LogsShards.encode(cut.catalogue), as: LogsShards.courses)
        try stage.write(LogsShards.encode(cut.catalogueAfter), as: LogsShards.after(LogsShards.courses))
        for (column, values) in cut.dictionaries {
            try stage.write(LogsShards.encode(values), as: LogsShards.dictionary(column))
        }
        for (column, values) in cut.dictionariesAfter {
            try stage.write(LogsShards.encode(values), as: LogsShards.after(LogsShards.dictionary(column)))
        }
        if cut.hasSuppressions {
            try stage.write(LogsShards.encode(cut.generalSuppressions), as: LogsShards.generalSuppressions)
        }
        let progress = stage.progress("write", total: stage.allWorkers.own(cut.shards).count, unit: "shards")
        try stage.dealEach(cut.shards) { shard in
            try write(shard)
            progress.advance()
        }
    }

    private func write(_ shard: Int) throws {
        let tables = try cut.shard(shard)
        let count = cut.shards
        func write(_ builder: ShardBuilder, as name: String) throws {
            try stage.write(builder, as: name, shardNumber: (shard, of: count))
        }
        let learners = LogsShards.learners(shard, of: count)
        let watches = LogsShards.watches(shard, of: count)
        let engagements = LogsShards.engagements(shard, of: count)
        try write(LogsShards.encode(tables.learners), as: learners)
        try write(LogsShards.encode(tables.watches), as: watches)
        try write(LogsShards.encode(tables.engagements), as: engagements)
        if cut.hasSuppressions {
            try write(LogsShards.encode(tables.suppressions), as: LogsShards.suppressions(shard, of: count))
        }
        try write(LogsShards.encode(tables.learnersAfter), as: LogsShards.after(learners))
        try write(LogsShards.encode(tables.watchesAfter), as: LogsShards.after(watches))
        try write(LogsShards.encode(tables.engagementsAfter), as: LogsShards.after(engagements))
    }
}
