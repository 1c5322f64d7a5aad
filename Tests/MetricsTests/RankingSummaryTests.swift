// Proves the summary: means by slice by hand, pairing by learner, several cuts of one learner, and what the table says.
import LinearAlgebra
import Metrics
import Testing

@Suite struct RankingSummaryTests {
    /// Two models at depth 2; a finds what it finds at rank 1, b at rank 2.
    func learners() -> EvaluatedLearners {
        var rows = EvaluatedLearners(models: ["popular", "blend"], depths: [2, 2])
        func hits(_ ranks: [Int]) -> RankedHits { RankedHits(ranks: ranks, relevantCount: 2) }
        rows.append(id: "x", history: 0, segment: "s", language: "de", rung: "trend", hits: [hits([]), hits([1])])
        rows.append(id: "y", history: 3, segment: "", language: "en", rung: "towers", hits: [hits([2]), hits([1, 2])])
        rows.append(id: "z", history: 9, segment: "s", language: "en", rung: "towers", hits: [hits([1]), hits([])])
        return rows
    }

    func summary(_ rows: EvaluatedLearners) -> RankingSummary {
        RankingSummary(
            rows, cutoffs: [1, 2, 5], historyBounds: [1, 5], reference: "blend", bootstrap: Bootstrap(seed: 1),
            workers: Workers(count: 2))
    }

    @Test func slicesAndMeans() {
        let result = summary(learners())
        let names = [
            "all", "warm", "cold", "history 1-4", "history 5+", "segment s", "language de", "language en",
            "rung towers", "rung trend",
        ]
        #expect(result.slices.map(\.name) == names)
        #expect(result.slices.map(\.rows) == [3, 2, 1, 1, 1, 2, 1, 2, 2, 1])
        // y: ½ − 1 and z: ½ − 0, popular minus blend at 2; the difference is blend − popular.
        #expect(abs(result["language en"]!.differences["popular"]!["recall@2"]!.mean) < 1e-12)
        let all = result["all"]!
        #expect(abs(all.metrics["blend"]!["recall@2"]!.mean - 0.5) < 1e-12)  // ½, 1, 0
        #expect(abs(all.metrics["popular"]!["recall@2"]!.mean - 1.0 / 3) < 1e-12)  // 0, ½, ½
        #expect(abs(all.differences["popular"]!["recall@2"]!.mean - 1.0 / 6) < 1e-12)
        #expect(result["cold"]!.metrics["blend"]!["hit_rate@1"]!.mean == 1)
        // Beyond the lists' depth there is no metric.
        #expect(all.metrics["blend"]!["recall@5"] == nil && all.differences["blend"] == nil)
    }

    @Test func cutsArePooledByLearner() {
        var pooled = learners()
        pooled.append(learners())
        let (once, twice) = (summary(learners())["all"]!, summary(pooled)["all"]!)
        #expect(twice.rows == 6 && twice.learners == 3)
        // The same learners twice are no new evidence: equal means and equal intervals.
        let (a, b) = (once.differences["popular"]!["ndcg@2"]!, twice.differences["popular"]!["ndcg@2"]!)
        #expect(abs(a.mean - b.mean) < 1e-12 && abs(a.low - b.low) < 1e-9 && abs(a.high - b.high) < 1e-9)
    }

    // é as one scalar and as two: the same text for Swift, two learners.
    @Test func learnersAreToldApartByTheirBytes() {
        var rows = EvaluatedLearners(models: ["blend"], depths: [2])
        for id in ["caf\u{e9}", "cafe\u{301}"] {
            rows.append(id: id, history: 1, segment: "", hits: [RankedHits(ranks: [1], relevantCount: 1)])
        }
        #expect(summary(rows)["all"]!.learners == 2)
    }

    @Test func table() {
        let text = summary(learners()).text(slices: ["warm", "cold"], k: 2)
        #expect(text.hasPrefix("warm: 2 learners\n"))
        #expect(text.contains("cold: 1 learners\n"))
        let line = text.split(separator: "\n").first { $0.contains("popular") }!
        #expect(line.contains("+.0000") || line.contains("−.0000"))  // recall: ½ each
        #expect(RankingSummary.number(0.12345) == ".1235" && RankingSummary.number(1) == "1.0000")
        #expect(RankingSummary.signed(Interval(mean: -0.5, low: -0.75, high: 0)) == "−.5000 (−.7500 to +.0000)")
    }
}
