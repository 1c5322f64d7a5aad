import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// One learner shard as evaluation sees it: who has which relevant courses in the window.
struct ShardLabels {
    /// Rows: the learners known before T, then those that appear only after it.
    var ids: [String]
    var knownLearners: Int
    /// By row: courses that became relevant in the window, ascending; numbers from the catalogue's count on are courses
    /// that exist only after T.
    var relevant: [[UInt32]]
    /// By row, for the known ones: segment, and language of the profile; or empty.
    var segments: [String]
    var languages: [String]
}

/// `logs/` and `logs/after/` together: learners and courses that exist only after T have the numbers that follow those
/// of `logs/`. Moments after T come from the same filter with the same thresholds, over the watch time on both sides
/// of T.
struct AfterLogs {
    let logs: StageInput
    let after: StageInput
    let shards: Int
    private let filter: WatchFilter
    /// By course number, those that exist only after T included.
    private let thresholds: [Float]
    private let dictionaries: [String: ValueDictionary]

    init(run: String, logs: StageInput, watched: StageInput, catalogue: Catalogue) throws {
        self.logs = logs
        after = try StageInput(
            run: run, stage: logs.manifest.stage, folder: "\(StageName.importLogs.folder)/\(LogsShards.afterFolder)")
        guard after.manifest.asOf == logs.manifest.asOf, after.manifest.catalogue == logs.manifest.catalogue else {
            throw LecternError.data(
                "\(after.folder): made for another T or catalogue than \(logs.folder); run make import-logs")
        }
        shards = logs.names("learners").count
        let filter = try WatchedShards.filter(watched)
        self.filter = filter
        thresholds = try (catalogue.duration + LogsShards.catalogue(after).duration).map(filter.threshold)
        dictionaries = try LogsShards.learnerDictionaries(logs)
    }

    /// Times of the watches before and after T that pass the filter, unordered (`WatchFilter.relevantTimes`).
    func relevantTimes(_ shard: Int) throws -> [Int64] {
        let name = LogsShards.learners(shard, of: shards)
        let learners = [logs, after].reduce(0) { $0 + ($1.manifest.outputs[name]?.rows ?? 0) }
        return filter.relevantTimes(try watches(shard, learners: learners), learners: learners, thresholds: thresholds)
    }

    /// Those on both sides of T, as one table.
    private func watches(_ shard: Int, learners: Int) throws -> Watches {
        let name = LogsShards.watches(shard, of: shards)
        let later = try LogsShards.watches(after.shard(name))
        for row in 0..<later.count
        where Int(later.learner[row]) >= learners || Int(later.course[row]) >= thresholds.count {
            throw LecternError.data(
                "\(after.folder)/\(name): row \(row): learner \(later.learner[row]) of \(learners), course "
                    + "\(later.course[row]) of \(thresholds.count); run make import-logs")
        }
        return WatchesAcrossCut(
            before: try LogsShards.watches(logs.shard(name)), after: later, learnerCount: learners
        ).watches
    }

    func labels(_ shard: Int, from: Int64, to: Int64) throws -> ShardLabels {
        let known = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: shards)))
        let ids = try known.ids + LogsShards.learners(after.shard(LogsShards.learners(shard, of: shards))).ids
        let (moments, _) = filter.moments(
            try watches(shard, learners: ids.count), learners: ids.count, thresholds: thresholds)
        return ShardLabels(
            ids: ids, knownLearners: known.count,
            relevant: (0..<ids.count).map { moments.courses[moments.range($0, from: from, to: to)].sorted() },
            segments: values("segment", known, rows: ids.count), languages: values("language", known, rows: ids.count))
    }

    /// A categorical profile column as text; empty where there is no value.
    private func values(_ column: String, _ known: Learners, rows: Int) -> [String] {
        var texts = [String](repeating: "", count: rows)
        if case .categorical(let codes, let valid)? = known.attributes.columns[column] {
            let names = dictionaries[column]?.values ?? []
            for row in 0..<known.count where valid[row] { texts[row] = names[Int(codes[row])] }
        }
        return texts
    }
}
