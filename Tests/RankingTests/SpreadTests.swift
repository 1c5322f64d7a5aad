// Proves that the ratio of spreads tells of the models alone: neither idle learners nor the share of newcomers moves it.
// Expected: by hand.

import LinearAlgebra
import Platform
import Ranking
import Testing

@Suite struct SpreadTests {
    @Test func groupsWeighAsTheyDidEarlier() {
        let earlier = ScoreSpread(warm: [4, 4, 4], cold: [1])
        // The same models on a platform of newcomers.
        #expect(ScoreSpread(warm: [4], cold: [Double](repeating: 1, count: 100)).ratio(to: earlier) == 1)
        // Twice as wide with a context: (3·16 + 1·1)/(3·4 + 1) = 49/13.
        let wider = ScoreSpread(warm: [10, 22], cold: [1, 1]).ratio(to: earlier)
        #expect(abs(wider - (49.0 / 13).squareRoot()) < 1e-12)
        // A group that only one side has is left out.
        #expect(ScoreSpread(warm: [16]).ratio(to: earlier) == 2)
        #expect(ScoreSpread(warm: [16], cold: [9]).ratio(to: ScoreSpread(warm: [4])) == 2)
    }

    @Test func nothingToCompare() {
        #expect(ScoreSpread().ratio(to: ScoreSpread(warm: [4])) == 1)
        #expect(ScoreSpread(warm: [0]).ratio(to: ScoreSpread(warm: [0])) == 1)
        // It said nothing then: its scale is 1.
        #expect(ScoreSpread(warm: [9]).ratio(to: ScoreSpread(warm: [0])) == 3)
        // It says nothing any more.
        #expect(ScoreSpread(warm: [0]).ratio(to: ScoreSpread(warm: [4])) == 0)
    }

    /// T = 1000, t_v = 900, contexts from 500 on.
    @Test func whoIsMeasured() {
        let windows = TimeWindows(
            asOf: 1_000, history: 500, labelWindow: 100, stride: 100, snapshots: 0, firstMoment: 0)
        // Active; away since 800; nothing; older than a context reaches; then sixteen who are active, and nothing.
        let times: [Int64?] = [950, 800, nil, 100] + [Int64?](repeating: 999, count: 16) + [nil]
        var offsets = [0]
        for time in times { offsets.append(offsets.last! + (time == nil ? 0 : 1)) }
        let known = times.compactMap { $0 }
        let moments = Moments(offsets: offsets, courses: known.map { _ in 0 }, times: known)
        let sample = ScoreSpread.sample(moments, windows)
        #expect(sample.indices.filter { sample[$0] } == [0, 2, 19])
    }

    @Test func onlyWhoIsMeasuredHasVariances() {
        let scores = ModelScores(
            ncf: FunctionScorer(learnerCount: 2, courseCount: 2) { l, c in Float((l + 1) * c) },
            glmix: FunctionScorer(learnerCount: 2, courseCount: 2) { _, c in Float(4 * c) }, courses: plainCourses(2),
            exclusions: sets([[], []]))
        let ranked = scores.rank(
            fixedBlend(ncf: 1, glmix: 1, recent: 1), scales: ScoreScales(ncf: 1, glmix: 1, recent: 1),
            traits: [traits(1), traits(1)], candidates: 2, alone: 2, measured: [false, true], workers: Workers(count: 1)
        )
        #expect(ranked[0].variances == nil)
        // Scores 0 and 2, 0 and 4 around their means.
        #expect(ranked[1].variances?.ncf == 1 && ranked[1].variances?.glmix == 4)
    }
}
