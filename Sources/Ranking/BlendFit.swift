import DenseAlgebra
import LinearAlgebra

/// How the blend is fitted.
package struct BlendSettings: Sendable, Equatable {
    /// Weights of ncf, glmix and recent where nothing can be fitted; > 0.
    package var priorWeights: [Double]
    /// λ of every personal parameter, in the unit of summed losses.
    package var l2: Double
    /// λ of the fixed mixture: so small that it only keeps weights finite that the data say nothing about.
    package static let mixtureL2 = 0.1
    package var folds: Int
    /// Fewer learners than this in a group: the prior weights.
    package var leastLearners: Int

    package init(priorWeights: [Double] = [1, 0.25, 0.25], l2: Double = 10, folds: Int = 5, leastLearners: Int = 30) {
        precondition(priorWeights.count == BlendLayout.scoreCount && priorWeights.allSatisfy { $0 > 0 })
        precondition(l2 > 0 && folds >= 2)
        (self.priorWeights, self.l2, self.folds, self.leastLearners) = (priorWeights, l2, folds, leastLearners)
    }
}

/// Fits the parameters of one group of learners.
package struct BlendFitter: Sendable {
    package let examples: BlendExamples
    package let layout: BlendLayout
    package let scale: TraitScale
    package let settings: BlendSettings

    package init(_ examples: BlendExamples, layout: BlendLayout, scale: TraitScale, settings: BlendSettings) {
        (self.examples, self.layout, self.scale, self.settings) = (examples, layout, scale, settings)
    }

    package struct Fitted: Sendable, Equatable {
        /// The best fixed mixture: the same weights for every learner. Also the prior mean of the personal ones.
        package var mixture: [Double]
        package var personal: [Double]
        /// False: the prior weights.
        package var isFitted: Bool
    }

    /// The prior weights, and nothing else.
    package var priorParameters: [Double] {
        var theta = [Double](repeating: 0, count: layout.count)
        for score in 0..<BlendLayout.scoreCount {
            theta[layout.base(score)] = Self.inverseSoftplus(settings.priorWeights[score])
        }
        return theta
    }

    /// One fit on all learners of a group, which is used from then on, and one without each fold, which ranks that fold's
    /// learners. With too few learners, or where one of the fits has labels of one kind only, all are the prior weights:
    /// what ranks the folds is what is judged, and must be the same kind of weights as what is used.
    /// - Parameters:
    ///   - learners: positions in `examples.learners`.
    ///   - folds: by position.
    package func fit(
        _ learners: [Int], folds: [Int], workers: Workers
    ) -> (all: Fitted, byFold: [Fitted]) {
        let count = settings.folds
        if learners.count >= settings.leastLearners {
            let all = fit(learners, workers: workers)
            let byFold = (0..<count).map { fold in fit(learners.filter { folds[$0] != fold }, workers: workers) }
            if all.isFitted && byFold.allSatisfy(\.isFitted) { return (all, byFold) }
        }
        return (prior, [Fitted](repeating: prior, count: count))
    }

    private var prior: Fitted {
        Fitted(mixture: priorParameters, personal: priorParameters, isFitted: false)
    }

    /// One fit, of however many learners; the prior weights if they have labels of one kind only.
    /// - Parameter learners: positions in `examples.learners`.
    package func fit(_ learners: [Int], workers: Workers) -> Fitted {
        let (positives, rows) = learners.reduce(into: (0, 0)) { sum, learner in
            for row in examples.range(learner) { sum.0 += examples.labels[row] ? 1 : 0 }
            sum.1 += examples.range(learner).count
        }
        if positives == 0 || positives == rows { return prior }
        var start = priorParameters
        start[layout.intercept] = Scalar.log(Double(positives) / Double(rows - positives))
        let mixture = minimise(
            objective(learners, around: priorParameters, l2: BlendSettings.mixtureL2), from: start, free: isCommon,
            workers)
        let personal = minimise(
            objective(learners, around: mixture, l2: settings.l2), from: mixture, free: { _ in true }, workers)
        return Fitted(mixture: mixture, personal: personal, isFitted: true)
    }

    private func objective(_ learners: [Int], around mean: [Double], l2: Double) -> BlendObjective {
        var penalty = [Double](repeating: l2, count: layout.count)
        penalty[layout.intercept] = 0
        var prior = [Double](repeating: 0, count: layout.count)
        for score in 0..<BlendLayout.scoreCount { prior[layout.base(score)] = mean[layout.base(score)] }
        return BlendObjective(
            examples, learners: learners, layout: layout, scale: scale, penalty: penalty, prior: prior)
    }

    /// Whether a parameter is one of the fixed mixture's.
    private func isCommon(_ parameter: Int) -> Bool {
        parameter == layout.intercept || parameter >= layout.isolated
            || (0..<BlendLayout.scoreCount).contains { layout.base($0) == parameter }
    }

    /// Damped Gauss–Newton with Cholesky (Nocedal & Wright 2006, section 10.3) over the free parameters; Armijo
    /// backtracking. Stops when the decrement ½·gᵀH⁻¹g is at most 1e-9 of the loss.
    private func minimise(
        _ objective: BlendObjective, from start: [Double], free: (Int) -> Bool, _ workers: Workers
    ) -> [Double] {
        let free = (0..<layout.count).filter(free)
        var theta = start
        var value = objective.evaluate(theta, workers: workers)
        for _ in 0..<100 {
            let direction = step(value, free)
            let descent = free.indices.reduce(0.0) { $0 + direction[$1] * value.gradient[free[$1]] }
            if -descent / 2 <= 1e-9 * max(1, value.loss) { break }
            var length = 1.0
            var accepted = false
            while length > 1e-6 {
                var trial = theta
                for (i, p) in free.enumerated() { trial[p] += length * direction[i] }
                let next = objective.evaluate(trial, workers: workers)
                if next.loss <= value.loss + 1e-4 * length * descent {
                    (theta, value, accepted) = (trial, next, true)
                    break
                }
                length /= 2
            }
            if !accepted { break }
        }
        return theta
    }

    /// −H⁻¹g over the free parameters.
    private func step(_ value: BlendObjective.Value, _ free: [Int]) -> [Double] {
        let (n, d) = (free.count, layout.count)
        var hessian = [Double](repeating: 0, count: n * n)
        var direction = free.map { -value.gradient[$0] }
        for i in 0..<n {
            for j in 0..<n { hessian[i * n + j] = value.hessian[free[i] * d + free[j]] }
            // The common intercept has no penalty; where labels are nearly certain its curvature is tiny.
            hessian[i * n + i] += 1e-9
        }
        do { try Cholesky.factor(n, &hessian) } catch { preconditionFailure("Gauss–Newton matrix is not definite") }
        Cholesky.solve(n, factor: hessian, &direction)
        return direction
    }

    /// η with softplus(η) = w.
    static func inverseSoftplus(_ w: Double) -> Double { w > 30 ? w : Scalar.log(Scalar.exp(w) - 1) }
}
