// Writes a finished run of so many learners, as far as serving looks at it, for `make bench-serving`:
//
//     bench-serving RUN LEARNERS GENERATION
//
// 16,000 courses, lists of 20, shards of at most 16,384 learners, topk.sqlite beside. In generation 1 every tenth list
// differs from generation 0, and the learners whose number ends in 99 are gone.

import Foundation
import LinearAlgebra
import Platform
import Serving
import ServingSQLite
import ShardKinds
import Shards

let run = CommandLine.arguments[1]
let learners = Int(CommandLine.arguments[2])!
let generation = Int(CommandLine.arguments[3])!
let asOf: Int64 = (20_000 + Int64(generation)) * 86_400
let k = 20
let shards = {
    var shards = 16
    while shards * 16_384 < learners { shards *= 2 }
    return shards
}()
let courses = (0..<16_000).map { "course-" + String(100_000 + $0) }
let key = RandomKey(seed: 1, purpose: "bench")

func stage(
    _ name: String, _ folder: String, _ facts: [String: Manifest.Fact] = [:], _ body: (StageOutput) throws -> Void
) throws {
    let output = try StageOutput(run: run, stage: folder)
    try body(output)
    var manifest = Manifest(stage: name, release: "bench", config: "", asOf: asOf, newestEvent: asOf - 1)
    manifest.facts = facts
    try output.commit(manifest)
}

/// Ids by shard, each in the order of bytes.
func ids() -> [[String]] {
    var ids = [[String]](repeating: [], count: shards)
    for learner in 0..<learners where generation == 0 || learner % 100 != 99 {
        let id = "learner-" + String(10_000_000 + learner)
        ids[LearnerHash.shard(LearnerHash.of(id.utf8), of: shards)].append(id)
    }
    return ids
}

func lists(_ ids: [String]) -> TopLists {
    var top = TopLists()
    for id in ids {
        let number = Int(id.suffix(8))!
        var random = key.stream(number, number % 10 == 0 ? generation : 0)
        var chosen: [UInt32] = []
        while chosen.count < k {
            let course = UInt32(random.below(courses.count))
            if !chosen.contains(course) { chosen.append(course) }
        }
        top.lists.courses += chosen
        top.lists.scores += (0..<k).map { Float(k - $0) / 8 }
        top.lists.offsets.append(top.lists.courses.count)
        top.rungs.append(.towers)
        top.shortness.append(.full)
    }
    top.listScores = top.lists.scores
    top.reasons = top.lists.courses.map { _ in .watched }
    top.because = top.lists.courses.map { ($0 + 1) % UInt32(courses.count) }
    return top
}

func writeTopK(_ output: StageOutput) throws {
    try output.write(TopKShards.encode(courseIDs: courses), as: TopKShards.courses)
    let staging = try output.path(for: "staging.sqlite")
    let sqlite = try SQLiteLists(path: try output.path(for: SQLiteLists.fileName), staging: staging)
    for (shard, ids) in ids().enumerated() {
        let top = lists(ids)
        try output.write(TopKShards.encode(top, ids: ids), as: TopKShards.topk(shard, of: shards))
        try output.write(LogsShards.encode(ValueDictionary(values: [])), as: TopKShards.fits(shard, of: shards))
        try sqlite.append(ServedList.lists(top, keys: ids, courses: courses, fits: []), .learner)
    }
    var nobody = TopLists()
    nobody.lists.offsets.append(0)
    nobody.rungs = [.trend]
    nobody.shortness = [.catalogue]
    try output.write(TopKShards.encodeDefaults(nobody), as: TopKShards.defaults)
    let rows = try sqlite.finish(courses: courses.map { ($0, "Title of " + $0) }, about: [("release", "bench")])
    try FileSystem.removeAll(staging)
    try output.adopt(SQLiteLists.fileName, rows: rows)
}

func writeLogs(_ output: StageOutput) throws {
    let unknown = [Int64](repeating: .min, count: courses.count)
    let catalogue = Catalogue(
        ids: courses, titles: courses.map { "Title of " + $0 }, publishedAt: unknown,
        retiredAt: unknown.map { _ in .max }, duration: unknown.map { _ in nil },
        attributes: AttributeTable(rows: courses.count), dictionaries: [:])
    try output.write(LogsShards.encode(catalogue), as: LogsShards.courses)
    let times = (0..<35).map { asOf - 86_400 * (35 - Int64($0)) }
    let watches = Watches(
        learner: times.map { _ in 0 }, course: times.map { _ in 0 }, time: times, seconds: times.map { _ in 10 })
    for shard in 0..<shards {
        try output.write(LogsShards.encode(watches), as: LogsShards.watches(shard, of: shards))
    }
}

func writeBlended(_ output: StageOutput) throws {
    let entry = BlendedShards.ValidationEntry(
        model: "blend", against: "popular", group: "all", metric: "ndcg", learners: 100, mean: 0.02, low: 0.01,
        high: 0.03)
    try output.write(BlendedShards.encode([entry]), as: BlendedShards.validation)
    try output.write(BlendedShards.encode([], definition: ["none": 0]), as: BlendedShards.weights)
}

try FileSystem.createFolder(run + "/config")
let parameters = """
    {"publish.keep": 2, "publish.max_churn": 0.5, "publish.min_coverage": 0.2, "publish.min_lift_over_popular": 0, \
    "publish.min_volume_ratio": 0.5, "publish.scale_ratio": 2}
    """
try FileSystem.write(SelfCheck.sealed(Array(parameters.utf8)), to: run + "/config/publish-run.json")
for (name, folder) in [
    ("filter-watches", "watched"), ("build-cooccurrence", "cowatch"), ("train-ncf", "ncf"), ("train-glmix", "glmix"),
] {
    try stage(name, folder) { output in try output.write(Array("\(name) of \(asOf)".utf8), as: "model.txt") }
}
try stage("import-logs", "logs", [:], writeLogs)
try stage("blend", "blended", ["scale_ratio_ncf": .number(1), "scale_ratio_glmix": .number(1)], writeBlended)
try stage("export-topk", "topk", ["coverage": .number(0.9)], writeTopK)
try stage("evaluate", "metrics") { output in try output.write(Array("a table\n".utf8), as: "table.txt") }
