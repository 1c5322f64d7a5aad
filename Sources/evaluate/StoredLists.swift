import Platform
import ShardKinds
import Shards

/// The lists that a run made: each model alone and the blend from `blended/`, the exported ones from `topk/`.
struct StoredLists {
    static let names = ["ncf", "glmix", "blend", "export"]

    let blended: StageInput
    let topk: StageInput
    let shards: Int
    let courseCount: Int
    /// By name, for a learner unknown before T: what a serving layer would show.
    let defaultLists: [[UInt32]]
    /// The rung of the default list, and whether it has all the courses that were asked for.
    let defaultRung: String
    let isDefaultFull: Bool

    init(blended: StageInput, topk: StageInput, shards: Int, courseCount: Int) throws {
        (self.blended, self.topk, self.shards, self.courseCount) = (blended, topk, shards, courseCount)
        let single = try BlendedShards.single(blended.shard(BlendedShards.defaultSingle))
        let candidates = try BlendedShards.candidates(blended.shard(BlendedShards.defaults)).lists
        let served = try TopKShards.lists(topk.shard(TopKShards.defaults))
        defaultRung = served.rungs.first?.label ?? ""
        isDefaultFull = served.shortness.first == .full
        defaultLists = [single.ncf, single.glmix, candidates, served.lists].map { $0.count > 0 ? Array($0[0]) : [] }
    }

    /// By name, the lists of a shard's learners, checked; of the exported ones the rungs, and whether each has all the
    /// courses that were asked for.
    func lists(_ shard: Int, learners: Int) throws -> (lists: [RankedLists], rungs: [Rung], isFull: [Bool]) {
        let single = try BlendedShards.single(blended.shard(BlendedShards.single(shard, of: shards)))
        let blend = try BlendedShards.candidates(blended.shard(BlendedShards.candidates(shard, of: shards)))
        let export = try TopKShards.lists(topk.shard(TopKShards.topk(shard, of: shards)))
        let all = [single.ncf, single.glmix, blend.lists, export.lists]
        for (name, lists) in zip(Self.names, all) {
            let folder = name == "export" ? topk.folder : blended.folder
            guard lists.count == learners else {
                throw LecternError.data("\(folder): shard \(shard): \(lists.count) \(name) lists, \(learners) learners")
            }
            try check(lists, "\(folder): shard \(shard): \(name)")
        }
        return (all, export.rungs, export.shortness.map { $0 == .full })
    }

    private func check(_ lists: RankedLists, _ place: String) throws {
        var seen = [Int](repeating: -1, count: courseCount)
        for list in 0..<lists.count {
            for course in lists[list] {
                guard Int(course) < courseCount, seen[Int(course)] != list else {
                    throw LecternError.data("\(place): list \(list): course \(course) is unknown or stands there twice")
                }
                seen[Int(course)] = list
            }
        }
    }
}
