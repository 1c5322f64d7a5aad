import LinearAlgebra

/// F(θ) = Σ_learners v·Σ_rows ℓ(z, y) + Σ_p (λ_p/2)·(θ_p − μ_p)²,  ℓ = log(1 + e^z) − y·z,  z as in `ScoreWeights`, over the given
/// learners of one group; v is the learner's weight. Not convex in η through softplus, but monotone in it: the minimum over the weights w ≥ 0 is
/// that of a convex problem.
package struct BlendObjective: Sendable {
    package let examples: BlendExamples
    /// Positions in `examples.learners`.
    package let learners: [Int]
    package let layout: BlendLayout
    package let scale: TraitScale
    /// λ and μ by parameter.
    package var penalty: [Double]
    package var prior: [Double]

    /// Learners of one work item; a constant, so that sums never depend on threads.
    static let block = 64
    /// Intercept, three η, two flags.
    static let components = 6

    package init(
        _ examples: BlendExamples, learners: [Int], layout: BlendLayout, scale: TraitScale, penalty: [Double],
        prior: [Double]
    ) {
        precondition(penalty.count == layout.count && prior.count == layout.count)
        (self.examples, self.learners, self.layout, self.scale) = (examples, learners, layout, scale)
        (self.penalty, self.prior) = (penalty, prior)
    }

    package struct Value: Sendable {
        package var loss: Double
        package var gradient: [Double]
        /// The Gauss–Newton approximation JᵀWJ + Λ, row-major: always positive semi-definite.
        package var hessian: [Double]
    }

    /// O(rows + learners·16² + parameters²·blocks).
    package func evaluate(_ theta: [Double], workers: Workers) -> Value {
        let d = layout.count
        let blocks = (learners.count + Self.block - 1) / Self.block
        var parts = workers.map(blocks) { block -> [Double] in
            var slot = [Double](repeating: 0, count: 1 + d + d * d)
            for at in block * Self.block..<min(learners.count, (block + 1) * Self.block) {
                add(learners[at], theta, to: &slot)
            }
            return slot
        }
        if parts.isEmpty { parts = [[Double](repeating: 0, count: 1 + d + d * d)] }
        treeSum(&parts)
        var value = Value(
            loss: parts[0][0], gradient: Array(parts[0][1...d]), hessian: Array(parts[0][(1 + d)...]))
        for p in 0..<d {
            let away = theta[p] - prior[p]
            value.loss += penalty[p] / 2 * away * away
            value.gradient[p] += penalty[p] * away
            value.hessian[p * d + p] += penalty[p]
        }
        return value
    }

    private func add(_ learner: Int, _ theta: [Double], to slot: inout [Double]) {
        let map = LearnerMap(layout, examples.learners[learner], scale)
        let eta = (0..<BlendLayout.scoreCount).map { map.eta($0, theta) }
        let sums = RowSums(
            examples, range: examples.range(learner), intercept: map.intercept(theta),
            weights: eta.map(Scalar.log1pExp),
            isolated: theta[layout.isolated], unengaged: theta[layout.unengaged])
        // dw/dη of softplus is the sigmoid.
        let slope = [1] + eta.map { Scalar.sigmoid($0) } + [1, 1]
        let d = layout.count
        let weight = examples.weights[learner]
        slot[0] += weight * sums.loss
        let terms = (0..<Self.components).map(map.terms)
        for i in 0..<Self.components {
            for (p, x) in terms[i] {
                slot[1 + p] += weight * sums.gradient[i] * slope[i] * x
                for j in 0..<Self.components {
                    let curvature = weight * sums.hessian[i * Self.components + j] * slope[i] * slope[j] * x
                    for (q, y) in terms[j] { slot[1 + d + p * d + q] += curvature * y }
                }
            }
        }
    }
}

/// One learner's loss with its derivatives in (intercept, w_ncf, w_glmix, w_recent, isolated, unengaged).
private struct RowSums {
    var loss = 0.0
    var gradient = [Double](repeating: 0, count: BlendObjective.components)
    var hessian = [Double](repeating: 0, count: BlendObjective.components * BlendObjective.components)

    init(
        _ examples: BlendExamples, range: Range<Int>, intercept: Double, weights: [Double], isolated: Double,
        unengaged: Double
    ) {
        let (w0, w1, w2) = (weights[0], weights[1], weights[2])
        // The flags are rare and binary: their rows are summed apart, by the four values of both.
        var dense = [DenseSums](repeating: DenseSums(), count: 4)
        for row in range {
            let (x0, x1, x2) = (Double(examples.ncf[row]), Double(examples.glmix[row]), Double(examples.recent[row]))
            let flag = Int(examples.flags[row])
            var z = intercept + w0 * x0 + w1 * x1 + w2 * x2
            if flag & 1 != 0 { z += isolated }
            if flag & 2 != 0 { z += unengaged }
            let p = Scalar.sigmoid(z)
            let y = examples.labels[row] ? 1.0 : 0.0
            loss += Scalar.log1pExp(z) - y * z
            dense[flag].add(x0, x1, x2, residual: p - y, curvature: p * (1 - p))
        }
        for (flag, sums) in dense.enumerated() where sums.rows > 0 { merge(sums, flag) }
    }

    private mutating func merge(_ sums: DenseSums, _ flag: Int) {
        let n = BlendObjective.components
        let own = [1.0, 0, 0, 0, flag & 1 != 0 ? 1 : 0, flag & 2 != 0 ? 1 : 0]
        let g = [sums.g.0, sums.g.1, sums.g.2, sums.g.3]
        let h = sums.matrix
        // A flag that is set behaves as the intercept does.
        func source(_ i: Int) -> Int? { i < 4 ? i : (own[i] == 1 ? 0 : nil) }
        for i in 0..<n {
            guard let a = source(i) else { continue }
            gradient[i] += g[a]
            for j in 0..<n { if let b = source(j) { hessian[i * n + j] += h[a * 4 + b] } }
        }
    }
}

private struct DenseSums {
    var rows = 0
    var g = (0.0, 0.0, 0.0, 0.0)
    var h = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @inline(__always)
    mutating func add(_ x0: Double, _ x1: Double, _ x2: Double, residual r: Double, curvature c: Double) {
        rows += 1
        g.0 += r
        g.1 += r * x0
        g.2 += r * x1
        g.3 += r * x2
        h.0 += c
        h.1 += c * x0
        h.2 += c * x1
        h.3 += c * x2
        h.4 += c * x0 * x0
        h.5 += c * x0 * x1
        h.6 += c * x0 * x2
        h.7 += c * x1 * x1
        h.8 += c * x1 * x2
        h.9 += c * x2 * x2
    }

    /// 4 × 4 over (1, x0, x1, x2).
    var matrix: [Double] {
        [h.0, h.1, h.2, h.3, h.1, h.4, h.5, h.6, h.2, h.5, h.7, h.8, h.3, h.6, h.8, h.9]
    }
}
