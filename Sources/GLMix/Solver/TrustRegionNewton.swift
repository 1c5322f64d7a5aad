import LinearAlgebra

/// A convex function, twice differentiable but for an L1 term, as a trust-region Newton method sees it. The object remembers the point
/// of its last `evaluate`, to which gradient, Hessian and preconditioner belong.
protocol NewtonObjective: AnyObject {
    /// Number of variables.
    var count: Int { get }
    /// Part of f, if there is one; derivatives leave it out.
    var l1: L1Penalty? { get }
    /// f(x); only the value: the point is tried, not accepted.
    func value(at x: [Double]) -> Double
    /// Moves to the point that was tried last and returns ∇f there, without the L1 term.
    func accept(_ x: [Double]) -> [Double]
    /// out = ∇²f·v at the accepted point.
    func hessianTimes(_ v: [Double], into out: inout [Double])
    /// z = M⁻¹·r for a symmetric positive definite M near ∇²f at the accepted point.
    func precondition(_ r: [Double], into z: inout [Double])
    /// Whether an inner solve may end at this residual, the gradient that its quadratic model promises.
    func isNegligible(_ residual: [Double]) -> Bool
    /// Told after each inner solve how many products it took.
    func noteInnerSteps(_ steps: Int)
    /// For sums over variables.
    var workers: Workers { get }
    /// Whether the accepted point is good enough. gradient: with L1 the subgradient of least norm.
    func isOptimal(value: Double, gradient: [Double]) -> Bool
}

extension NewtonObjective {
    func noteInnerSteps(_ steps: Int) {}
    func isNegligible(_ residual: [Double]) -> Bool { false }

    func subgradient(_ gradient: [Double], at x: [Double]) -> [Double] {
        l1?.subgradient(gradient, at: x) ?? gradient
    }
}

/// Trust-region Newton method for large problems.
///
/// C.-J. Lin, R. C. Weng, S. S. Keerthi: Trust region Newton method for large-scale logistic regression, JMLR 9
/// (2008), algorithms 1 and 2; conjugate gradients are preconditioned and the region is measured in the norm of M
/// (C.-Y. Hsia, W.-L. Chiang, C.-J. Lin, ACML 2018), with the recurrences of Conn, Gould, Toint (Trust-Region
/// Methods, 2000, §7.5.1), so that M itself is never applied.
///
/// With an L1 term this is a projected Newton method on the variables that are not best left at 0 (its quadratic model
/// holds in their orthant): steps end where a variable leaves its orthant, at 0; a variable that would leave 0 against
/// its descent is held until a step is taken.
///
/// Stops when the objective says so, or after `iterations` steps, or when no step of representable size descends.
struct TrustRegionNewton {
    var iterations = 50
    /// Most conjugate-gradient steps inside one Newton step.
    var innerIterations = 250
    /// An inner solve ends at ‖r‖_M⁻¹ ≤ forcing·‖g‖_M⁻¹, or at a residual that the objective calls negligible.
    var forcing = 0.1

    struct Outcome: Sendable, Equatable {
        var value: Double
        var steps = 0
        var products = 0
    }

    func minimise(_ f: some NewtonObjective, from x: inout [Double]) -> Outcome {
        let vectors = VectorSpace(workers: f.workers)
        var outcome = Outcome(value: f.value(at: x))
        var gradient = f.subgradient(f.accept(x), at: x)
        var radius = Double.infinity
        var blocked = [Bool](repeating: false, count: f.l1 == nil ? 0 : x.count)
        while outcome.steps < iterations, !f.isOptimal(value: outcome.value, gradient: gradient) {
            let step = steihaug(f, gradient, radius, free: f.l1?.free(x, gradient, blocked: blocked))
            f.noteInnerSteps(step.products)
            outcome.products += step.products
            outcome.steps += 1
            var trial = x
            vectors.add(1, step.direction, to: &trial)
            f.l1?.project(&trial, from: x, gradient)
            let value = f.value(at: trial)
            let slope = vectors.dot(gradient, step.direction)
            let predicted = -0.5 * (slope - vectors.dot(step.direction, step.residual))
            let actual = outcome.value - value
            if outcome.steps == 1 { radius = step.length }
            radius = resized(radius, step.length, slope: slope, predicted: predicted, actual: actual)
            if actual > 1e-4 * predicted {
                (x, outcome.value) = (trial, value)
                gradient = f.subgradient(f.accept(x), at: x)
                for j in blocked.indices { blocked[j] = false }
            } else {
                f.l1?.block(step.direction, at: x, gradient, &blocked)
            }
            // what is left to gain drowns in the rounding of f
            if predicted <= 1e-15 * abs(outcome.value) || radius == 0 { break }
        }
        return outcome
    }

