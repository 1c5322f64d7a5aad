// Proves that fused scoring and selection finds the same lists as sorting the whole row, without ineligible and
// excluded courses, whatever the number of threads. Expected: a plain twin that sorts everything, and hand-made rows.

import LinearAlgebra
import Platform
import Ranking
import Testing

private let seed: UInt64 = 11

@Suite struct FusedRankingTests {
    /// The n best allowed courses by full sort; score descending, then course number.
    private func twin(_ score: (Int) -> Float, _ allowed: [Int], _ n: Int) -> [UInt32] {
        allowed.sorted { (-score($0), $0) < (-score($1), $1) }.prefix(n).map { UInt32($0) }
    }

    private func scores(_ learners: Int, _ courses: Int, excluded: [[UInt32]], ineligible: Set<Int>) -> ModelScores {
        ModelScores(
            ncf: FunctionScorer(learnerCount: learners, courseCount: courses) { noise(seed, $0, $1) },
            // Few different values: many ties.
            glmix: FunctionScorer(learnerCount: learners, courseCount: courses) { l, c in Float((l + c * 7) % 5) },
            courses: plainCourses(courses, ineligible: ineligible), exclusions: sets(excluded))
    }

    @Test(arguments: [1, 40, 1_500, 5_000]) func matchesFullSort(_ courses: Int) {
        let learners = 70
        let ineligible = Set(stride(from: 3, to: courses, by: 9))
        let excluded = (0..<learners).map { l in (0..<courses).filter { ($0 + l) % 11 == 0 }.map { UInt32($0) } }
        let scores = scores(learners, courses, excluded: excluded, ineligible: ineligible)
        let scales = ScoreScales(ncf: 2, glmix: 0.5, recent: 1)
        let ranked = scores.rank(
            fixedBlend(ncf: 1.5, glmix: 0.25, recent: 1), scales: scales,
            traits: [LearnerTraits](repeating: traits(3), count: learners), candidates: 100, alone: 50,
            workers: Workers(count: 2))
        for l in 0..<learners {
            let allowed = (0..<courses).filter { !ineligible.contains($0) && !excluded[l].contains(UInt32($0)) }
            #expect(ranked[l].ncfAlone.courses == twin({ noise(seed, l, $0) }, allowed, 50))
            #expect(ranked[l].glmixAlone.courses == twin({ Float((l + $0 * 7) % 5) }, allowed, 50))
            let best = ranked[l].courses
            #expect(best.count == min(100, allowed.count))
            #expect(Set(best).isSubset(of: allowed.map { UInt32($0) }))
            for i in best.indices.dropFirst() {
                #expect(
                    TopSelection.precedes(
                        ranked[l].scores[i - 1], Int32(best[i - 1]), ranked[l].scores[i], Int32(best[i])))
            }
            // Blended by hand, in double: the score of every kept course, and no better one was left out.
            let mean = (
                allowed.reduce(0.0) { $0 + Double(noise(seed, l, $1)) } / Double(max(1, allowed.count)),
                allowed.reduce(0.0) { $0 + Double((l + $1 * 7) % 5) } / Double(max(1, allowed.count))
            )
            func blended(_ c: Int) -> Double {
                1.5 * (Double(noise(seed, l, c)) - mean.0) / 2 + 0.25 * (Double((l + c * 7) % 5) - mean.1) / 0.5
            }
            for (i, course) in best.enumerated() {
                #expect(abs(Double(ranked[l].scores[i]) - blended(Int(course))) < 1e-4)
            }
            let worst = best.map { blended(Int($0)) }.min() ?? 0
            let left = allowed.filter { !best.contains(UInt32($0)) }.map(blended).max() ?? -.infinity
            #expect(left <= worst + 1e-4)
        }
    }

    @Test func sameBitsForAnyNumberOfThreads() {
        let scores = scores(200, 2_000, excluded: (0..<200).map { [UInt32($0)] }, ineligible: [5])
        func ranked(_ threads: Int) -> [RankedLearner] {
            scores.rank(
                fixedBlend(ncf: 1, glmix: 0.5, recent: 0.5), scales: ScoreScales(ncf: 1, glmix: 1, recent: 1),
                traits: [LearnerTraits](repeating: traits(1), count: 200), candidates: 60, alone: 20,
                workers: Workers(count: threads))
        }
        let one = ranked(1)
        #expect(one == ranked(2))
        #expect(one == ranked(3))
    }

    /// What the guessed threshold is drawn from misleads: every sixteenth panel of 16 courses is far better (then the
    /// threshold keeps nearly all others out, and the list must still be filled) or far worse than the rest.
    @Test(arguments: [8, -8] as [Float]) func aMisleadingSampleChangesNothing(_ shift: Float) {
        let (learners, courses) = (50, 4_096)
        // Panels 4, 12, 20, … of 256 are sampled (the middles of 32 parts).
        @Sendable func score(_ l: Int, _ c: Int) -> Float { noise(seed, l, c) + (c / 16 % 8 == 4 ? shift : 0) }
        let ranking = FusedRanking(
            models: [FunctionScorer(learnerCount: learners, courseCount: courses, value: score)],
            eligible: [Bool](repeating: true, count: courses), exclusions: sets((0..<learners).map { [UInt32($0)] }),
            lists: [.alone(0, n: 700)])
        let found = ranking.map(workers: Workers(count: 2)) { $1.lists[0].courses }
        for l in 0..<learners {
            #expect(found[l] == twin({ score(l, $0) }, (0..<courses).filter { $0 != l }, 700), "learner \(l)")
        }
    }

    /// Each course is better than all before it, or all are equal: what is kept overflows again and again.
    @Test(arguments: [1, 0] as [Float]) func risingAndEqualScores(_ slope: Float) {
        let courses = 20_000
        let ranking = FusedRanking(
            models: [FunctionScorer(learnerCount: 2, courseCount: courses) { l, c in slope * Float(c) - Float(l) }],
            eligible: [Bool](repeating: true, count: courses), exclusions: sets([[], [3, 19_999]]),
            lists: [.alone(0, n: 10)])
        let found = ranking.map(workers: Workers(count: 1)) { ($1.lists[0].courses, $1.means[0]) }
        let best = slope == 1 ? (0..<12).map { UInt32(19_999 - $0) } : (0..<12).map { UInt32($0) }
        #expect(found[0].0 == Array(best[0..<10]))
        #expect(found[1].0 == Array(best.filter { $0 != 3 && $0 != 19_999 }[0..<10]))
        #expect(abs(found[0].1 - Double(slope) * 9_999.5) < 0.01)
        #expect(abs(found[1].1 - Double(slope) * (199_990_000 - 20_002) / 19_998 + 1) < 0.01)
    }

    @Test func variancesAreOfAllowedCourses() {
        // Allowed: 1, 2, 6 with mean 3: (4 + 1 + 9)/3.
        let ranking = FusedRanking(
            models: [FunctionScorer(learnerCount: 1, courseCount: 5) { [1, 100, 2, 100, 6][$1 + $0] }],
            eligible: [true, false, true, true, true], exclusions: sets([[3]]), lists: [.alone(0, n: 2)],
            measured: [true])
        let found = ranking.map(workers: Workers(count: 1)) { $1 }[0]
        #expect(found.means == [3])
        #expect(abs(found.variances![0] - 14 / 3) < 1e-9)
    }

    @Test func partsAreStandardisedScores() {
        // Three allowed courses with NCF scores 1, 2, 6 (mean 3), GLMix 0, 0, 3 (mean 1), recent 0, 3, 0 (mean 1);
        // course 1 is ineligible, course 3 watched.
        let scores = ModelScores(
            ncf: FunctionScorer(learnerCount: 1, courseCount: 5) { [1, 100, 2, 100, 6][$1 + $0] },
            glmix: FunctionScorer(learnerCount: 1, courseCount: 5) { [0, 100, 0, 100, 3][$1 + $0] },
            courses: plainCourses(5, ineligible: [1], recent: [0, 7, 3, 9, 0]), exclusions: sets([[3]]))
        let ranked = scores.rank(
            fixedBlend(ncf: 2, glmix: 1, recent: 4), scales: ScoreScales(ncf: 1, glmix: 2, recent: 1),
            traits: [traits(2)], candidates: 9, alone: 9, workers: Workers(count: 1))[0]
        // Course 4: 2·3 + 1·(2/2) − 4·1 = 3; course 2: −2 − 0.5 + 8 = 5.5; course 0: −4 − 0.5 − 4 = −8.5.
        #expect(ranked.courses == [2, 4, 0])
        #expect(zip(ranked.scores, [5.5, 3, -8.5] as [Float]).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(ranked.ncf == [-1, 3, -2])
        #expect(ranked.glmix == [-0.5, 1, -0.5])
        #expect(ranked.recent == [2, -1, -1])
        #expect(ranked.ncfAlone.courses == [4, 2, 0])
    }

    @Test func flagsAndChoices() {
        let scores = ModelScores(
            ncf: FunctionScorer(learnerCount: 2, courseCount: 3) { _, c in [3, 2, 1][c] },
            glmix: FunctionScorer(learnerCount: 2, courseCount: 3) { _, c in [1, 2, 3][c] },
            courses: CourseTraits(
                eligible: [true, true, true], recent: [0, 0, 0], hasCoWatches: [false, true, true],
                hasEngagements: [true, true, false]), exclusions: sets([[], []]))
        var blend = fixedBlend(ncf: 1, glmix: 0.001, recent: 1)
        func lists() -> [[UInt32]] {
            scores.rank(
                blend, scales: ScoreScales(ncf: 1, glmix: 1, recent: 1), traits: [traits(4), traits(0)], candidates: 3,
                alone: 1, workers: Workers(count: 1)
            ).map(\.courses)
        }
        #expect(lists() == [[0, 1, 2], [0, 1, 2]])
        blend.warm.parameters[blend.layout.isolated] = -1.5  // 3 − 1.5 falls between 2 and 1
        blend.cold.parameters[blend.layout.unengaged] = 5
        #expect(lists() == [[1, 0, 2], [2, 0, 1]])
        blend.cold.choice = .glmix
        #expect(lists() == [[1, 0, 2], [2, 1, 0]])
    }

    @Test func nobodyAndNothing() {
        let none = ModelScores(
            ncf: FunctionScorer(learnerCount: 1, courseCount: 2) { _, _ in 0 },
            glmix: FunctionScorer(learnerCount: 1, courseCount: 2) { _, _ in 0 },
            courses: plainCourses(2, ineligible: [0]), exclusions: sets([[1]]))
        let ranked = none.rank(
            fixedBlend(ncf: 1, glmix: 1, recent: 1), scales: ScoreScales(ncf: 1, glmix: 1, recent: 1),
            traits: [traits(0)], candidates: 5, alone: 5, workers: Workers(count: 1))
        #expect(ranked[0].courses.isEmpty && ranked[0].ncfAlone.courses.isEmpty)
        #expect(Candidates(ranked).lists == RankedLists(offsets: [0, 0], courses: [], scores: []))
    }
}
