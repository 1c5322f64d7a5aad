import LinearAlgebra

/// F over all coefficients of all coordinates at once, for the joint finish: inexact Newton-CG, preconditioned by
/// the Cholesky factors of the diagonal blocks (one per coordinate and entity).
///
/// Variables: the coordinates' coefficients one after the other, in their order.
///
/// The certificate: with the free intercept at its own minimum, F − F* ≤ ½·Σ_j g_j²/λ_j over the penalised
/// coefficients, because F is strongly convex in them with modulus λ_j after minimisation over the intercept.
final class JointObjective: NewtonObjective {
    let state: FitState
    let tolerance: Double
    /// First variable of each coordinate, then the end.
    let bases: [Int]
    /// Number of the variable that has no penalty, if there is a fixed effect.
    let free: Int?
    private let preconditioner: BlockPreconditioner
    private var margins: [Double]
    private var curvature: [Double]
    private var factored = false

    var workers: Workers { state.workers }

    struct Outcome {
        var value: Double
        var steps: Int
        var products: Int
        var gap: Double
        var estimatedGap: Double
    }

    init(_ state: FitState, tolerance: Double) {
        self.state = state
        self.tolerance = tolerance
        var bases = [0]
        var free: Int?
        for part in state.parts {
            switch part {
            case .fixed(_, let b):
                free = bases.last! + b.count - 1
                bases.append(bases.last! + b.count)
            case .random(let effect): bases.append(bases.last! + effect.values.count)
            }
        }
        (self.bases, self.free) = (bases, free)
        preconditioner = BlockPreconditioner(state)
        margins = [Double](repeating: 0, count: state.examples.count)
        curvature = margins
    }

    var count: Int { bases.last! }

    /// Runs to the certificate, or until rounding ends all descent, and stores the result in the state.
    func minimise() -> Outcome {
        var x: [Double] = []
        for part in state.parts {
            switch part {
            case .fixed(_, let b): x += b
            case .random(let effect): x += effect.values
            }
        }
        var (steps, products) = (0, 0)
        var f = 0.0
        var bound = 0.0
        var gradient: [Double] = []
        for _ in 0..<5 where steps == 0 || bound > tolerance * f {
            let outcome = TrustRegionNewton(iterations: 30, innerIterations: 100).minimise(self, from: &x)
            steps += outcome.steps
            products += outcome.products
            f = minimiseIntercept(&x)
            gradient = accept(x)
            bound = self.bound(gradient)
        }
        let newton = TrustRegionNewton(innerIterations: 50, forcing: 1e-3).steihaug(self, gradient, .infinity)
        let estimate = -0.5 * zip(gradient, newton.direction).reduce(0) { $0 + $1.0 * $1.1 }
        store(x)
        return Outcome(value: f, steps: steps, products: products, gap: bound, estimatedGap: estimate)
    }

    /// ½·Σ g²/λ over the penalised coefficients.
    func bound(_ gradient: [Double]) -> Double {
        var total = 0.0
        for (k, part) in state.parts.enumerated() {
            let l2 = Self.l2(part)
            for j in bases[k]..<bases[k + 1] where j != free { total += gradient[j] * gradient[j] / l2 }
        }
        return 0.5 * total
    }

    static func l2(_ part: FitState.Part) -> Double {
        switch part {
        case .fixed(let fixed, _): fixed.l2
        case .random(let effect): effect.coordinate.l2
        }
    }

    /// Newton's method on the intercept alone until |g₀| ≤ 10⁻¹⁰·Σw; returns F.
    private func minimiseIntercept(_ x: inout [Double]) -> Double {
        var f = value(at: x)
        guard let free else { return f }
        let total = state.examples.weights.reduce(0.0) { $0 + Double($1) }
        for _ in 0..<20 {
            let (g, h) = interceptDerivatives()
            if abs(g) <= 1e-10 * total || h <= 0 { break }
            let old = x[free]
            x[free] = old - g / h
            let value = value(at: x)
            if !(value <= f) {  // only rounding is left
                x[free] = old
                f = self.value(at: x)
                break
            }
            f = value
        }
        return f
    }

    private func interceptDerivatives() -> (Double, Double) {
        let (labels, weights, margins) = (state.examples.labels, state.examples.weights, margins)
        let sum = { (second: Bool) in
            blockSum(labels.count, self.state.workers) { rows in
                var total = 0.0
                for i in rows {
                    let d = LogisticLoss.derivatives(margins[i], positive: labels[i] == 1)
                    total += Double(weights[i]) * (second ? d.second : d.first)
                }
                return total
            }
        }
        return (sum(false), sum(true))
    }

