// A finished run written by hand, as far as publish-run looks at it.

import Foundation
import Platform
import ShardKinds
import Shards

/// T = day 100, one learner shard per list of learners, lists of at most three of the courses a … f.
struct PublishFixture {
    static let day: Int64 = 86_400

    /// Lists by learner id, best course first.
    var lists: [String: [String]] = ["l1": ["a", "b", "c"], "l2": ["d", "e", "f"]]
    var courses = ["a", "b", "c", "d", "e", "f"]
    var shards = 1
    /// Lower end of the interval of blend − popular.
    var lift = 0.01
    var coverage = 0.5
    var scaleRatio = 1.1
    /// Watch events on each of the last 35 days before T, the newest first.
    var volume = [Int](repeating: 4, count: 35)
    var parameters = [
        "publish.min_lift_over_popular": "0", "publish.max_churn": "0.5", "publish.min_coverage": "0.2",
        "publish.min_volume_ratio": "0.5", "publish.scale_ratio": "2", "publish.keep": "2",
    ]
    var asOf = 100 * day

    func write(_ run: String) throws {
        try FileSystem.removeAll(run)
        try FileSystem.createFolder(run + "/config")
        let json = "{" + parameters.sorted { $0.key < $1.key }.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
        try FileSystem.write(SelfCheck.sealed(Array(json.utf8)), to: run + "/config/publish-run.json")
        for (stage, folder) in [
            ("filter-watches", "watched"), ("build-cooccurrence", "cowatch"), ("train-ncf", "ncf"),
            ("train-glmix", "glmix"),
        ] {
            try self.stage(run, stage, folder) { try $0.write(Array("\(stage) of \(asOf)".utf8), as: "model.txt") }
        }
        try stage(run, "import-logs", "logs", writeLogs)
        try stage(
            run, "blend", "blended",
            facts: ["scale_ratio_ncf": .number(scaleRatio), "scale_ratio_glmix": .number(1)], writeBlended)
        try stage(run, "export-topk", "topk", facts: ["coverage": .number(coverage)], writeTopK)
        try stage(run, "evaluate", "metrics") { try $0.write(Array("a table\n".utf8), as: "table.txt") }
    }

    private func stage(
        _ run: String, _ stage: String, _ folder: String, facts: [String: Manifest.Fact] = [:],
        _ body: (StageOutput) throws -> Void
    ) throws {
        let output = try StageOutput(run: run, stage: folder)
        try body(output)
        var manifest = Manifest(stage: stage, release: "test", config: "", asOf: asOf, newestEvent: asOf - 1)
        manifest.facts = facts
        try output.commit(manifest)
    }

    private func writeLogs(_ output: StageOutput) throws {
        let times = volume.enumerated().flatMap { age, count in
            [Int64](repeating: asOf - Int64(age) * Self.day - 60, count: count)
        }.sorted()
        let zeros = [UInt32](repeating: 0, count: times.count)
        let watches = Watches(
            learner: zeros, course: zeros, time: times, seconds: times.map { _ in 10 })
        try output.write(LogsShards.encode(watches), as: LogsShards.watches(0, of: 1))
    }

    private func writeBlended(_ output: StageOutput) throws {
        let entry = BlendedShards.ValidationEntry(
            model: "blend", against: "popular", group: "all", metric: "ndcg", learners: 100, mean: lift + 0.01,
            low: lift, high: lift + 0.02)
        try output.write(BlendedShards.encode([entry]), as: BlendedShards.validation)
        try output.write(BlendedShards.encode([], definition: ["none": 0]), as: BlendedShards.weights)
    }

    private func writeTopK(_ output: StageOutput) throws {
        try output.write(TopKShards.encode(courseIDs: courses), as: TopKShards.courses)
        for shard in 0..<shards {
            let ids = lists.keys.filter { LearnerHash.shard(LearnerHash.of($0.utf8), of: shards) == shard }.sorted()
            var top = TopLists()
            for id in ids {
                for (rank, course) in lists[id]!.enumerated() {
                    top.lists.courses.append(UInt32(courses.firstIndex(of: course)!))
                    top.lists.scores.append(-Float(rank))
                }
                top.lists.offsets.append(top.lists.courses.count)
                top.rungs.append(.towers)
                top.shortness.append(.full)
            }
            top.listScores = top.lists.scores
            top.reasons = top.lists.courses.map { _ in .popular }
            top.because = top.lists.courses.map { _ in 0 }
            try output.write(TopKShards.encode(top, ids: ids), as: TopKShards.topk(shard, of: shards))
            try output.write(
                LogsShards.encode(ValueDictionary(values: [])), as: TopKShards.fits(shard, of: shards))
        }
    }
}
