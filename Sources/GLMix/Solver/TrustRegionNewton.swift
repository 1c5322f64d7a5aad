/// A twice differentiable convex function as a trust-region Newton method sees it. The object remembers the point
/// of its last `evaluate`, to which gradient, Hessian and preconditioner belong.
protocol NewtonObjective: AnyObject {
    /// Number of variables.
    var count: Int { get }
    /// f(x); only the value: the point is tried, not accepted.
    func value(at x: [Double]) -> Double
    /// Moves to the point that was tried last and returns ∇f there.
    func accept(_ x: [Double]) -> [Double]
    /// ∇²f·v at the accepted point.
    func hessianTimes(_ v: [Double]) -> [Double]
    /// M⁻¹·r for a symmetric positive definite M near ∇²f at the accepted point.
    func precondition(_ r: [Double]) -> [Double]
    /// Whether the accepted point is good enough.
    func isOptimal(value: Double, gradient: [Double]) -> Bool
}

/// Trust-region Newton method for large problems.
///
/// C.-J. Lin, R. C. Weng, S. S. Keerthi: Trust region Newton method for large-scale logistic regression, JMLR 9
/// (2008), algorithms 1 and 2; conjugate gradients are preconditioned and the region is measured in the norm of M
/// (C.-Y. Hsia, W.-L. Chiang, C.-J. Lin, ACML 2018), with the recurrences of Conn, Gould, Toint (Trust-Region
/// Methods, 2000, §7.5.1), so that M itself is never applied.
///
/// Stops when the objective says so, or after `iterations` steps, or when no step of representable size descends.
struct TrustRegionNewton {
    var iterations = 50
    /// Most conjugate-gradient steps inside one Newton step.
    var innerIterations = 250
    /// An inner solve ends at ‖r‖_M⁻¹ ≤ forcing·‖g‖_M⁻¹.
    var forcing = 0.1

    struct Outcome: Sendable, Equatable {
        var value: Double
        var steps = 0
        var products = 0
    }

    func minimise(_ f: some NewtonObjective, from x: inout [Double]) -> Outcome {
        var outcome = Outcome(value: f.value(at: x))
        var gradient = f.accept(x)
        var radius = norm(gradient, f.precondition(gradient))
        while outcome.steps < iterations, !f.isOptimal(value: outcome.value, gradient: gradient) {
            let step = steihaug(f, gradient, radius)
            outcome.products += step.products
            outcome.steps += 1
            let trial = zip(x, step.direction).map { $0 + $1 }
            let value = f.value(at: trial)
            let slope = dot(gradient, step.direction)
            let predicted = -0.5 * (slope - dot(step.direction, step.residual))
            let actual = outcome.value - value
            if outcome.steps == 1 { radius = min(radius, step.length) }
            radius = resized(radius, step.length, slope: slope, predicted: predicted, actual: actual)
            if actual > 1e-4 * predicted {
                (x, outcome.value) = (trial, value)
                gradient = f.accept(x)
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
    func steihaug(
        _ f: some NewtonObjective, _ gradient: [Double], _ radius: Double
    ) -> (direction: [Double], residual: [Double], length: Double, products: Int) {
        var s = [Double](repeating: 0, count: gradient.count)
        var r = gradient.map { -$0 }
        var z = f.precondition(r)
        var d = z
        var rz = dot(r, z)
        let goal = forcing * forcing * rz
        var (ss, sd, dd) = (0.0, 0.0, rz)  // ‖s‖², ⟨s, d⟩, ‖d‖² in M
        var products = 0
        while products < innerIterations, rz > goal, rz > 0 {
            let hd = f.hessianTimes(d)
            products += 1
            let alpha = rz / dot(d, hd)
            let next = ss + 2 * alpha * sd + alpha * alpha * dd
            if next >= radius * radius {
                let rest = radius * radius - ss
                let root = max(0, sd * sd + dd * rest).squareRoot()
                let tau = sd >= 0 ? rest / (sd + root) : (root - sd) / dd
                for i in s.indices {
                    s[i] += tau * d[i]
                    r[i] -= tau * hd[i]
                }
                return (s, r, radius, products)
            }
            for i in s.indices {
                s[i] += alpha * d[i]
                r[i] -= alpha * hd[i]
            }
            z = f.precondition(r)
            let rzNext = dot(r, z)
            let beta = rzNext / rz
            rz = rzNext
            sd = beta * (sd + alpha * dd)
            dd = rz + beta * beta * dd
            ss = next
            for i in d.indices { d[i] = z[i] + beta * d[i] }
        }
        return (s, r, ss.squareRoot(), products)
    }

    private func norm(_ r: [Double], _ z: [Double]) -> Double { max(0, dot(r, z)).squareRoot() }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        var total = 0.0
        for i in a.indices { total += a[i] * b[i] }
        return total
    }
}
