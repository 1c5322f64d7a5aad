import DenseAlgebra
import LinearAlgebra

/// The fixed effect's part of the objective with everything else held in the offsets:
///
///     f(b) = Σ_i w_i·ℓ(o_i + x_i·b, y_i) + Σ_{j < p − 1} (λ/2·b_j² + γ·|b_j|)        b: p, the intercept (last) is free
///
/// Solved by Newton's method with Cholesky factors where the p × p Hessian is cheap and γ is 0, else by trust-region
/// Newton-CG.
/// Its preconditioner is the Cholesky factor of the Hessian of at most `sampledRows` evenly spaced rows, scaled to
/// all, made once and used until the inner solves get long: one pass over the rows then does what hundreds would
/// with the diagonal, which is left for more than `mostSampledFeatures`.
final class FixedEffect: NewtonObjective {
    let design: DesignMatrix
    let l2: Double
    let l1: L1Penalty?
    let workers: Workers
    /// Ends a fit at f − f* ≤ `tolerance`·f, as far as strong convexity tells.
    var tolerance = 1e-8
    private let losses: RowLosses
    /// Σ_{other coordinates} scores + the rows' own offsets, one per row.
    private var offsets: [Double]
    /// Scores X·b of the point tried last, one per row.
    private(set) var scores: [Double]
    private var diagonal: [Double] = []
    /// Factor of the sampled Hessian, p × p; empty: none yet, or too many features.
    private var sampledFactor: [Double] = []
    let usesCholesky: Bool

    /// Above either bound the Hessian is not formed: features, and Σ nnz² over rows (about 0.1 s of one core).
    static let mostDenseFeatures = 2000
    static let mostGramCost = 1e8
    static let sampledRows = 1 << 17
    static let mostSampledFeatures = 4096

    init(_ coordinate: Coordinate, _ examples: Examples, scale: [Double], losses: RowLosses) {
        var design = DesignMatrix(examples, bags: coordinate.bags)
        design.scale = scale
        self.design = design
        (l2, self.losses, workers) = (coordinate.l2, losses, losses.workers)
        l1 = coordinate.l1 > 0 ? L1Penalty(range: 0..<design.featureCount - 1, strength: coordinate.l1) : nil
        offsets = examples.offsets.map(Double.init)
        scores = [Double](repeating: 0, count: examples.count)
        usesCholesky =
            l1 == nil && design.featureCount <= Self.mostDenseFeatures && design.gramCost <= Self.mostGramCost
    }

    var count: Int { design.featureCount }

    /// Improves b for the given offsets; afterwards `scores` are those of the new b.
    func fit(_ b: inout [Double], offsets: [Double]) {
        self.offsets = offsets
        if usesCholesky {
            fitByCholesky(&b)
        } else {
            _ = TrustRegionNewton().minimise(self, from: &b)
            _ = value(at: b)
        }
    }

    /// Damped Newton: step halved until f falls by 10⁻⁴ of what its slope promises (Armijo); ends when half the
    /// Newton decrement, an estimate of f − f*, is below 10⁻¹²·f.
    private func fitByCholesky(_ b: inout [Double]) {
        var f = value(at: b)
        for _ in 0..<50 {
            let gradient = accept(b)
            guard let step = newtonStep(gradient) else { return }
            var slope = 0.0
            for j in step.indices { slope += gradient[j] * step[j] }
            if -slope <= 2e-12 * f { return }
            var size = 1.0
            while true {
                let trial = zip(b, step).map { $0 + size * $1 }
                let value = value(at: trial)
                if value <= f + 1e-4 * size * slope {
                    (b, f) = (trial, value)
                    break
                }
                size /= 2
                if size < 1e-6 {
                    _ = self.value(at: b)
                    return
                }
            }
        }
    }

    /// −H⁻¹·g; nil if rounding has made H singular (nothing more to gain).
    private func newtonStep(_ gradient: [Double]) -> [Double]? {
        var h = hessian()
        var step = gradient.map { -$0 }
        let p = count
        return h.withUnsafeMutableBufferPointer { h -> [Double]? in
            guard (try? Cholesky.factor(p, h.baseAddress!)) != nil else { return nil }
            step.withUnsafeMutableBufferPointer { Cholesky.solve(p, factor: h.baseAddress!, $0.baseAddress!) }
            return step
        }
    }

    /// Told that the losses were accepted at another point.
    func noteMove() { diagonal = [] }

    /// ∇²f at the accepted point, p × p, lower triangle.
    func hessian() -> [Double] {
        let p = count
        var h = [Double](repeating: 0, count: p * p)
        h.withUnsafeMutableBufferPointer { h in
            losses.curvature.withUnsafeBufferPointer {
                design.weightedGram($0.baseAddress!, into: h.baseAddress!, workers: workers)
            }
            for j in 0..<p - 1 { h[j * p + j] += l2 }
        }
        return h
    }

