import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

/// Which courses compete for the places of a learner's list, for every model alike: those eligible at a time, without the
/// learner's moments before it and without what `export.exclude` removes of the raw history before it.
struct CandidateRule: Sendable {
    let time: Int64
    /// By course: published before the time, not retired by it.
    let eligible: [Bool]
    private let logs: StageInput
    private let duration: [Float?]
    private let exclusion: HistoryExclusion
    private let completedFraction: Float

    init(_ slice: Slice, logs: StageInput, catalogue: Catalogue, at time: Int64) {
        (self.time, self.logs, duration) = (time, logs, catalogue.duration)
        eligible = (0..<catalogue.count).map { catalogue.isEligible($0, at: time) }
        exclusion = HistoryExclusion(rawValue: slice.text("export.exclude"))!
        completedFraction = Float(slice.number("export.completed_fraction"))
    }

    /// What does not compete, for each learner of a shard, eligible or not.
    /// - Parameter moments: those of the shard, perhaps with empty rows added for learners unknown before T.
    func removed(_ shard: Int, of shards: Int, moments: Moments) throws -> CourseSets {
        let watches = try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
        let history = exclusion.exclusions(
            watches, learners: moments.learnerCount, before: time, duration: duration,
            completedFraction: completedFraction)
        return CourseSets(moments, before: time).union(history)
    }
}