    private func store(_ x: [Double]) {
        for (k, part) in state.parts.enumerated() {
            let own = x[bases[k]..<bases[k + 1]]
            switch part {
            case .fixed(let fixed, _): state.parts[k] = .fixed(fixed, b: Array(own))
            case .random(let effect): effect.replaceValues(own)
            }
        }
    }

    // MARK: NewtonObjective

    func value(at x: [Double]) -> Double {
        var z = state.examples.offsets.map(Double.init)
        addProducts(x, to: &z)
        margins = z
        let (labels, weights) = (state.examples.labels, state.examples.weights)
        let loss = blockSum(labels.count, state.workers) { rows in
            var total = 0.0
            for i in rows { total += Double(weights[i]) * LogisticLoss.value(z[i], positive: labels[i] == 1) }
            return total
        }
        var penalty = 0.0
        for (k, part) in state.parts.enumerated() {
            var squares = 0.0
            for j in bases[k]..<bases[k + 1] where j != free { squares += x[j] * x[j] }
            penalty += 0.5 * Self.l2(part) * squares
        }
        return loss + penalty
    }

    func accept(_ x: [Double]) -> [Double] {
        let (labels, weights, z) = (state.examples.labels, state.examples.weights, margins)
        var residuals = [Double](repeating: 0, count: labels.count)
        residuals.withUnsafeMutableBufferPointer { residuals in
            curvature.withUnsafeMutableBufferPointer { curvature in
                forBlocks(labels.count, state.workers) { rows in
                    for i in rows {
                        let d = LogisticLoss.derivatives(z[i], positive: labels[i] == 1)
                        residuals[i] = Double(weights[i]) * d.first
                        curvature[i] = Double(weights[i]) * d.second
                    }
                }
            }
        }
        factored = false
        return transposed(residuals, plusPenaltyOf: x)
    }

    func hessianTimes(_ v: [Double]) -> [Double] {
        var product = [Double](repeating: 0, count: margins.count)
        addProducts(v, to: &product)
        let curvature = curvature
        product.withUnsafeMutableBufferPointer { product in
            forBlocks(product.count, state.workers) { rows in for i in rows { product[i] *= curvature[i] } }
        }
        return transposed(product, plusPenaltyOf: v)
    }

    func precondition(_ r: [Double]) -> [Double] {
        if !factored {
            preconditioner.factor(curvature: curvature)
            factored = true
        }
        return preconditioner.apply(r, bases: bases)
    }

    func noteInnerSteps(_ steps: Int) { preconditioner.noteInnerSteps(steps) }

    func isOptimal(value: Double, gradient: [Double]) -> Bool {
        var estimate = bound(gradient)
        if let free {
            let curvature = curvature
            let total = blockSum(curvature.count, state.workers) { rows in
                var sum = 0.0
                for i in rows { sum += curvature[i] }
                return sum
            }
            estimate += 0.5 * gradient[free] * gradient[free] / max(total, .leastNormalMagnitude)
        }
        return estimate <= 0.5 * tolerance * value
    }

    /// z += Σ_k X_k·v_k
    private func addProducts(_ v: [Double], to z: inout [Double]) {
        v.withUnsafeBufferPointer { v in
            z.withUnsafeMutableBufferPointer { z in
                for (k, part) in state.parts.enumerated() {
                    switch part {
                    case .fixed(let fixed, _):
                        var own = [Double](repeating: 0, count: z.count)
                        own.withUnsafeMutableBufferPointer {
                            fixed.design.multiply(
                                v.baseAddress! + bases[k], into: $0.baseAddress!, workers: state.workers)
                        }
                        own.withUnsafeBufferPointer { own in
                            forBlocks(own.count, state.workers) { rows in for i in rows { z[i] += own[i] } }
                        }
                    case .random(let effect): effect.addProduct(v.baseAddress! + bases[k], to: z.baseAddress!)
                    }
                }
            }
        }
    }

    /// [X_kᵀ·r + λ_k·x_k]_k
    private func transposed(_ r: [Double], plusPenaltyOf x: [Double]) -> [Double] {
        var g = [Double](repeating: 0, count: count)
        g.withUnsafeMutableBufferPointer { g in
            r.withUnsafeBufferPointer { r in
                for (k, part) in state.parts.enumerated() {
                    let out = g.baseAddress! + bases[k]
                    switch part {
                    case .fixed(let fixed, _):
                        fixed.design.multiplyTransposed(r.baseAddress!, into: out, workers: state.workers)
                    case .random(let effect): effect.multiplyTransposed(r.baseAddress!, into: out)
                    }
                    let l2 = Self.l2(part)
                    forBlocks(bases[k + 1] - bases[k], state.workers) { range in
                        for j in range where bases[k] + j != free { out[j] += l2 * x[bases[k] + j] }
                    }
                }
            }
        }
        return g
    }
}
