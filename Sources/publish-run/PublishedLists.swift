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

/// Lists published before that cannot be read now: written in an older format, or damaged.
struct NotComparable: Error {
    let reason: String
}

/// How the lists of a run differ from those published before, by ids: course numbers of two runs do not compare.
struct ListDifference: Sendable {
    /// By shard of this run: rows whose list is new or has other courses or another order. Scores alone change nothing.
    private(set) var changed: [[Int]] = []
    /// Learners that had a list and are no longer there.
    private(set) var deleted: [String] = []
    /// 1 − mean over learners with a list then and now of |both| / max(|then|, |now|); nil without such learners.
    let churn: Double?

    private struct Part {
        var changed: [Int] = []
        var gone: [String] = []
        var overlap = 0.0
        var compared = 0
    }

    /// - Throws: `NotComparable`, and what is wrong with the lists of this run.
    init(_ now: PublishedLists, against before: PublishedLists, workers: Workers) throws {
        let courses = (now: try now.courses(), before: try Self.published { try before.courses() })
        let numbers = Dictionary(uniqueKeysWithValues: courses.now.enumerated().map { ($1, UInt32($0)) })
        // A course that is gone equals none of today's.
        let today = courses.before.map { numbers[$0] ?? .max }
        let parts: [Part]
        if now.shards == before.shards {
            parts = try workers.map(now.shards) { shard in
                Self.compare(try now.shard(shard), Self.lists([try Self.published { try before.shard(shard) }], today))
            }
        } else {
            let old = try (0..<before.shards).map { shard in try Self.published { try before.shard(shard) } }
            parts = try workers.map(now.shards) { shard in
                let own = old.map { ids, top in Self.filter(ids, top, shard: shard, of: now.shards) }
                return Self.compare(try now.shard(shard), Self.lists(own, today))
            }
        }
        changed = parts.map(\.changed)
        deleted = parts.flatMap(\.gone)
        let compared = parts.reduce(0) { $0 + $1.compared }
        churn = compared == 0 ? nil : 1 - treeSum(parts.map(\.overlap)) / Double(compared)
    }

    /// - Throws: `NotComparable` where what was published cannot be read.
    private static func published<Result>(_ read: () throws -> Result) throws -> Result {
        do { return try read() } catch let error as LecternError { throw NotComparable(reason: error.message) }
    }

    var summary: String {
        "\(changed.reduce(0) { $0 + $1.count }) lists changed, \(deleted.count) learners gone"
    }

    private static func filter(
        _ ids: [String], _ top: TopLists, shard: Int, of shards: Int
    ) -> (ids: [String], top: TopLists) {
        var result = (ids: [String](), top: TopLists())
        for (row, id) in ids.enumerated() where LearnerHash.shard(LearnerHash.of(id.utf8), of: shards) == shard {
            result.ids.append(id)
            result.top.lists.courses += top.lists[row]
            result.top.lists.scores += top.lists.scores[top.lists.range(row)]
            result.top.lists.offsets.append(result.top.lists.courses.count)
        }
        return result
    }

    private static func lists(
        _ parts: [(ids: [String], top: TopLists)], _ today: [UInt32]
    ) -> [String: [UInt32]] {
        var lists: [String: [UInt32]] = [:]
        for (ids, top) in parts {
            for (row, id) in ids.enumerated() { lists[id] = top.lists[row].map { today[Int($0)] } }
        }
        return lists
    }

    private static func compare(
        _ now: (ids: [String], top: TopLists), _ before: [String: [UInt32]]
    ) -> Part {
        var part = Part()
        for (row, id) in now.ids.enumerated() {
            let list = now.top.lists[row]
            guard let old = before[id] else {
                part.changed.append(row)
                continue
            }
            if !list.elementsEqual(old) { part.changed.append(row) }
            if list.isEmpty || old.isEmpty { continue }
            part.overlap += Double(Set(list).intersection(old).count) / Double(max(list.count, old.count))
            part.compared += 1
        }
        let known = Set(now.ids)
        part.gone = before.keys.filter { !known.contains($0) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return part
    }
}
