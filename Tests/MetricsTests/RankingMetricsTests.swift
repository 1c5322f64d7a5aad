// Proves the ranking metrics: every expected number was worked out by hand from the definitions.
import Metrics
import Testing

private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-7 }

@Suite struct RankingMetricsTests {
    // Relevant courses 2 and 7 stand at ranks 2 and 5; 30 is not listed: R = 3.
    let hits = RankedHits(ranked: [5, 2, 9, 1, 7], relevant: [2, 7, 30])

    @Test func ranksAreFound() {
        #expect(hits.ranks == [2, 5])
        #expect(hits.relevantCount == 3)
    }

    @Test func wholeList() {
        #expect(close(hits.recall(at: 5), 2.0 / 3))
        #expect(close(hits.precision(at: 5), 0.4))
        #expect(close(hits.f1(at: 5), 0.5))
        // (1/log₂3 + 1/log₂6) / (1 + 1/log₂3 + 1/2) = 1.0177826 / 2.1309298
        #expect(close(hits.ndcg(at: 5), 0.477_623_7))
        #expect(close(hits.averagePrecision(at: 5), 0.3))  // (1/2 + 2/5) / 3
        #expect(close(hits.reciprocalRank(at: 5), 0.5))
        #expect(hits.hitRate(at: 5) == 1)
    }

    @Test func cutWithinTheList() {
        for metric in RankingMetric.allCases { #expect(metric.value(hits, at: 1) == 0) }
        #expect(close(hits.recall(at: 2), 1.0 / 3))
        #expect(close(hits.precision(at: 2), 0.5))
        // The ideal list has two courses at k = 2: (1/log₂3) / (1 + 1/log₂3).
        #expect(close(hits.ndcg(at: 2), 0.386_852_8))
        #expect(close(hits.averagePrecision(at: 2), 0.25))  // (1/2) / min(2, 3)
    }

    @Test func fewerRelevantThanK() {
        let one = RankedHits(ranked: [5, 2, 9], relevant: [5])
        #expect(one.ndcg(at: 3) == 1 && one.averagePrecision(at: 3) == 1 && one.recall(at: 3) == 1)
        #expect(close(one.precision(at: 3), 1.0 / 3))
    }

    @Test func moreRelevantThanK() {
        let full = RankedHits(ranked: [1, 2], relevant: [1, 2, 3, 4])
        #expect(full.ndcg(at: 2) == 1 && full.averagePrecision(at: 2) == 1)
        #expect(full.recall(at: 2) == 0.5)
    }

    @Test func shortListCountsAsNotRelevantBeyondItsEnd() {
        let short = RankedHits(ranked: [5], relevant: [5, 6])
        #expect(close(short.precision(at: 10), 0.1))
        #expect(close(short.ndcg(at: 10), 0.613_147_2))  // 1 / (1 + 1/log₂3)
        #expect(close(short.averagePrecision(at: 10), 0.5))
        let empty = RankedHits(ranked: [Int32](), relevant: [UInt32(1)])
        for metric in RankingMetric.allCases { #expect(metric.value(empty, at: 5) == 0) }
    }

    @Test func farRanksHaveTheirDiscount() {
        // Rank 2,047: 1/log₂2048 = 1/11.
        let far = RankedHits(ranked: 1...2_047, relevant: [2_047])
        #expect(close(far.ndcg(at: 2_047), 1.0 / 11))
    }

    @Test func duplicatesAndNoRelevantCourseAreRefused() async {
        await #expect(processExitsWith: .failure) { _ = RankedHits(ranked: [1, 2, 1], relevant: [1]) }
        await #expect(processExitsWith: .failure) { _ = RankedHits(ranked: [1], relevant: [Int]()) }
    }
}

@Suite struct ListStatisticsTests {
    // Lists {0, 1}, {0, 2}, {0} at k = 2 of 5 eligible courses: counts 3, 1, 1, 0, 0.
    let statistics: ListStatistics = {
        var part = ListStatistics(courseCount: 6, k: 2)
        part.add([0, 1, 4])
        var other = ListStatistics(courseCount: 6, k: 2)
        other.add([0, 2])
        other.add([0])
        part += other
        return part
    }()

    @Test func coverage() { #expect(close(statistics.coverage(eligible: 5), 0.6)) }

    @Test func gini() {
        // x = 0, 0, 1, 1, 3: (0·1 + 2·1 + 4·3) / (5·5)
        #expect(close(statistics.gini(eligible: 5), 0.56))
        var even = ListStatistics(courseCount: 2, k: 1)
        even.add([0])
        even.add([1])
        #expect(even.gini(eligible: 2) == 0)
    }

    @Test func novelty() {
        // Shares 1/2, 1/8 and (never watched) 1/8: (3·1 + 3 + 3) / 5
        #expect(close(statistics.novelty(watches: [4, 1, 0, 0, 0, 0], learners: 8), 1.8))
    }

    @Test func overlap() {
        // Three pairs share one course each of k = 2.
        #expect(close(statistics.meanOverlap, 0.5))
        var same = ListStatistics(courseCount: 3, k: 2)
        same.add([1, 2])
        same.add([2, 1])
        #expect(same.meanOverlap == 1)
    }

    @Test func diversity() {
        // |0−1| = 1; then |0−3| + |1−3| = 5, six in all over three pairs; the list ends before 5.
        let found = intraListDistances([0, 1, 3], cutoffs: [1, 2, 3, 5]) { abs(Double($0) - Double($1)) }
        #expect(found == [nil, 1, 2, 2])
        #expect(intraListDistances([7], cutoffs: [2]) { _, _ in 1 } == [nil])
    }
}
