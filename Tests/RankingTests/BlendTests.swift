// Proves that the blend's derivatives are right (finite differences), that planted weights are found again, that the
// personal blend beats the best fixed mixture where learners differ by plan, and that the fallbacks fall back.

import LinearAlgebra
import Metrics
import Platform
import Ranking
import Testing

private let seed: UInt64 = 5

/// Rows whose labels follow the given weights: 40 courses per learner with standard normal scores.
private func planted(
    _ learners: [LearnerTraits], rows: Int = 40, intercept: Double = -1, weight: (Int) -> Double = { _ in 1 },
    weights: (LearnerTraits) -> (ncf: Double, glmix: Double, recent: Double)
) -> BlendExamples {
    var examples = BlendExamples()
    for (l, traits) in learners.enumerated() {
        var random = RandomKey(seed: seed, purpose: "planted").stream(l)
        var own = BlendRows()
        let w = weights(traits)
        for row in 0..<rows {
            let x = (random.normal(), random.normal(), random.normal())
            own.ncf.append(Float(x.0))
            own.glmix.append(Float(x.1))
            own.recent.append(Float(x.2))
            own.flags.append(row % 10 == 0 ? 1 : row % 10 == 1 ? 3 : 0)
            let z = intercept + w.ncf * x.0 + w.glmix * x.1 + w.recent * x.2 + (row % 10 <= 1 ? 0.7 : 0)
            own.labels.append(random.uniform() < Scalar.sigmoid(z))
        }
        examples.append(traits, own, weight: weight(l))
    }
    return examples
}

private func population(_ count: Int) -> [LearnerTraits] {
    (0..<count).map { traits(1 + $0 % 30, segment: $0 % 4 - 1, idleDays: Int64($0 % 7)) }
}

@Suite struct BlendObjectiveTests {
    private let examples = planted(population(150), weight: { 1 / Double(1 + $0 % 3) }) { _ in (1, 0.5, 0.3) }

    private func objective(_ examples: BlendExamples) -> BlendObjective {
        let layout = BlendLayout(segments: 3)
        return BlendObjective(
            examples, learners: Array(0..<examples.count), layout: layout, scale: TraitScale(examples.learners),
            penalty: (0..<layout.count).map { $0 == 0 ? 0 : 0.5 + Double($0) / 10 },
            prior: (0..<layout.count).map { Double($0) / 50 })
    }

    @Test func gradientMatchesFiniteDifferences() {
        let objective = objective(examples)
        let theta = (0..<objective.layout.count).map { Double(noise(3, $0, 0)) * 0.4 }
        let value = objective.evaluate(theta, workers: Workers(count: 2))
        for p in theta.indices {
            func loss(_ step: Double) -> Double {
                var moved = theta
                moved[p] += step
                return objective.evaluate(moved, workers: Workers(count: 1)).loss
            }
            // Central difference: error h²·F‴/6 + ε·F/h, about 1e-5 for F ≈ 5,000.
            let numeric = (loss(1e-4) - loss(-1e-4)) / 2e-4
            #expect(abs(numeric - value.gradient[p]) < 1e-4 * max(1, abs(numeric)), "parameter \(p)")
        }
    }

    @Test func gaussNewtonIsTheHessianWhereSoftplusIsStraight() {
        // At η = 12 softplus is a straight line to e⁻¹²; small scores keep the margins moderate.
        var small = examples
        for i in small.ncf.indices {
            small.ncf[i] /= 20
            small.glmix[i] /= 20
            small.recent[i] /= 20
        }
        let objective = objective(small)
        var theta = [Double](repeating: 0.02, count: objective.layout.count)
        for score in 0..<3 { theta[objective.layout.base(score)] = 12 }
        let d = theta.count
        let value = objective.evaluate(theta, workers: Workers(count: 1))
        for p in 0..<d {
            func gradient(_ step: Double) -> [Double] {
                var moved = theta
                moved[p] += step
                return objective.evaluate(moved, workers: Workers(count: 1)).gradient
            }
            let (up, down) = (gradient(1e-4), gradient(-1e-4))
            for q in 0..<d {
                #expect(abs((up[q] - down[q]) / 2e-4 - value.hessian[p * d + q]) < 2e-3, "\(p), \(q)")
            }
        }
    }

    @Test func sameBitsForAnyNumberOfThreads() {
        let objective = objective(examples)
        let theta = [Double](repeating: 0.1, count: objective.layout.count)
        let one = objective.evaluate(theta, workers: Workers(count: 1))
        for threads in [2, 3] {
            let other = objective.evaluate(theta, workers: Workers(count: threads))
            #expect(one.loss == other.loss && one.gradient == other.gradient && one.hessian == other.hessian)
        }
    }
}