    // MARK: NewtonObjective

    func value(at b: [Double]) -> Double {
        let workers = workers
        b.withUnsafeBufferPointer { b in
            scores.withUnsafeMutableBufferPointer { z in
                forBlocks(z.count, workers) { rows in for i in rows { z[i] = 0 } }
                design.addProduct(b.baseAddress!, to: z.baseAddress!, workers: workers)
            }
        }
        return losses.value(scores, plus: offsets) + penalty(b)
    }

    /// What the coefficients add to f.
    func penalty(_ b: [Double]) -> Double {
        var total = 0.0
        for j in 0..<count - 1 { total += b[j] * b[j] }
        return 0.5 * l2 * total + (l1?.value(b) ?? 0)
    }

    func accept(_ b: [Double]) -> [Double] {
        losses.accept()
        noteMove()
        var gradient = transposed(losses.residuals)
        for j in 0..<count - 1 { gradient[j] += l2 * b[j] }
        return gradient
    }

    func hessianTimes(_ v: [Double], into out: inout [Double]) {
        var product = [Double](repeating: 0, count: losses.count)
        product.withUnsafeMutableBufferPointer { product in
            v.withUnsafeBufferPointer {
                design.addProduct($0.baseAddress!, to: product.baseAddress!, workers: workers)
            }
        }
        losses.scaleByCurvature(&product)
        out = transposed(product)
        for j in 0..<count - 1 { out[j] += l2 * v[j] }
    }

    func precondition(_ r: [Double], into z: inout [Double]) {
        z = r
        z.withUnsafeMutableBufferPointer { precondition(inPlace: $0.baseAddress!) }
    }

    /// M⁻¹·r in the place of r.
    func precondition(inPlace r: UnsafeMutablePointer<Double>) {
        if sampledFactor.isEmpty && count <= Self.mostSampledFeatures { sampledFactor = factorSampled() }
        if !sampledFactor.isEmpty {
            return sampledFactor.withUnsafeBufferPointer { Cholesky.solve(count, factor: $0.baseAddress!, r) }
        }
        if diagonal.isEmpty { diagonal = hessianDiagonal() }
        for j in 0..<count { r[j] /= diagonal[j] }
    }

    /// A long inner solve says that the Hessian has moved away from the factor.
    func noteInnerSteps(_ steps: Int) { if steps > 20 { sampledFactor = [] } }

    /// Every so-manieth row's value, scaled to all rows; 0 elsewhere.
    static func sampled(_ curvature: [Double]) -> [Double] {
        let step = max(1, (curvature.count + sampledRows - 1) / sampledRows)
        var d = [Double](repeating: 0, count: curvature.count)
        for i in stride(from: 0, to: d.count, by: step) { d[i] = Double(step) * curvature[i] }
        return d
    }

    /// Cholesky factor of the Hessian of every `step`-th row, scaled to all; empty if it is not positive definite.
    private func factorSampled() -> [Double] {
        let p = count
        let d = Self.sampled(losses.curvature)
        var h = [Double](repeating: 0, count: p * p)
        let isDefinite = h.withUnsafeMutableBufferPointer { h in
            d.withUnsafeBufferPointer { design.weightedGram($0.baseAddress!, into: h.baseAddress!, workers: workers) }
            for j in 0..<p - 1 { h[j * p + j] += l2 }
            return (try? Cholesky.factor(p, h.baseAddress!)) != nil
        }
        return isDefinite ? h : []
    }

    /// Diagonal of ∇²f at the accepted point; the intercept's entry is kept above 0.
    func hessianDiagonal() -> [Double] {
        var d = transposed(losses.curvature, squared: true)
        for j in 0..<count - 1 { d[j] += l2 }
        d[count - 1] = max(d[count - 1], .leastNormalMagnitude)
        return d
    }

    /// By strong convexity of the penalised coefficients f − f* is at most the first sum; the intercept's share is
    /// its Newton estimate.
    func isOptimal(value: Double, gradient: [Double]) -> Bool {
        var bound = 0.0
        for j in 0..<count - 1 { bound += gradient[j] * gradient[j] / l2 }
        let intercept = gradient[count - 1]
        bound += intercept * intercept / max(losses.totalCurvature(), .leastNormalMagnitude)
        return 0.5 * bound <= tolerance * value
    }

    private func transposed(_ r: [Double], squared: Bool = false) -> [Double] {
        var g = [Double](repeating: 0, count: count)
        g.withUnsafeMutableBufferPointer { g in
            r.withUnsafeBufferPointer {
                design.multiplyTransposed($0.baseAddress!, into: g.baseAddress!, squared: squared, workers: workers)
            }
        }
        return g
    }
}
