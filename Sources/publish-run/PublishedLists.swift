import LinearAlgebra
import Platform
import Serving
import ShardKinds
import Shards
import StageKit

/// The lists of a `topk/` folder, read alone: of this run, or of what was published before.
struct PublishedLists: Sendable {
    let topk: StageInput

    init(topk: StageInput) { self.topk = topk }

    /// - Parameter folder: a publication.
    init(_ folder: String) throws {
        topk = try StageInput(run: folder, stage: StageName.exportTopK.rawValue, folder: StageName.exportTopK.folder)
    }

    /// - Throws: `NotComparable` where what `read` finds is not what was published; `.ioError` where the system fails.
    static func published<Result>(_ read: () throws -> Result) throws -> Result {
        do { return try read() } catch let error as LecternError where error.code != .ioError {
            throw NotComparable(reason: error.message)
        }
    }

    var shards: Int { topk.names("topk").count }

    func courses() throws -> [String] { try TopKShards.ids(topk.shard(TopKShards.courses)) }

    /// Learner ids and their lists.
    func shard(_ shard: Int) throws -> (ids: [String], top: TopLists) {
        let file = try topk.shard(TopKShards.topk(shard, of: shards))
        let (ids, top) = (try TopKShards.ids(file), try TopKShards.lists(file))
        guard ids.count == top.lists.count else {
            throw LecternError.data("\(file.name): \(ids.count) ids, \(top.lists.count) lists")
        }
        return (ids, top)
    }

    /// What serving layers get of a shard.
    func served(_ shard: Int, courses: [String]) throws -> [ServedList] {
        let (ids, top) = try self.shard(shard)
        let fits = try LogsShards.dictionary(topk.shard(TopKShards.fits(shard, of: shards))).values
        return ServedList.lists(top, keys: ids, courses: courses, fits: fits)
    }
}

/// Lists published before that are no longer what they were: in an older format, damaged or gone.
struct NotComparable: Error {
    let reason: String
}

/// How the lists of a run differ from those published before, by ids: course numbers of two runs do not compare.
struct ListDifference: Sendable {
    /// By shard of this run: rows whose list is new or has other courses or another order. Scores alone change nothing.
    private(set) var changed: [[Int]] = []
    /// Learners that had a list and are no longer there.
    private(set) var deleted: [String] = []
    /// 1 − mean over learners with a list then and now of |both| / max(|then|, |now|); 1 if nobody who had a list has one now;
    /// nil if nobody had one.
    let churn: Double?

    private struct Part {
        var changed: [Int] = []
        var gone: [String] = []
        var overlap = 0.0
        var compared = 0
        var hadLists = false

        mutating func compare(_ row: Int, _ now: ArraySlice<UInt32>, _ before: [UInt32]) {
            if !now.elementsEqual(before) { changed.append(row) }
            if now.isEmpty || before.isEmpty { return }
            overlap += Double(Set(now).intersection(before).count) / Double(max(now.count, before.count))
            compared += 1
        }
    }

    /// - Throws: `NotComparable`, and what is wrong with the lists of this run.
    init(_ now: PublishedLists, against before: PublishedLists, workers: Workers) throws {
        let courses = (now: try now.courses(), before: try PublishedLists.published { try before.courses() })
        // By bytes: Swift's strings are equal if they look alike.
        let numbers = Dictionary(uniqueKeysWithValues: courses.now.enumerated().map { (Array($1.utf8), UInt32($0)) })
        // A course that is gone equals none of today's.
        let today = courses.before.map { numbers[Array($0.utf8)] ?? .max }
        let parts: [Part]
        if now.shards == before.shards {
            parts = try workers.map(now.shards) { shard in
                Self.compare(try now.shard(shard), try PublishedLists.published { try before.shard(shard) }, today)
            }
        } else {
            let old = try (0..<before.shards).map { shard in try PublishedLists.published { try before.shard(shard) } }
            parts = try workers.map(now.shards) { shard in
                Self.compare(try now.shard(shard), Self.gathered(old, shard: shard, of: now.shards), today)
            }
        }
        changed = parts.map(\.changed)
        deleted = parts.flatMap(\.gone)
        let compared = parts.reduce(0) { $0 + $1.compared }
        let hadLists = parts.contains { $0.hadLists }
        churn = compared == 0 ? (hadLists ? 1 : nil) : 1 - treeSum(parts.map(\.overlap)) / Double(compared)
    }

    var summary: String {
        "\(changed.reduce(0) { $0 + $1.count }) lists changed, \(deleted.count) learners gone"
    }

    /// The lists of one of today's shards from shards that were cut otherwise.
    private static func gathered(
        _ old: [(ids: [String], top: TopLists)], shard: Int, of shards: Int
    ) -> (ids: [String], top: TopLists) {
        var rows: [(id: String, part: Int, row: Int)] = []
        for (part, lists) in old.enumerated() {
            for (row, id) in lists.ids.enumerated()
            where LearnerHash.shard(LearnerHash.of(id.utf8), of: shards) == shard {
                rows.append((id, part, row))
            }
        }
        rows.sort { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
        var result = (ids: rows.map(\.id), top: TopLists())
        for (_, part, row) in rows {
            let lists = old[part].top.lists
            result.top.lists.courses += lists[row]
            result.top.lists.scores += lists.scores[lists.range(row)]
            result.top.lists.offsets.append(result.top.lists.courses.count)
        }
        return result
    }

    /// Both in the order of the ids' bytes, as shards are: one walk over the two.
    private static func compare(
        _ now: (ids: [String], top: TopLists), _ before: (ids: [String], top: TopLists), _ today: [UInt32]
    ) -> Part {
        var part = Part()
        part.hadLists = !before.top.lists.courses.isEmpty
        var old = 0
        for (row, id) in now.ids.enumerated() {
            while old < before.ids.count, before.ids[old].utf8.lexicographicallyPrecedes(id.utf8) {
                part.gone.append(before.ids[old])
                old += 1
            }
            guard old < before.ids.count, before.ids[old].utf8.elementsEqual(id.utf8) else {
                part.changed.append(row)
                continue
            }
            part.compare(row, now.top.lists[row], before.top.lists[old].map { today[Int($0)] })
            old += 1
        }
        part.gone += before.ids[old...]
        return part
    }
}