@Suite struct BlendFitTests {
    private func fitter(_ examples: BlendExamples, l2: Double = 1) -> BlendFitter {
        BlendFitter(
            examples, layout: BlendLayout(segments: 3), scale: TraitScale(examples.learners),
            settings: BlendSettings(l2: l2))
    }

    @Test func plantedMixtureIsFound() {
        let examples = planted(population(3_000)) { _ in (1.2, 0.4, 0.1) }
        let fitter = fitter(examples)
        let fitted = fitter.fit(Array(0..<examples.count), workers: Workers(count: 2))
        #expect(fitted.isFitted)
        // 120,000 rows: standard errors of the weights are about 0.008.
        let weights = BlendModel.weights(fitted.mixture, fitter.layout, traits(10), fitter.scale)
        #expect(abs(weights.ncf - 1.2) < 0.04)
        #expect(abs(weights.glmix - 0.4) < 0.04)
        #expect(abs(weights.recent - 0.1) < 0.04)
        #expect(abs(weights.intercept + 1) < 0.04)
        // A fifth of the rows has 0.7 more: half of it with one flag, half with both, so isolated takes it all.
        #expect(abs(weights.isolated - 0.7) < 0.06)
        #expect(abs(weights.unengaged) < 0.08)
    }

    @Test func plantedPersonalWeightsAreFound() {
        // NCF counts more the longer the history, GLMix less in segment 2.
        func truth(_ t: LearnerTraits) -> (ncf: Double, glmix: Double, recent: Double) {
            (t.contextLength > 10 ? 1.6 : 0.4, t.segment == 2 ? 0.2 : 0.9, 0.3)
        }
        let examples = planted(population(3_000), weights: truth)
        let fitter = fitter(examples)
        let fitted = fitter.fit(Array(0..<examples.count), workers: Workers(count: 2))
        func weights(_ t: LearnerTraits) -> ScoreWeights {
            BlendModel.weights(fitted.personal, fitter.layout, t, fitter.scale)
        }
        #expect(weights(traits(30)).ncf > weights(traits(2)).ncf + 0.7)
        #expect(abs(weights(traits(10, segment: 2)).glmix - 0.2) < 0.1)
        #expect(abs(weights(traits(10, segment: 0)).glmix - 0.9) < 0.1)
    }

    @Test func penaltyHoldsPersonalWeightsAtTheMixture() {
        let examples = planted(population(300)) { t in (t.contextLength > 10 ? 1.6 : 0.4, 0.5, 0.3) }
        let fitter = fitter(examples, l2: 1e9)
        let fitted = fitter.fit(Array(0..<examples.count), workers: Workers(count: 1))
        let (a, b) = (
            BlendModel.weights(fitted.personal, fitter.layout, traits(1), fitter.scale),
            BlendModel.weights(fitted.personal, fitter.layout, traits(30), fitter.scale)
        )
        #expect(abs(a.ncf - b.ncf) < 1e-3)
    }

    @Test func weightTwoIsTheLearnerTwice() {
        let once = planted(population(80), weight: { $0 < 40 ? 2 : 1 }) { _ in (1.2, 0.4, 0.1) }
        var twice = planted(population(80)) { _ in (1.2, 0.4, 0.1) }
        for l in 0..<40 {
            var rows = BlendRows()
            rows.ncf = Array(twice.ncf[twice.range(l)])
            rows.glmix = Array(twice.glmix[twice.range(l)])
            rows.recent = Array(twice.recent[twice.range(l)])
            rows.flags = Array(twice.flags[twice.range(l)])
            rows.labels = Array(twice.labels[twice.range(l)])
            twice.append(twice.learners[l], rows)
        }
        func fit(_ examples: BlendExamples) -> BlendFitter.Fitted {
            // The same φ for both.
            BlendFitter(
                examples, layout: BlendLayout(segments: 3), scale: TraitScale(once.learners),
                settings: BlendSettings(l2: 1)
            ).fit(Array(0..<examples.count), workers: Workers(count: 1))
        }
        let (a, b) = (fit(once).personal, fit(twice).personal)
        #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-3 })
    }

    @Test func everyLearnerCountsAlike() {
        var rows = BlendRows()
        rows.labels = [true, false, true, true, true]
        #expect(rows.weight == 0.25)
        rows.labels = [false, false]
        #expect(rows.weight == 1)
    }

    private let fiveFolds = (0..<60).map { $0 % 5 }

