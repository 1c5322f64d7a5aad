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
    let l1: L1Penalty?
    private let preconditioner: BlockPreconditioner
    /// z at the point tried last, one per example.
    private(set) var margins: [Double]
    /// Work space of Hessian products, one per example.
    private var rowProducts: [Double]
    private var factored = false
    /// `tolerance`·F at the last accepted point; 0 while inner solves must be exact.
    private var aimed = 0.0

    var workers: Workers { state.workers }
    private var losses: RowLosses { state.losses }

    struct Outcome {
        var value: Double
        var steps: Int
        var products: Int
        var gap: Double
        var estimatedGap: Double
    }

    init(_ state: FitState, tolerance: Double, mostRowBytes: Int) {
        self.state = state
        var room = mostRowBytes
        for case .random(let effect) in state.parts { effect.gatherRows(room: &room) }
        self.tolerance = tolerance
        var bases = [0]
        var free: Int?
        var l1: L1Penalty?
        for part in state.parts {
            switch part {
            case .fixed(let fixed, let b):
                free = bases.last! + b.count - 1
                l1 = fixed.l1.map { L1Penalty(range: bases.last!..<free!, strength: $0.strength) }
                bases.append(bases.last! + b.count)
            case .random(let effect): bases.append(bases.last! + effect.values.count)
            }
        }
        (self.bases, self.free, self.l1) = (bases, free, l1)
        preconditioner = BlockPreconditioner(state)
        margins = [Double](repeating: 0, count: state.examples.count)
        rowProducts = margins
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
            gradient = subgradient(move(to: x), at: x)
            bound = self.bound(gradient)
        }
        aimed = 0
        // conjugate gradients approach ½gᵀH⁻¹g from below, each step by what is left: a tenth needs few
        let held = l1?.free(x, gradient, blocked: [Bool](repeating: false, count: x.count))
        let newton = TrustRegionNewton(innerIterations: 20, forcing: 0.1).steihaug(
            self, gradient, .infinity, free: held)
        let estimate = -0.5 * zip(gradient, newton.direction).reduce(0) { $0 + $1.0 * $1.1 }
        store(x)
        return Outcome(value: f, steps: steps, products: products, gap: bound, estimatedGap: estimate)
    }

    /// ½·Σ g²/λ over the penalised coefficients.
    func bound(_ gradient: [Double]) -> Double { weightedSquares(gradient) { 0.5 / $0 } }

    /// Σ c(λ_j)·v_j² over the penalised coefficients.
    private func weightedSquares(_ v: [Double], _ c: (Double) -> Double) -> Double {
        var total = 0.0
        v.withUnsafeBufferPointer { v in
            for (k, part) in state.parts.enumerated() {
                let base = bases[k]
                // the free intercept is its coordinate's last
                let count = bases[k + 1] - base - (free == bases[k + 1] - 1 ? 1 : 0)
                let squares = blockSum(count, workers) { range in
                    var sum = 0.0
                    for j in range { sum += v[base + j] * v[base + j] }
                    return sum
                }
                total += c(Self.l2(part)) * squares
            }
        }
        return total
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
        losses.accept()
        guard let free else { return f }
        let total = state.examples.weights.reduce(0.0) { $0 + Double($1) }
        for _ in 0..<20 {
            let (g, h) = (sum(losses.residuals), losses.totalCurvature())
            if abs(g) <= 1e-10 * total || h <= 0 { break }
            let old = x[free]
            x[free] -= g / h
            let value = value(at: x)
            if !(value <= f) {  // only rounding is left
                x[free] = old
                f = self.value(at: x)
                losses.accept()
                break
            }
            losses.accept()
            f = value
        }
        return f
    }

    private func sum(_ values: [Double]) -> Double {
        values.withUnsafeBufferPointer { values in
            blockSum(values.count, workers) { rows in
                var total = 0.0
                for i in rows { total += values[i] }
                return total
            }
        }
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
        let offsets = state.offsets
        margins.withUnsafeMutableBufferPointer { z in
            forBlocks(z.count, workers) { rows in for i in rows { z[i] = Double(offsets[i]) } }
        }
        addProducts(x, to: &margins)
        return losses.value(margins) + (l1?.value(x) ?? 0) + weightedSquares(x) { 0.5 * $0 }
    }

    func accept(_ x: [Double]) -> [Double] {
        losses.accept()
        return move(to: x)
    }

    /// ∇f at a point whose losses are the accepted ones.
    private func move(to x: [Double]) -> [Double] {
        for case .fixed(let fixed, _) in state.parts { fixed.noteMove() }
        factored = false
        var gradient = [Double](filledLater: count)
        transposed(losses.residuals, plusPenaltyOf: x, into: &gradient)
        return gradient
    }

    func hessianTimes(_ v: [Double], into out: inout [Double]) {
        rowProducts.withUnsafeMutableBufferPointer { z in
            forBlocks(z.count, workers) { rows in for i in rows { z[i] = 0 } }
        }
        addProducts(v, to: &rowProducts)
        losses.scaleByCurvature(&rowProducts)
        transposed(rowProducts, plusPenaltyOf: v, into: &out)
    }

    func precondition(_ r: [Double], into z: inout [Double]) {
        if !factored {
            preconditioner.factor(curvature: losses.curvature)
            factored = true
        }
        preconditioner.apply(r, into: &z, bases: bases)
    }

    /// Half of what `isOptimal` asks, because the quadratic model promises too much.
    func isNegligible(_ residual: [Double]) -> Bool { aimed > 0 && bound(residual) <= 0.25 * aimed }

    func noteInnerSteps(_ steps: Int) { preconditioner.noteInnerSteps(steps) }

    func isOptimal(value: Double, gradient: [Double]) -> Bool {
        var estimate = bound(gradient)
        if let free {
            estimate += 0.5 * gradient[free] * gradient[free] / max(losses.totalCurvature(), .leastNormalMagnitude)
        }
        aimed = tolerance * value
        return estimate <= 0.5 * aimed
    }

    /// z += Σ_k X_k·v_k
    private func addProducts(_ v: [Double], to z: inout [Double]) {
        v.withUnsafeBufferPointer { v in
            z.withUnsafeMutableBufferPointer { z in
                for (k, part) in state.parts.enumerated() {
                    switch part {
                    case .fixed(let fixed, _):
                        fixed.design.addProduct(v.baseAddress! + bases[k], to: z.baseAddress!, workers: workers)
                    case .random(let effect): effect.addProduct(v.baseAddress! + bases[k], to: z.baseAddress!)
                    }
                }
            }
        }
    }

    /// g = [X_kᵀ·r + λ_k·x_k]_k
    private func transposed(_ r: [Double], plusPenaltyOf x: [Double], into g: inout [Double]) {
        g.withUnsafeMutableBufferPointer { g in
            r.withUnsafeBufferPointer { r in
                for (k, part) in state.parts.enumerated() {
                    let out = g.baseAddress! + bases[k]
                    switch part {
                    case .fixed(let fixed, _):
                        fixed.design.multiplyTransposed(r.baseAddress!, into: out, workers: state.workers)
                    case .random(let effect): effect.multiplyTransposed(r.baseAddress!, into: out)
                    }
                    let (l2, base) = (Self.l2(part), bases[k])
                    let count = bases[k + 1] - base - (free == bases[k + 1] - 1 ? 1 : 0)
                    x.withUnsafeBufferPointer { x in
                        forBlocks(count, state.workers) { range in for j in range { out[j] += l2 * x[base + j] } }
                    }
                }
            }
        }
    }
}
