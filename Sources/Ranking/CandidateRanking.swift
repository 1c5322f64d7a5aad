import LinearAlgebra
import Platform

/// One learner's part of what the blend writes.
package struct RankedLearner: Sendable, Equatable {
    /// Best first, with blended logits and standardised parts.
    package var courses: [UInt32]
    package var scores: [Float]
    package var ncf: [Float]
    package var glmix: [Float]
    package var recent: [Float]
    /// The best of each model alone, with its raw scores.
    package var ncfAlone: (courses: [UInt32], scores: [Float])
    package var glmixAlone: (courses: [UInt32], scores: [Float])
    /// Mean squares of the centred scores; nil for learners that are not measured.
    package var variances: (ncf: Double, glmix: Double)?

    package static func == (a: RankedLearner, b: RankedLearner) -> Bool {
        a.courses == b.courses && a.scores == b.scores && a.ncf == b.ncf && a.glmix == b.glmix && a.recent == b.recent
            && a.ncfAlone == b.ncfAlone && a.glmixAlone == b.glmixAlone
    }
}

extension ModelScores {
    /// Ranks every course for every learner and keeps each one's best.
    ///
    /// Which courses those are is decided by the blended score without what is the same for all courses of a learner;
    /// that is added last, and should it round two scores into one, the smaller course number goes first.
    /// - Parameters:
    ///   - traits: one per learner of the group.
    ///   - candidates: how many courses are kept by the blended score.
    ///   - alone: how many by each model alone.
    ///   - measured: learners that get variances; empty: none.
    package func rank(
        _ blend: BlendModel, scales: ScoreScales, traits: [LearnerTraits], candidates: Int, alone: Int,
        measured: [Bool] = [], workers: Workers
    ) -> [RankedLearner] {
        precondition(traits.count == learnerCount)
        let flags = [(courses.anyIsolated, courses.isolated), (courses.anyUnengaged, courses.unengaged)]
        let columns = [courses.recent] + flags.filter(\.0).map(\.1)
        let ranking = FusedRanking(
            models: [ncf, glmix], columns: columns, eligible: courses.eligible, exclusions: exclusions,
            lists: [
                .alone(0, n: alone), .alone(1, n: alone),
                RankedSum(n: candidates, of: Array(0..<2 + columns.count), keepsParts: true) { learner in
                    let w = blend.weights(traits[learner])
                    return [w.ncf / scales.ncf, w.glmix / scales.glmix, w.recent / scales.recent]
                        + (courses.anyIsolated ? [w.isolated] : []) + (courses.anyUnengaged ? [w.unengaged] : [])
                },
            ], measured: measured)
        return ranking.map(workers: workers) { learner, found in
            ranked(found, blend.weights(traits[learner]), scales, recentMean: recentMean(learner))
        }
    }

    private func recentMean(_ learner: Int) -> Double {
        var (sum, count) = (courses.recentSum, courses.eligibleCount)
        for course in exclusions[learner] where courses.eligible[Int(course)] {
            sum -= Double(courses.recent[Int(course)])
            count -= 1
        }
        return count == 0 ? 0 : sum / Double(count)
    }

    private func ranked(
        _ found: FusedLists, _ w: ScoreWeights, _ scales: ScoreScales, recentMean: Double
    ) -> RankedLearner {
        let best = found.lists[2]
        let means = (ncf: Float(found.means[0]), glmix: Float(found.means[1]), recent: Float(recentMean))
        let constant =
            w.intercept - w.ncf / scales.ncf * means.ncf - w.glmix / scales.glmix * means.glmix
            - w.recent / scales.recent * means.recent
        let scores = best.scores.map { $0 + constant }
        var order = Array(best.courses.indices)
        // Nearly always sorted already.
        if order.dropFirst().contains(where: { scores[$0 - 1] == scores[$0] && best.courses[$0 - 1] > best.courses[$0] }
        ) {
            order.sort { (-scores[$0], best.courses[$0]) < (-scores[$1], best.courses[$1]) }
        }
        func alone(_ list: FusedLists.List) -> (courses: [UInt32], scores: [Float]) { (list.courses, list.scores) }
        return RankedLearner(
            courses: order.map { best.courses[$0] }, scores: order.map { scores[$0] },
            ncf: order.map { (best.parts[0][$0] - means.ncf) / scales.ncf },
            glmix: order.map { (best.parts[1][$0] - means.glmix) / scales.glmix },
            recent: order.map { (courses.recent[Int(best.courses[$0])] - means.recent) / scales.recent },
            ncfAlone: alone(found.lists[0]), glmixAlone: alone(found.lists[1]),
            variances: found.variances.map { ($0[0], $0[1]) })
    }
}

extension Candidates {
    package init(_ learners: [RankedLearner]) {
        self.init(
            lists: RankedLists(learners.map { ($0.courses, $0.scores) }), ncf: learners.flatMap(\.ncf),
            glmix: learners.flatMap(\.glmix), recent: learners.flatMap(\.recent))
    }
}

extension RankedLists {
    package init(_ lists: [(courses: [UInt32], scores: [Float])]) {
        var offsets = [0]
        for list in lists { offsets.append(offsets[offsets.count - 1] + list.courses.count) }
        self.init(offsets: offsets, courses: lists.flatMap(\.courses), scores: lists.flatMap(\.scores))
    }
}