    @Test func tooFewLearnersGetThePriorWeights() {
        let fitter = fitter(planted(population(29)) { _ in (1, 1, 1) })
        let fitted = fitter.fit(Array(0..<29), folds: fiveFolds, workers: Workers(count: 1))
        #expect(!fitted.all.isFitted && fitted.byFold == [BlendFitter.Fitted](repeating: fitted.all, count: 5))
        let weights = BlendModel.weights(fitted.all.personal, fitter.layout, traits(3), fitter.scale)
        #expect(abs(weights.ncf - 1) < 1e-6 && abs(weights.glmix - 0.25) < 1e-6 && abs(weights.recent - 0.25) < 1e-6)
    }

    // 30 learners are enough; that a fold leaves 24 of them is no reason to judge other weights than those used.
    @Test func foldsAreFittedWhereAllAre() {
        let fitter = fitter(planted(population(30)) { _ in (1, 1, 1) })
        let fitted = fitter.fit(Array(0..<30), folds: fiveFolds, workers: Workers(count: 1))
        #expect(fitted.all.isFitted && fitted.byFold.allSatisfy(\.isFitted))
        #expect(fitted.byFold.allSatisfy { $0 != fitted.all })
    }

    // All hits are of fold 2: without it there is nothing to fit, so nothing is fitted.
    @Test func oneFoldThatCannotBeFittedDecidesForAll() {
        var examples = planted(population(60)) { _ in (1, 1, 1) }
        for learner in 0..<60 where learner % 5 != 2 {
            for row in examples.range(learner) { examples.labels[row] = false }
        }
        let fitted = fitter(examples).fit(Array(0..<60), folds: fiveFolds, workers: Workers(count: 1))
        #expect(!fitted.all.isFitted && fitted.byFold.allSatisfy { $0 == fitted.all })
    }

    @Test func labelsAllAlikeGetThePriorWeights() {
        var examples = planted(population(60)) { _ in (1, 1, 1) }
        for i in examples.labels.indices { examples.labels[i] = false }
        #expect(!fitter(examples).fit(Array(0..<60), workers: Workers(count: 1)).isFitted)
    }
}

@Suite struct BlendTrainerTests {
    /// Learners with ten or more courses follow NCF, the others GLMix; each model says noise about the rest.
    private func group(_ learners: Int, courses: Int) -> ValidationGroup {
        let all = (0..<learners).map { traits(1 + $0 % 40, segment: -1) }
        let taste: @Sendable (Int, Int) -> Float = { noise(21, $0, $1) }
        let ncf = FunctionScorer(learnerCount: learners, courseCount: courses) { l, c in
            1 + l % 40 >= 10 ? 2 * taste(l, c) + noise(22, l, c) : 2 * noise(22, l, c)
        }
        let glmix = FunctionScorer(learnerCount: learners, courseCount: courses) { l, c in
            1 + l % 40 < 10 ? 2 * taste(l, c) + noise(23, l, c) : 2 * noise(23, l, c)
        }
        let relevant = (0..<learners).map { l in
            Array((0..<courses).sorted { taste(l, $0) > taste(l, $1) }.prefix(3)).map { UInt32($0) }
        }
        let order = (0..<courses).map { UInt32($0) }
        return ValidationGroup(
            scores: ModelScores(
                ncf: ncf, glmix: glmix, courses: plainCourses(courses), exclusions: sets(relevant.map { _ in [] })),
            traits: all, hashes: (0..<learners).map { LearnerHash.of("learner \($0)".utf8) }, relevant: sets(relevant),
            popularOrder: order, recentOrder: order)
    }

    private func trainer(_ settings: BlendSettings = BlendSettings(l2: 1)) -> BlendTrainer {
        BlendTrainer(settings: settings, segments: 0, candidates: 30, mostRecent: 10, seed: 1)
    }

    @Test func personalBlendBeatsTheBestFixedMixture() throws {
        let outcome = trainer().train(group(1_200, courses: 120), workers: Workers(count: 2))
        func ndcg(_ model: ValidationModel) -> [Double] { outcome.hits[model]!.map { $0.ndcg(at: 20) } }
        let gain = Bootstrap(seed: 1).pairedInterval(ndcg(.blend), minus: ndcg(.mixture))
        #expect(gain.low > 0)
        let warm = try #require(outcome.warmGain)
        #expect(warm.gain.low > 0)
        #expect(outcome.model.warm.choice == .blend)
        #expect(outcome.coldGain == nil)
        #expect(outcome.isFitted.warm && !outcome.isFitted.cold)
    }

    @Test func sameBitsForAnyNumberOfThreads() {
        let group = group(150, courses: 80)
        let one = trainer().train(group, workers: Workers(count: 1))
        for threads in [2, 3] {
            let other = trainer().train(group, workers: Workers(count: threads))
            #expect(one.model == other.model && one.hits == other.hits && one.scales == other.scales)
        }
    }

