import Platform
import Shards

/// The shard kinds of `topk/`: final lists by learner shard, default lists, related courses (docs/shards.md).
package enum TopKShards {
    package static func topk(_ shard: Int, of shards: Int) -> String { ShardName.of("topk", shard, of: shards) }
    /// Lists for learners unknown to the run.
    package static let defaults = "default\(ShardName.suffix)"
    /// The best courses by cosine of each course.
    package static let related = "related\(ShardName.suffix)"
    /// What the entries of a shard with reason `fits` fit: texts, numbered, as `because` has them.
    package static func fits(_ shard: Int, of shards: Int) -> String { ShardName.of("fits", shard, of: shards) }

    /// The ids of the courses, in the order of their numbers: with them the folder can be read alone.
    package static let courses = "course-ids\(ShardName.suffix)"

    package static func encode(courseIDs: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "course-ids", rows: courseIDs.count)
        shard.add("id", Ragged(courseIDs))
        return shard
    }

    /// Ids of the rows of `course-ids` or `topk`.
    package static func ids(_ shard: Shard) throws -> [String] { try shard.strings("id").strings }

    /// Rows are the learners of `logs/learners` of the same shard, named in `id`. Ragged: `course`, `score`,
    /// `list_score`, `reason`, `because`, best first. Plain: `rung`, `short`.
    package static func encode(_ top: TopLists, ids: [String]) -> ShardBuilder {
        var shard = encode(top, kind: "topk")
        shard.add("id", Ragged(ids))
        return shard
    }

    private static func encode(_ top: TopLists, kind: String) -> ShardBuilder {
        var shard = ShardBuilder(kind: kind, rows: top.lists.count)
        let offsets = top.lists.offsets.map(Int64.init)
        shard.add("course", Ragged(offsets: offsets, values: top.lists.courses))
        shard.add("score", Ragged(offsets: offsets, values: top.lists.scores))
        shard.add("list_score", Ragged(offsets: offsets, values: top.listScores))
        // Two bytes: ragged U8 is text.
        shard.add("reason", Ragged(offsets: offsets, values: top.reasons.map { UInt16($0.rawValue) }))
        shard.add("because", Ragged(offsets: offsets, values: top.because))
        shard.add("rung", top.rungs.map(\.rawValue))
        shard.add("short", top.shortness.map(\.rawValue))
        return shard
    }

    package static func lists(_ shard: Shard) throws -> TopLists {
        func codes<Code: RawRepresentable<UInt8>>(_ column: String, _ raw: [some FixedWidthInteger]) throws -> [Code] {
            try raw.map {
                guard let byte = UInt8(exactly: $0), let code = Code(rawValue: byte) else {
                    throw LecternError.data("\(shard.name): column \"\(column)\": unknown code \($0)")
                }
                return code
            }
        }
        var top = TopLists()
        top.lists = try RankedColumns.read(shard, course: "course", score: "score")
        top.listScores = try RankedColumns.values(shard, "list_score", top.lists)
        top.reasons = try codes("reason", RankedColumns.values(shard, "reason", top.lists) as [UInt16])
        top.because = try RankedColumns.values(shard, "because", top.lists)
        top.rungs = try codes("rung", shard.values("rung") as [UInt8])
        top.shortness = try codes("short", shard.values("short") as [UInt8])
        return top
    }

    /// Row 0 is the list for everybody, row 1 + s that of segment s.
    package static func encodeDefaults(_ top: TopLists) -> ShardBuilder { encode(top, kind: "default") }

    /// Rows are courses; `course` best first, `score` the cosine.
    package static func encodeRelated(_ related: RankedLists) -> ShardBuilder {
        var shard = ShardBuilder(kind: "related", rows: related.count)
        shard.metadata["row"] = "course"
        RankedColumns.add(related, to: &shard, course: "course", score: "score")
        return shard
    }

    package static func related(_ shard: Shard) throws -> RankedLists {
        try RankedColumns.read(shard, course: "course", score: "score")
    }
}

/// Ranked lists as two ragged columns.
enum RankedColumns {
    static func add(_ lists: RankedLists, to shard: inout ShardBuilder, course: String, score: String) {
        let offsets = lists.offsets.map(Int64.init)
        shard.add(course, Ragged(offsets: offsets, values: lists.courses))
        shard.add(score, Ragged(offsets: offsets, values: lists.scores))
    }

    static func read(_ shard: Shard, course: String, score: String) throws -> RankedLists {
        let courses = try shard.ragged(course, as: UInt32.self)
        let lists = RankedLists(
            offsets: courses.offsets.map(Int.init), courses: courses.values,
            scores: [Float](repeating: 0, count: courses.values.count))
        return RankedLists(offsets: lists.offsets, courses: lists.courses, scores: try values(shard, score, lists))
    }

    /// A ragged column beside the lists.
    static func values<Element: ShardElement>(_ shard: Shard, _ name: String, _ lists: RankedLists) throws -> [Element]
    {
        let column = try shard.ragged(name, as: Element.self)
        guard column.offsets.count == lists.offsets.count, zip(column.offsets, lists.offsets).allSatisfy({ $0 == $1 })
        else { throw LecternError.data("\(shard.name): \(name) has other offsets than the courses") }
        return column.values
    }
}
