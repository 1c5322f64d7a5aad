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
    /// Mean squares of the centred scores; nil for learners that are not sampled.
    package var variances: (ncf: Double, glmix: Double)?

    package static func == (a: RankedLearner, b: RankedLearner) -> Bool {
        a.courses == b.courses && a.scores == b.scores && a.ncf == b.ncf && a.glmix == b.glmix && a.recent == b.recent
            && a.ncfAlone == b.ncfAlone && a.glmixAlone == b.glmixAlone
    }
}

extension ModelScores {
    /// One learner in so many tells how wide the models' scores spread now.
    static let varianceStride = 16

    /// Scores all learners against all courses and keeps each one's best: scoring and selection are fused, so no
    /// learner × course matrix is ever in memory.
    /// - Parameters:
    ///   - traits: one per learner of the group.
    ///   - candidates: how many courses are kept by the blended score.
    ///   - alone: how many by each model alone.
    package func rank(
        _ blend: BlendModel, scales: ScoreScales, traits: [LearnerTraits], candidates: Int, alone: Int, workers: Workers
    ) -> [RankedLearner] {
        precondition(traits.count == learnerCount)
        return map(workers: workers) { row in
            let ncfAlone = row.best(alone, of: row.ncf)
            let glmixAlone = row.best(alone, of: row.glmix)
            let best = row.best(candidates, of: row.blend(blend.weights(traits[row.learner]), scales))
            var parts = (ncf: [Float](), glmix: [Float](), recent: [Float]())
            for course in best.courses {
                let score = row.centred(course)
                parts.ncf.append(score.ncf / scales.ncf)
                parts.glmix.append(score.glmix / scales.glmix)
                parts.recent.append(score.recent / scales.recent)
            }
            let variances = row.learner % Self.varianceStride == 0 ? row.variances : nil
            return RankedLearner(
                courses: best.courses, scores: best.scores, ncf: parts.ncf, glmix: parts.glmix, recent: parts.recent,
                ncfAlone: ncfAlone, glmixAlone: glmixAlone, variances: variances.map { ($0.ncf, $0.glmix) })
        }
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
