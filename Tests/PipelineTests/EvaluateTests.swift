// Proves evaluate and its pooling on a run written by hand (EvaluateFixture), with the real executable. Expected
// numbers: on paper. Relevant in [T, T + 28 d): a: c2; b: c1 and c6; d: c0; c is skipped.

import Foundation
import ShardKinds
import Shards
import Testing

@Suite struct EvaluateTests {
    func withRun(
        _ config: [String: String] = [:], after: Bool = true, _ body: (String, Outcome) throws -> Void
    ) throws {
        let folder = NSTemporaryDirectory() + "lectern-evaluate-\(UUID().uuidString)"
        defer { try? FileSystem.removeAll(folder) }
        let fixture = try EvaluateFixture(run: folder + "/one", after: after, config: config)
        try body(fixture.run, tool("evaluate", "--run", fixture.run, "--threads", "2"))
    }

    func report(_ folder: String) throws -> [String: Any] {
        let bytes = try FileSystem.read(folder + "/" + MetricsShards.report)
        return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    func mean(_ report: [String: Any], _ slice: String, _ model: String, _ metric: String) throws -> Double? {
        let ranking = try #require(report["ranking"] as? [String: Any])
        let slices = try #require(ranking["slices"] as? [[String: Any]])
        let found = try #require(slices.first { $0["name"] as? String == slice })
        let metrics = found["metrics"] as? [String: [String: [String: Double]]]
        return metrics?[model]?[metric]?["mean"]
    }

    @Test func metricsByHand() throws {
        try withRun { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let report = try report(run + "/metrics")
            let expected: [(String, String, String, Double)] = [
                // popular: a: c2 first, b: c1 first of two, d: c0 first.
                ("all", "popular", "recall@1", 2.5 / 3), ("warm", "popular", "recall@1", 0.75),
                ("cold", "popular", "recall@1", 1), ("all", "popular", "precision@2", 0.5),
                // cowatch: a: c4, c3, c2; b: c3, c1; d has the popular list.
                ("all", "cowatch", "recall@1", 1.0 / 3), ("all", "cowatch", "recall@2", 0.5),
                ("warm", "cowatch", "hit_rate@2", 0.5),
                // ncf: a: c3, c2; b: c1; d: its own default list, c3, c0. glmix: d: c0, c3; blend: c1, c0.
                ("all", "ncf", "recall@1", 0.5 / 3), ("warm", "ncf", "recall@2", 0.75),
                ("warm", "ncf", "mrr@2", 0.75), ("cold", "ncf", "mrr@2", 0.5),
                ("cold", "glmix", "mrr@2", 1), ("cold", "blend", "mrr@2", 0.5), ("cold", "blend", "mrr@1", 0),
                // blend: what a watched and what is not eligible is gone.
                ("all", "blend", "recall@1", 0.5), ("warm", "blend", "ndcg@1", 1),
                ("all", "export", "recall@1", 2.5 / 3),
            ]
            for (slice, model, metric, value) in expected {
                let found = try #require(try mean(report, slice, model, metric))
                #expect(abs(found - value) < 1e-12, "\(slice) \(model) \(metric): \(found), expected \(value)")
            }
            // Exported lists have one entry: nothing is said of two. Without a wide matrix there is no such line.
            #expect(try mean(report, "all", "export", "recall@2") == nil)
            #expect(try mean(report, "all", "wide", "recall@1") == nil)
            let counts = try #require(report["counts"] as? [String: Int])
            #expect(counts["learners evaluated"] == 3 && counts["learners skipped: nothing relevant"] == 1)
            #expect(counts["learners new after T"] == 1 && counts["relevant courses"] == 4)
            #expect(counts["relevant courses not eligible at T"] == 1)
            #expect(counts["relevant courses begun before T"] == 0)
            // popular shows c2; c1; c0 at 1: three of five eligible courses.
            let lists = try #require(report["lists"] as? [String: [String: [String: Double]]])
            #expect(lists["popular"]?["1"]?["coverage"] == 0.6)
            let table = String(decoding: try FileSystem.read(run + "/metrics/" + MetricsShards.table), as: UTF8.self)
            #expect(table.contains("warm: 2 learners") && table.contains("cold: 1 learners"))
        }
    }

    /// a began c2 before T, and finished it after.
    @Test(arguments: ["watched", "completed"]) func whatWasBegunCompetesInNoList(rule: String) throws {
        try withRun(["export.exclude": "\"\(rule)\""]) { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let report = try report(run + "/metrics")
            // Of a's lists popular has c3 first now, and nothing can be right; b's and d's are as they were.
            let expected: [(String, String, Double)] = [
                ("popular", "recall@1", 1.5 / 3), ("cowatch", "recall@2", 1.5 / 3), ("ncf", "recall@2", 1.5 / 3),
                ("blend", "recall@1", 0.5 / 3), ("export", "recall@1", 2.5 / 3),
            ]
            for (model, metric, value) in expected {
                let found = try #require(try mean(report, "all", model, metric))
                #expect(abs(found - value) < 1e-12, "\(model) \(metric): \(found), expected \(value)")
            }
            let counts = try #require(report["counts"] as? [String: Int])
            #expect(counts["relevant courses begun before T"] == 1)
        }
    }

    /// The lists of ncf in blended/ are the model's own: scored again beside the baselines they get the same figures.
    @Test func aModelScoredAgainHasTheSameFigures() throws {
        let place = try Workplace()
        defer { place.remove() }
        let made = try place.make("stages")
        #expect(made.code == 0, "\(made.errors)")
        let run = "\(place.out)/latest"
        let stored = try report(run + "/metrics")
        let end = try #require((stored["window_end"] as? [Int])?.first)
        let scored = try tool("evaluate", "variant", "--run", run, "--until", "\(end)", "--name", "again")
        #expect(scored.code == 0, "\(scored.errors)")
        let counts = try #require(stored["counts"] as? [String: Int])
        #expect(try #require(counts["relevant courses begun before T"]) > 0)  // else this shows nothing
        for slice in ["warm", "cold"] {
            let ndcg = try #require(try mean(stored, slice, "ncf", "ndcg@20"))
            #expect(scored.output.contains("again\t\(slice)\t") && ndcg > 0)
            let line = try #require(scored.output.split(separator: "\n").first { $0.contains("\t\(slice)\t") })
            #expect(line.contains("NDCG@20 \(String(format: "%.4f", ndcg).drop { $0 == "0" })"), "\(line): \(ndcg)")
        }
    }

    @Test(arguments: [("\"all\"", 5), ("\"50%\"", 4), ("\"30%\"", 2), ("\"label_window\"", 4)])
    func windows(rule: String, relevant: Int) throws {
        // 4 events before T, 6 after. 50 %: five, to day 150; 30 %: three, to day 102: a's c2 and d's c0.
        try withRun(["evaluate.window": rule]) { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let counts = try report(run + "/metrics")["counts"] as? [String: Int]
            #expect(counts?["relevant courses"] == relevant)
        }
    }

    @Test func nothingAfterT() throws {
        try withRun(after: false) { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let report = try report(run + "/metrics")
            #expect((report["protocol"] as? String)?.hasPrefix("validation: nothing follows T") == true)
            #expect(report["ranking"] == nil)
            let table = String(decoding: try FileSystem.read(run + "/metrics/" + MetricsShards.table), as: UTF8.self)
            #expect(table.contains(".2500 (.1250–.5000)"))
            let pooled = try tool("evaluate", "pool", run)
            #expect(pooled.code == 65 && pooled.complaints.count == 1)
        }
    }

    /// T is 1970-04-11; the first event after it lies on day 101, where a window of a day ends.
    @Test func windowsWithoutAnything() throws {
        for end in ["\"1970-04-11\"", "86400"] {
            try withRun(["evaluate.window": end]) { run, outcome in
                #expect(outcome.code == 78 && outcome.complaints.count == 1, "\(outcome.errors)")
                #expect(outcome.complaints.first?.contains("is not after T, 1970-04-11T00:00:00Z") == true)
                #expect(!FileSystem.exists(run + "/metrics"))
            }
        }
        try withRun(["evaluate.window": "\"1d\""]) { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let name = try report(run + "/metrics")["protocol"] as? String
            #expect(name?.hasPrefix("validation: no learner has a relevant course in [T, window end)") == true)
        }
    }

    @Test func pooling() throws {
        try withRun { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let other = run + "-again"
            try FileManager.default.copyItem(atPath: run, toPath: other)
            let pooled = try tool("evaluate", "pool", run, other, "--k", "2", "--out", run + "/pooled")
            #expect(pooled.code == 0, "\(pooled.errors)")
            #expect(pooled.output.contains("warm: 2 learners (4 rows: a learner and a cut each)"))
            let (one, both) = (try report(run + "/metrics"), try report(run + "/pooled"))
            for metric in ["ndcg@1", "recall@2"] {
                let single = try #require(try mean(one, "all", "cowatch", metric))
                #expect(abs(try #require(try mean(both, "all", "cowatch", metric)) - single) < 1e-12)
            }
            #expect((both["counts"] as? [String: Int])?["learners evaluated"] == 6)
            // The buckets are the runs' own (one, from 1), and what lists are as a whole comes with them.
            let slices = try #require((both["ranking"] as? [String: Any])?["slices"] as? [[String: Any]])
            #expect(slices.compactMap { $0["name"] as? String }.contains("history 1+"))
            let lists = try #require(both["slice_lists"] as? [String: [String: Any]])
            #expect(lists["history 1+"]?.isEmpty == false)
        }
    }

    @Test func runsWithOtherBucketsAreNotPooled() throws {
        try withRun { run, _ in
            let other = run + "-other"
            _ = try EvaluateFixture(run: other, config: ["evaluate.history_buckets": "[1, 2]"])
            #expect(try tool("evaluate", "--run", other).code == 0)
            let pooled = try tool("evaluate", "pool", run, other)
            #expect(pooled.code == 65 && pooled.complaints.count == 1)
            #expect(pooled.complaints.first?.contains("evaluate.history_buckets [1, 2], expected those of") == true)
        }
    }

    /// Five courses are eligible: popular and cowatch rank all of them, whatever k. ncf's lists end at 2 of a's 3.
    @Test func listsOfAllCandidatesAreCompleteAtAnyLength() throws {
        try withRun(["evaluate.cutoffs": "[2, 20]"]) { run, outcome in
            #expect(outcome.code == 0, "\(outcome.errors)")
            let report = try report(run + "/metrics")
            // All of a's and d's, one of b's two.
            #expect(abs(try #require(try mean(report, "all", "popular", "recall@20")) - 2.5 / 3) < 1e-12)
            #expect(abs(try #require(try mean(report, "all", "cowatch", "recall@20")) - 2.5 / 3) < 1e-12)
            #expect(try mean(report, "all", "ncf", "recall@2") != nil)
            #expect(try mean(report, "all", "ncf", "recall@20") == nil)
        }
    }

    /// ncf at 2: a: c3, c2; b: c1, c2; d: c3, c0, similar by ½: (1 + 1 + ½)/3.
    @Test(arguments: ["cosine", "jaccard", "lift", "pmi"]) func diversityNeedsABound(measure: String) throws {
        try withRun { run, _ in
            let other = run + "-\(measure)"
            _ = try EvaluateFixture(run: other, measure: measure)
            #expect(try tool("evaluate", "--run", other).code == 0)
            let lists = try report(other + "/metrics")["lists"] as? [String: [String: [String: Double]]]
            let found = try #require(lists?["ncf"]?["2"])
            #expect(found["coverage"] != nil)
            #expect(found["diversity"] == (["cosine", "jaccard"].contains(measure) ? 2.5 / 3 : nil))
        }
    }

    /// To day 102 only a (c2) and d (c0) have something relevant: cowatch hits d's, one of two; in 28 days one of three.
    @Test func spreadOverCuts() throws {
        try withRun { run, _ in
            let short = run + "-short"
            _ = try EvaluateFixture(run: short, config: ["evaluate.window": "\"30%\""])
            #expect(try tool("evaluate", "--run", short).code == 0)
            let pooled = try tool("evaluate", "pool", run, short, "--k", "1")
            #expect(pooled.code == 0, "\(pooled.errors)")
            let lines = pooled.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            let start = try #require(lines.firstIndex { $0.starts(with: ["NDCG@1", "by", "cut"]) })
            #expect(lines[start].suffix(3) == ["1970-04-11", "1970-04-11", "spread"])
            #expect(lines[start + 1] == ["learners", "3", "2"])
            #expect(lines[start...].contains(["cowatch", ".3333", ".5000", ".1667"]))
            #expect(lines[start...].contains(["popular", "1.0000", "1.0000", ".0000"]))
        }
    }

    @Test func damagedListsAreRefused() throws {
        try withRun { run, _ in
            let path = run + "/topk/" + TopKShards.topk(0, of: 1)
            var bytes = try FileSystem.read(path)
            bytes[bytes.count / 2] ^= 1
            try FileSystem.replace(path, with: bytes)
            let outcome = try tool("evaluate", "--run", run)
            #expect(outcome.code == 65 && outcome.complaints.count == 1, "\(outcome.errors)")
            #expect(FileSystem.exists(run + "/metrics/" + Manifest.fileName))  // the old result stays
        }
    }

    @Test func threadsDoNotShow() throws {
        try withRun { run, _ in
            let before = try Manifest.read(stageFolder: run + "/metrics").digest
            #expect(try tool("evaluate", "--run", run, "--threads", "1").code == 0)
            #expect(try Manifest.read(stageFolder: run + "/metrics").digest == before)
        }
    }
}