    /// The radius rules of algorithm 1 (σ₁ = ¼, σ₂ = ½, σ₃ = 4; η₀ = 10⁻⁴, η₁ = ¼, η₂ = ¾).
    private func resized(
        _ radius: Double, _ length: Double, slope: Double, predicted: Double, actual: Double
    ) -> Double {
        let alpha = -actual - slope <= 0 ? 4 : max(0.25, -0.5 * (slope / (-actual - slope)))
        if actual < 1e-4 * predicted { return min(max(alpha, 0.25) * length, 0.5 * radius) }
        if actual < 0.25 * predicted { return max(0.25 * radius, min(alpha * length, 0.5 * radius)) }
        if actual < 0.75 * predicted { return max(0.25 * radius, min(alpha * length, 4 * radius)) }
        return max(radius, min(alpha * length, 4 * radius))
    }

    /// Algorithm 2: conjugate gradients on H·s = −g from 0, stopped at the region's border.
    /// - Parameter free: which variables may move; nil: all.
    func steihaug(
        _ f: some NewtonObjective, _ gradient: [Double], _ radius: Double, free: [Bool]? = nil
    ) -> (direction: [Double], residual: [Double], length: Double, products: Int) {
        let vectors = VectorSpace(workers: f.workers)
        var s = [Double](repeating: 0, count: gradient.count)
        var r = vectors.scaled(-1, gradient)
        vectors.hold(free, &r)
        var z = [Double](filledLater: r.count)
        f.precondition(r, into: &z)
        vectors.hold(free, &z)
        var d = z
        var hd = [Double](filledLater: r.count)
        var rz = vectors.dot(r, z)
        let goal = forcing * forcing * rz
        var (ss, sd, dd) = (0.0, 0.0, rz)  // ‖s‖², ⟨s, d⟩, ‖d‖² in M
        var products = 0
        while products < innerIterations, rz > goal, rz > 0, !f.isNegligible(r) {
            f.hessianTimes(d, into: &hd)
            vectors.hold(free, &hd)
            products += 1
            let alpha = rz / vectors.dot(d, hd)
            let next = ss + 2 * alpha * sd + alpha * alpha * dd
            if next >= radius * radius {
                let rest = radius * radius - ss
                let root = max(0, sd * sd + dd * rest).squareRoot()
                let tau = sd >= 0 ? rest / (sd + root) : (root - sd) / dd
                vectors.add(tau, d, to: &s)
                vectors.add(-tau, hd, to: &r)
                return (s, r, radius, products)
            }
            vectors.add(alpha, d, to: &s, subtracting: hd, from: &r)
            f.precondition(r, into: &z)
            vectors.hold(free, &z)
            let rzNext = vectors.dot(r, z)
            let beta = rzNext / rz
            rz = rzNext
            sd = beta * (sd + alpha * dd)
            dd = rz + beta * beta * dd
            ss = next
            vectors.combine(z, beta, &d)
        }
        return (s, r, ss.squareRoot(), products)
    }
}

/// Vector operations over all variables, in parallel blocks; sums over the tree of blocks.
struct VectorSpace {
    let workers: Workers

    func dot(_ a: [Double], _ b: [Double]) -> Double {
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                blockSum(a.count, workers) { range in
                    var total = 0.0
                    for i in range { total += a[i] * b[i] }
                    return total
                }
            }
        }
    }

    /// y += a·x
    func add(_ a: Double, _ x: [Double], to y: inout [Double]) {
        x.withUnsafeBufferPointer { x in
            y.withUnsafeMutableBufferPointer { y in
                forBlocks(x.count, workers) { range in for i in range { y[i] += a * x[i] } }
            }
        }
    }

    /// y += a·x and v −= a·u, in one pass
    func add(
        _ a: Double, _ x: [Double], to y: inout [Double], subtracting u: [Double], from v: inout [Double]
    ) {
        x.withUnsafeBufferPointer { x in
            u.withUnsafeBufferPointer { u in
                y.withUnsafeMutableBufferPointer { y in
                    v.withUnsafeMutableBufferPointer { v in
                        forBlocks(x.count, workers) { range in
                            for i in range {
                                y[i] += a * x[i]
                                v[i] -= a * u[i]
                            }
                        }
                    }
                }
            }
        }
    }

    /// y = x + b·y
    func combine(_ x: [Double], _ b: Double, _ y: inout [Double]) {
        x.withUnsafeBufferPointer { x in
            y.withUnsafeMutableBufferPointer { y in
                forBlocks(x.count, workers) { range in for i in range { y[i] = x[i] + b * y[i] } }
            }
        }
    }

    /// 0 where variables may not move.
    func hold(_ free: [Bool]?, _ x: inout [Double]) {
        guard let free else { return }
        for j in free.indices where !free[j] { x[j] = 0 }
    }

    func scaled(_ a: Double, _ x: [Double]) -> [Double] {
        var out = [Double](filledLater: x.count)
        out.withUnsafeMutableBufferPointer { out in
            x.withUnsafeBufferPointer { x in
                forBlocks(x.count, workers) { range in for i in range { out[i] = a * x[i] } }
            }
        }
        return out
    }
}