    /// NCF puts 0, 1, 2 … in this order for everybody, GLMix likes 4 to 99 at random and 0 to 3 not at all. 1 to 3 are
    /// relevant. The rows hold each model's best course, so no hit: nothing is fitted, and the prior trusts the noise.
    private func unfitted(_ learners: Int, ncf: @escaping @Sendable (Int, Int) -> Float = { _, c in Float(-c) })
        -> (BlendTrainer, ValidationGroup)
    {
        var group = group(learners, courses: 100)
        let glmix = FunctionScorer(learnerCount: learners, courseCount: 100) { l, c in c < 4 ? -9 : noise(23, l, c) }
        group.scores = ModelScores(
            ncf: FunctionScorer(learnerCount: learners, courseCount: 100, value: ncf), glmix: glmix,
            courses: group.scores.courses, exclusions: group.scores.exclusions)
        group.relevant = sets([[UInt32]](repeating: [1, 2, 3], count: learners))
        let trainer = BlendTrainer(
            settings: BlendSettings(priorWeights: [0.1, 5, 0.1]), segments: 0, candidates: 1, mostRecent: 0, seed: 1)
        return (trainer, group)
    }

    @Test func aBlendThatIsWorseGivesWay() throws {
        let (trainer, group) = unfitted(30)
        let outcome = trainer.train(group, workers: Workers(count: 2))
        #expect(!outcome.isFitted.warm)
        let warm = try #require(outcome.warmGain)
        #expect(warm.against == .ncf && warm.gain.high < 0)
        #expect(outcome.model.warm.choice == .ncf)
        #expect(outcome.model.weights(traits(5)) == ScoreWeights(ncf: 1))
        #expect(outcome.hits[.blend] == outcome.hits[.ncf])
        #expect(outcome.hits[.mixture] != outcome.hits[.ncf])
    }

    // The same, one learner fewer: the documented prior weights, whatever these learners say.
    @Test(arguments: [1, 29]) func tooFewLearnersDecideNothing(_ learners: Int) {
        let (trainer, group) = unfitted(learners)
        let outcome = trainer.train(group, workers: Workers(count: 2))
        #expect(!outcome.isFitted.warm && outcome.warmGain == nil)
        #expect(outcome.model.warm.choice == .blend)
        let weights = outcome.model.weights(traits(5))
        #expect(abs(weights.ncf - 0.1) < 1e-6 && abs(weights.glmix - 5) < 1e-5 && abs(weights.recent - 0.1) < 1e-6)
        #expect(outcome.hits[.blend] == outcome.hits[.mixture] && outcome.hits[.blend] != outcome.hits[.ncf])
    }

    @Test func aConstantModelNeverTakesOver() throws {
        // NCF says nothing about anybody: ties by course number happen to be right, and the prior trusts noise.
        let (trainer, group) = unfitted(400) { _, _ in 0 }
        let outcome = trainer.train(group, workers: Workers(count: 2))
        #expect(outcome.hits[.ncf]!.allSatisfy { $0.ranks == [2, 3, 4] })
        #expect(outcome.hits[.blend]!.allSatisfy { $0.ndcg(at: 20) == 0 })
        #expect(try #require(outcome.warmGain).against == .glmix)
        #expect(outcome.model.warm.choice == .blend)
    }

    @Test func unionHoldsEachModelsBestAndTheMostRecent() {
        // One learner, six courses: NCF's best is 0, GLMix's 1, the most recent 5; 4 is watched, 3 and 2 in no union.
        let group = ValidationGroup(
            scores: ModelScores(
                ncf: FunctionScorer(learnerCount: 1, courseCount: 6) { _, c in [9, 1, 1, 0, 20, 1][c] },
                glmix: FunctionScorer(learnerCount: 1, courseCount: 6) { _, c in [1, 9, 1, 0, 20, 1][c] },
                courses: plainCourses(6, recent: [0, 0, 0, 0, 5, 4]), exclusions: sets([[4]])),
            traits: [traits(1)], hashes: [0], relevant: sets([[1, 2]]), popularOrder: [4, 5, 0, 1, 2, 3],
            recentOrder: [4, 5, 0, 1, 2, 3])
        let gathered = group.gather(candidates: 1, mostRecent: 1, workers: Workers(count: 1))
        let (examples, scales) = (gathered.examples, gathered.scales)
        #expect(examples.labels == [false, true, false])
        // Allowed NCF scores 9, 1, 1, 0, 1: mean 2.4, mean square of the centred ones 11.04.
        #expect(abs(scales.ncf * scales.ncf - 11.04) < 1e-3)
        #expect(abs(examples.ncf[0] - 6.6 / scales.ncf) < 1e-5)
        #expect(abs(examples.recent[2] * scales.recent - (4 - 0.8)) < 1e-5)
    }
}
