// A run written by hand, shard by shard: three courses' worth of history, and what followed. Every number that
// EvaluateTests expects was worked out on paper from it.

import Foundation
import LinearAlgebra
import Platform
import ShardKinds
import Shards

/// T = day 100; learners a, b, c are known, d appears only after T; c5 is retired, c6 exists only after T.
///
/// Moments before T: a has c0 and c1, b has c0, c has none. a saw 20 s of c2 (the threshold is 30 s).
/// After T: a: 15 s of c2 on day 101 (35 s in all: relevant), c3 on day 150; b: c6 on day 102, c1 on day 103;
/// c: 10 s of c4 on day 101; d: c0 on day 101.
struct EvaluateFixture {
    static let day: Int64 = 86_400
    static let asOf = 100 * day
    let run: String

    init(run: String, after: Bool = true, config: [String: String] = [:], measure: String = "cosine") throws {
        self.run = run
        try writeConfig(config)
        try writeLogs(after: after)
        try writeWatched()
        try writeCoWatch(measure)
        for stage in ["train-ncf": "ncf", "train-glmix": "glmix"] { try write(stage.key, stage.value) { _ in } }
        try writeBlended()
        try writeTopK()
    }

    private func writeConfig(_ changes: [String: String]) throws {
        var slice = [
            "run.seed": "1", "evaluate.window": "\"28d\"", "evaluate.cutoffs": "[1, 2]",
            "evaluate.table_cutoff": "2", "evaluate.baselines": "[\"popular\", \"recent\", \"cowatch\", \"wide\"]",
            "evaluate.recent_window": "\"28d\"", "evaluate.history_buckets": "[1]",
            "evaluate.resamples": "200", "evaluate.cuts": "[0.5]",
            "export.exclude": "\"none\"", "export.completed_fraction": "0.9",
        ]
        slice.merge(changes) { $1 }
        let json = "{" + slice.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
        try FileSystem.createFolder(run + "/config")
        try FileSystem.replace(run + "/config/evaluate.json", with: SelfCheck.sealed(Array(json.utf8)))
    }

    /// Writes a stage folder with its manifest.
    private func write(
        _ stage: String, _ folder: String, facts: [String: Manifest.Fact] = [:], nested: [String] = [],
        _ body: (StageOutput) throws -> Void
    ) throws {
        let output = try StageOutput(run: run, stage: folder)
        try body(output)
        var manifest = Manifest(
            stage: stage, release: "test", config: "", asOf: Self.asOf, newestEvent: Self.asOf - 1)
        manifest.facts = facts
        let inner = manifest
        try output.commit(manifest, nested: Dictionary(uniqueKeysWithValues: nested.map { ($0, inner) }))
    }

    private func watches(_ rows: [(learner: UInt32, course: UInt32, day: Int64, seconds: Float)]) -> Watches {
        Watches(
            learner: rows.map(\.learner), course: rows.map(\.course), time: rows.map { $0.day * Self.day },
            seconds: rows.map(\.seconds))
    }

    private func writeLogs(after: Bool) throws {
        try write("import-logs", "logs", nested: [LogsShards.afterFolder]) { output in
            try output.write(LogsShards.encode(courses(0..<6)), as: LogsShards.courses)
            try write(learners: ["a", "b", "c"], output, LogsShards.learners(0, of: 1))
            let before = watches([(0, 0, 60, 100), (0, 1, 90, 100), (0, 2, 95, 20), (1, 0, 97, 60)])
            try output.write(LogsShards.encode(before), as: LogsShards.watches(0, of: 1))
            let later = watches([
                (0, 2, 101, 15), (0, 3, 150, 100), (1, 6, 102, 100), (1, 1, 103, 100), (2, 4, 101, 10),
                (3, 0, 101, 100),
            ])
            // d has the row and c6 the number that follow those known before T.
            try output.write(LogsShards.encode(courses(6..<7)), as: LogsShards.after(LogsShards.courses))
            try write(learners: ["d"], output, LogsShards.after(LogsShards.learners(0, of: 1)))
            try output.write(
                LogsShards.encode(after ? later : watches([])), as: LogsShards.after(LogsShards.watches(0, of: 1)))
        }
    }

    private func courses(_ range: Range<Int>) -> Catalogue {
        let ids = range.map { "c\($0)" }
        return Catalogue(
            ids: ids, titles: ids, publishedAt: ids.map { _ in .min },
            retiredAt: range.map { $0 == 5 ? 50 * Self.day : .max },
            duration: ids.map { _ in nil }, attributes: AttributeTable(rows: ids.count), dictionaries: [:])
    }

