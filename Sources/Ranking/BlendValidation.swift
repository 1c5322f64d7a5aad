import LinearAlgebra
import Metrics
import Platform

/// The learners on whom the blend is fitted and judged, as of t_v, scored by models that saw nothing at or after t_v.
package struct ValidationGroup: Sendable {
    package var scores: ModelScores
    package var traits: [LearnerTraits]
    /// `LearnerHash` of each.
    package var hashes: [UInt64]
    /// Relevant courses of each in the label window; never empty.
    package var relevant: CourseSets
    /// Baselines: courses in the order of all moments before t_v, and of the recent ones; everybody's.
    package var popularOrder: [UInt32]
    package var recentOrder: [UInt32]

    package init(
        scores: ModelScores, traits: [LearnerTraits], hashes: [UInt64], relevant: CourseSets, popularOrder: [UInt32],
        recentOrder: [UInt32]
    ) {
        precondition(traits.count == scores.learnerCount && hashes.count == traits.count)
        precondition(relevant.learnerCount == traits.count)
        (self.scores, self.traits, self.hashes, self.relevant) = (scores, traits, hashes, relevant)
        (self.popularOrder, self.recentOrder) = (popularOrder, recentOrder)
    }

    package var count: Int { traits.count }

    /// The fold of a learner: what is left of the top 24 bits of its hash, for any number of folds as good as independent of
    /// the half (the top bit alone) and of the shard (the hash's own remainder).
    package func fold(_ learner: Int, of folds: Int) -> Int { Int((hashes[learner] >> 40) % UInt64(folds)) }

    /// What the blend is fitted on.
    package struct Gathered: Sendable {
        /// The union of each model's best courses and of those most watched lately, with labels.
        package var examples = BlendExamples()
        /// By which the scores were divided.
        package var scales: ScoreScales
        package var spread: (ncf: ScoreSpread, glmix: ScoreSpread)
        /// By learner: whether each model tells courses apart at all.
        package var varies: [(ncf: Bool, glmix: Bool)]
    }

    package func gather(candidates: Int, mostRecent: Int, workers: Workers) -> Gathered {
        let parts = scores.map(workers: workers) { row -> (BlendRows, (ncf: Double, glmix: Double, recent: Double)) in
            var union = Set(row.best(candidates, of: row.ncf).courses)
            union.formUnion(row.best(candidates, of: row.glmix).courses)
            union.formUnion(row.first(mostRecent, of: recentOrder))
            return (rows(row, union.sorted()), row.variances)
        }
        func scale(_ variances: [Double]) -> Float {
            let mean = variances.isEmpty ? 0 : treeSum(variances) / Double(variances.count)
            return mean > ScoreScales.leastMeanSquare ? Float(mean.squareRoot()) : 1
        }
        let scales = ScoreScales(
            ncf: scale(parts.map(\.1.ncf)), glmix: scale(parts.map(\.1.glmix)), recent: scale(parts.map(\.1.recent)))
        var spread = (ncf: ScoreSpread(), glmix: ScoreSpread())
        for (learner, part) in parts.enumerated() {
            spread.ncf.add(part.1.ncf, isCold: traits[learner].isCold)
            spread.glmix.add(part.1.glmix, isCold: traits[learner].isCold)
        }
        // A constant row's variance is what rounding makes of it.
        var gathered = Gathered(
            scales: scales, spread: spread, varies: parts.map { ($0.1.ncf > 1e-9, $0.1.glmix > 1e-9) })
        for (learner, part) in parts.enumerated() {
            gathered.examples.append(traits[learner], part.0, weight: part.0.weight)
        }
        gathered.examples.divide(by: scales)
        return gathered
    }

    private func rows(_ row: LearnerRow, _ union: [UInt32]) -> BlendRows {
        var rows = BlendRows()
        for course in union {
            let score = row.centred(course)
            rows.ncf.append(score.ncf)
            rows.glmix.append(score.glmix)
            rows.recent.append(score.recent)
            rows.flags.append(
                (row.courses.hasCoWatches[Int(course)] ? 0 : 1) | (row.courses.hasEngagements[Int(course)] ? 0 : 2))
            rows.labels.append(relevant.contains(row.learner, course))
        }
        return rows
    }

    /// Each learner's hits in full rankings: by each model, by two blends, and by the baselines.
    package func hits(
        mixture: (Int) -> ScoreWeights, blend: (Int) -> ScoreWeights, scales: ScoreScales, depth: Int, workers: Workers
    ) -> [ValidationModel: [RankedHits]] {
        let all = scores.map(workers: workers) { row -> [RankedHits] in
            ValidationModel.allCases.map { model in
                let ranked: [UInt32]
                switch model {
                case .ncf: ranked = row.best(depth, of: row.ncf).courses
                case .glmix: ranked = row.best(depth, of: row.glmix).courses
                case .mixture: ranked = row.best(depth, of: row.blend(mixture(row.learner), scales)).courses
                case .blend: ranked = row.best(depth, of: row.blend(blend(row.learner), scales)).courses
                case .popular: ranked = row.first(depth, of: popularOrder)
                case .recent: ranked = row.first(depth, of: recentOrder)
                }
                return RankedHits(ranked: ranked, relevant: relevant[row.learner])
            }
        }
        return Dictionary(
            uniqueKeysWithValues: ValidationModel.allCases.enumerated().map { at, model in
                (model, all.map { $0[at] })
            })
    }
}

