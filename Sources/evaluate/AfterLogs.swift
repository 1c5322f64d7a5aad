import LinearAlgebra
import Platform
import ShardKinds
import Shards

/// One learner shard as evaluation sees it: who has which relevant courses in the window.
struct ShardLabels {
    /// Rows: the learners known before T, then those that appear only after it.
    var ids: [String]
    var knownLearners: Int
    /// By row: courses that became relevant in the window, ascending; numbers from the catalogue's count on are courses
    /// that exist only after T.
    var relevant: [[UInt32]]
    /// By row, for the known ones: segment or empty.
    var segments: [String]
}

/// `logs/` and `logs/after/` together. Moments after T come from the same filter with the same thresholds, over the
/// watch time on both sides of T.
struct AfterLogs {
    let logs: StageInput
    let shards: Int
    private let filter: WatchFilter
    /// By course number, those that exist only after T included.
    private let thresholds: [Float]
    /// From course numbers of `after/` to those here; nil where they are the same.
    private let courseOf: [UInt32]?
    private let segmentNames: [String]

    init(logs: StageInput, watched: StageInput, catalogue: Catalogue) throws {
        self.logs = logs
        shards = logs.names("learners").count
        let filter = try WatchedShards.filter(watched)
        self.filter = filter
        var thresholds = catalogue.duration.map(filter.threshold)
        let name = LogsShards.after(LogsShards.courses)
        if logs.has(name) {
            let numbers = Dictionary(uniqueKeysWithValues: catalogue.ids.enumerated().map { ($1, UInt32($0)) })
            courseOf = try logs.shard(name).strings("id").strings.map { id in
                if let number = numbers[id] { return number }
                thresholds.append(filter.threshold(duration: nil))
                return UInt32(thresholds.count - 1)
            }
        } else {
            courseOf = nil
        }
        self.thresholds = thresholds
        let segments = LogsShards.dictionary("learners.segment")
        segmentNames = logs.has(segments) ? try LogsShards.dictionary(logs.shard(segments)).values : []
    }

    /// Times of all watch events from T on, unordered.
    func times(_ shard: Int) throws -> [Int64] {
        let name = LogsShards.after(LogsShards.watches(shard, of: shards))
        return logs.has(name) ? try logs.shard(name).values("time") : []
    }

    func labels(_ shard: Int, from: Int64, to: Int64) throws -> ShardLabels {
        let known = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: shards)))
        var ids = known.ids
        let learnerOf = try afterLearners(shard, &ids)
        let name = LogsShards.after(LogsShards.watches(shard, of: shards))
        let after =
            logs.has(name)
            ? try LogsShards.watches(logs.shard(name)) : Watches(learner: [], course: [], time: [], seconds: [])
        try check(after, name, learners: learnerOf.count)
        let joined = WatchesAcrossCut(
            before: try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards))),
            learnersBefore: known.count, after: after, learnerOf: learnerOf, courseOf: courseOf)
        let (moments, _) = filter.moments(joined.watches, learners: ids.count, thresholds: thresholds)
        let relevant = (0..<ids.count).map { row in
            moments.courses[moments.range(row, from: from, to: to)].sorted()
        }
        return ShardLabels(
            ids: ids, knownLearners: known.count, relevant: relevant, segments: segments(known, rows: ids.count))
    }

    /// For each learner row of `after/` its row here; appends the ids of learners that exist only there.
    private func afterLearners(_ shard: Int, _ ids: inout [String]) throws -> [UInt32] {
        let name = LogsShards.after(LogsShards.learners(shard, of: shards))
        guard logs.has(name) else { return (0..<UInt32(ids.count)).map { $0 } }
        let rows = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, UInt32($0)) })
        return try logs.shard(name).strings("id").strings.map { id in
            if let row = rows[id] { return row }
            ids.append(id)
            return UInt32(ids.count - 1)
        }
    }

    private func check(_ after: Watches, _ name: String, learners: Int) throws {
        let courses = courseOf?.count ?? thresholds.count
        for row in 0..<after.count where Int(after.learner[row]) >= learners || Int(after.course[row]) >= courses {
            throw LecternError.data(
                "\(logs.folder)/\(name): row \(row): learner \(after.learner[row]) of \(learners), "
                    + "course \(after.course[row]) of \(courses); run make import-logs")
        }
    }

    private func segments(_ known: Learners, rows: Int) -> [String] {
        var segments = [String](repeating: "", count: rows)
        if case .categorical(let codes, let valid)? = known.attributes.columns["segment"] {
            for row in 0..<known.count where valid[row] { segments[row] = segmentNames[Int(codes[row])] }
        }
        return segments
    }
}
