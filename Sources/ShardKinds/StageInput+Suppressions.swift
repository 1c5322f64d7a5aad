import Platform
import Shards

/// Opt-outs and embargoes in `logs/`; none if the dataset has no such table.
extension StageInput {
    /// About all learners.
    package func generalSuppressions() throws -> Suppressions {
        guard has(LogsShards.generalSuppressions) else { return .none }
        return try LogsShards.suppressions(shard(LogsShards.generalSuppressions))
    }

    /// About learners of a shard.
    package func suppressions(_ shard: Int, of shards: Int) throws -> Suppressions {
        let name = LogsShards.suppressions(shard, of: shards)
        return has(name) ? try LogsShards.suppressions(self.shard(name)) : .none
    }

    /// What must not be learnt from in a shard.
    /// - Parameter general: those about all learners, read once for all shards.
    package func trainingBans(_ shard: Int, of shards: Int, general: Suppressions) throws -> TrainingBans {
        TrainingBans(general: general, own: try suppressions(shard, of: shards))
    }
}