/// What the validation table compares on the same learners.
package enum ValidationModel: String, Sendable, CaseIterable {
    case ncf, glmix
    /// The best mixture with the same weights for everybody.
    case mixture
    /// The personal blend; where it was worse than a single model, that model.
    case blend
    /// Most watched of all time, and in the last 28 days.
    case popular, recent
}

/// What came out of fitting the blend.
package struct BlendOutcome: Sendable {
    package var model: BlendModel
    /// The best fixed mixture of all learners, warm and cold.
    package var mixture: (warm: [Double], cold: [Double])
    package var scales: ScoreScales
    /// Of the scores that fitted it.
    package var spread: (ncf: ScoreSpread, glmix: ScoreSpread)
    package var isFitted: (warm: Bool, cold: Bool)
    /// Out of fold, one per learner of the group.
    package var hits: [ValidationModel: [RankedHits]]
    package var folds: [Int]
    /// NDCG of the personal blend minus that of the better single model, and which that is; nil: too few such learners to
    /// decide by.
    package var warmGain: (against: BlendChoice, gain: Interval)?
    package var coldGain: (against: BlendChoice, gain: Interval)?
    /// Rows the blend was fitted on.
    package var rows: Int
}

/// Fits the blend and decides whether it is used.
package struct BlendTrainer: Sendable {
    package var settings: BlendSettings
    package var segments: Int
    /// Courses of each model in a learner's training rows.
    package var candidates: Int
    /// Courses most watched lately beside them.
    package var mostRecent: Int
    package var seed: UInt64
    /// The cut-off of NDCG, and how deep hits are counted.
    package var k = 20
    package var depth = 50

    package init(settings: BlendSettings, segments: Int, candidates: Int, mostRecent: Int, seed: UInt64) {
        (self.settings, self.segments, self.candidates) = (settings, segments, candidates)
        (self.mostRecent, self.seed) = (mostRecent, seed)
    }

    package func train(_ group: ValidationGroup, workers: Workers) -> BlendOutcome {
        let layout = BlendLayout(segments: segments)
        let gathered = group.gather(candidates: candidates, mostRecent: mostRecent, workers: workers)
        let (examples, scales) = (gathered.examples, gathered.scales)
        let traitScale = TraitScale(group.traits)
        let fitter = BlendFitter(examples, layout: layout, scale: traitScale, settings: settings)
        let folds = (0..<group.count).map { group.fold($0, of: settings.folds) }
        let warmLearners = (0..<group.count).filter { !group.traits[$0].isCold }
        let coldLearners = (0..<group.count).filter { group.traits[$0].isCold }
        let warm = fitter.fit(warmLearners, folds: folds, workers: workers)
        let cold = fitter.fit(coldLearners, folds: folds, workers: workers)
        func weights(_ pick: (BlendFitter.Fitted) -> [Double]) -> [ScoreWeights] {
            (0..<group.count).map { learner in
                let traits = group.traits[learner]
                let fitted = (traits.isCold ? cold : warm).byFold[folds[learner]]
                return BlendModel.weights(pick(fitted), layout, traits, traitScale)
            }
        }
        let (mixture, personal) = (weights(\.mixture), weights(\.personal))
        var hits = group.hits(
            mixture: { mixture[$0] }, blend: { personal[$0] }, scales: scales, depth: depth, workers: workers)
        var model = BlendModel(
            layout: layout, traitScale: traitScale, warm: .init(parameters: warm.all.personal),
            cold: .init(parameters: cold.all.personal))
        let warmGain = decide(&model.warm, &hits, warmLearners, gathered.varies, purpose: "blend.warm")
        let coldGain = decide(&model.cold, &hits, coldLearners, gathered.varies, purpose: "blend.cold")
        return BlendOutcome(
            model: model, mixture: (warm.all.mixture, cold.all.mixture), scales: scales,
            spread: gathered.spread, isFitted: (warm.all.isFitted, cold.all.isFitted), hits: hits, folds: folds,
            warmGain: warmGain,
            coldGain: coldGain, rows: examples.labels.count)
    }

    /// The blend must not be worse than the better single model: if the paired interval of NDCG lies wholly below 0,
    /// that model's score is used instead, for this group of learners, and stands for the blend in the table. Never a
    /// model whose score is constant for one of them, and never by what too few learners say: of one, the interval is a
    /// point.
    private func decide(
        _ group: inout BlendModel.Group, _ hits: inout [ValidationModel: [RankedHits]], _ learners: [Int],
        _ varies: [(ncf: Bool, glmix: Bool)], purpose: String
    ) -> (against: BlendChoice, gain: Interval)? {
        if learners.count < settings.leastLearners { return nil }
        func ndcg(_ model: ValidationModel) -> [Double] { learners.map { hits[model]![$0].ndcg(at: k) } }
        var singles: [(choice: BlendChoice, model: ValidationModel)] = []
        if learners.allSatisfy({ varies[$0].ncf }) { singles.append((.ncf, .ncf)) }
        if learners.allSatisfy({ varies[$0].glmix }) { singles.append((.glmix, .glmix)) }
        let means = singles.map { ndcg($0.model).reduce(0, +) }
        // The first of equals.
        guard let at = means.indices.max(by: { (means[$0], $1) < (means[$1], $0) }) else { return nil }
        let better = singles[at]
        let gain = Bootstrap(seed: seed, purpose: purpose).pairedInterval(ndcg(.blend), minus: ndcg(better.model))
        if gain.high < 0 {
            group.choice = better.choice
            for learner in learners { hits[.blend]![learner] = hits[better.model]![learner] }
        }
        return (better.choice, gain)
    }
}