    private func write(learners ids: [String], _ output: StageOutput, _ name: String) throws {
        let learners = Learners(ids: ids, attributes: AttributeTable(rows: ids.count))
        try output.write(LogsShards.encode(learners), as: name)
    }

    private func writeWatched() throws {
        let windows = TimeWindows(
            asOf: Self.asOf, history: 365 * Self.day, labelWindow: 28 * Self.day, stride: 28 * Self.day, snapshots: 0,
            firstMoment: 0)
        try write("filter-watches", "watched", facts: windows.facts) { output in
            let moments = Moments(
                offsets: [0, 2, 3, 3], courses: [0, 1, 0], times: [60 * Self.day, 90 * Self.day, 97 * Self.day])
            try output.write(WatchedShards.encode(moments), as: WatchedShards.moments(0, of: 1))
            let buckets = WatchTimeHistogram.bucketNames.count
            var thresholds = ShardBuilder(kind: "thresholds", rows: buckets)
            thresholds.add("quantile_seconds", [Float](repeating: 0, count: buckets))
            let filter = WatchFilter(
                minSeconds: 30, minFraction: 0, quantileSeconds: [Float](repeating: 0, count: buckets),
                keepsUnknown: true, maxCoursesPerLearner: 100)
            WatchedShards.describe(filter, in: &thresholds)
            try output.write(thresholds, as: WatchedShards.thresholds)
        }
    }

    /// c0 is like c3 (.5), c1 like c4 (.9).
    private func writeCoWatch(_ measure: String) throws {
        try write("build-cooccurrence", "cowatch", facts: ["measure": .text(measure)]) { output in
            let similarity = SparseRows(
                columnCount: 6, offsets: [0, 2, 4, 5, 6, 7, 8], columns: [0, 3, 1, 4, 2, 3, 4, 5],
                values: [1, 0.5, 1, 0.9, 1, 1, 1, 1])
            let snapshot = CoWatchSnapshot(time: Self.asOf, similarity: similarity, wide: .none)
            try output.write(CoWatchShards.encodeSimilarity(snapshot), as: CoWatchShards.similarity(Self.asOf))
        }
    }

    private func lists(_ courses: [[UInt32]]) -> RankedLists {
        var lists = RankedLists()
        for list in courses {
            lists.courses += list
            lists.scores += list.indices.map { -Float($0) }
            lists.offsets.append(lists.courses.count)
        }
        return lists
    }

    private func candidates(_ courses: [[UInt32]]) -> ShardBuilder {
        let lists = lists(courses)
        let zeros = [Float](repeating: 0, count: lists.courses.count)
        return BlendedShards.encode(Candidates(lists: lists, ncf: zeros, glmix: zeros, recent: zeros))
    }

    private func writeBlended() throws {
        try write("blend", "blended") { output in
            let single = BlendedShards.SingleLists(
                ncf: lists([[3, 2], [1, 2], []]), glmix: lists([[4], [2], []]))
            try output.write(BlendedShards.encode(single), as: BlendedShards.single(0, of: 1))
            // c0 was watched by a, c5 is retired: both must go.
            try output.write(candidates([[0, 2, 3], [5, 1], [0]]), as: BlendedShards.candidates(0, of: 1))
            try output.write(candidates([[1, 0]]), as: BlendedShards.defaults)
            let defaults = BlendedShards.SingleLists(ncf: lists([[3, 0]]), glmix: lists([[0, 3]]))
            try output.write(BlendedShards.encode(defaults), as: BlendedShards.defaultSingle)
            let entry = BlendedShards.ValidationEntry(
                model: "blend", against: "", group: "warm", metric: "ndcg", learners: 7, mean: 0.25, low: 0.125,
                high: 0.5)
            try output.write(BlendedShards.encode([entry]), as: BlendedShards.validation)
        }
    }

    private func top(_ courses: [[UInt32]]) -> TopLists {
        var top = TopLists()
        top.lists = lists(courses)
        top.listScores = top.lists.scores
        top.reasons = top.lists.courses.map { _ in .popular }
        top.because = top.lists.courses.map { _ in 0 }
        top.rungs = courses.map { _ in .trend }
        top.shortness = courses.map { _ in .full }
        return top
    }

    private func writeTopK() throws {
        try write("export-topk", "topk") { output in
            try output.write(
                TopKShards.encode(top([[2], [1], [0]]), ids: ["a", "b", "c"]), as: TopKShards.topk(0, of: 1))
            try output.write(TopKShards.encodeDefaults(top([[0]])), as: TopKShards.defaults)
        }
    }
}
