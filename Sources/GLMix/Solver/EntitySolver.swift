import LinearAlgebra

/// Fits the coefficients of one entity at a time; one solver per thread, its buffers are reused.
///
///     f(θ) = Σ_i w_i·ℓ(o_i + x_i·θ, y_i) + (λ/2)·‖θ‖²        m rows, n features that occur in them (intercept last)
///
/// Damped Newton steps, each solved by Cholesky: in the primal form of order n, or, for entities with fewer rows
/// than features, in the dual form of order m with θ = Xᵀ·α (Newton's method of C. E. Rasmussen, C. K. I. Williams:
/// Gaussian Processes for Machine Learning, 2006, algorithm 3.1, with K = X·Xᵀ and noise λ). A step is halved until f
/// falls by 10⁻⁴ of what its slope promises (Armijo). The last step is the first whose Newton decrement gᵀH⁻¹g was
/// at most 10⁻⁸: Newton's method squares it.
final class EntitySolver {
    let l2: Double
    private(set) var rowCount = 0
    private(set) var featureCount = 0
    /// x_i·θ, one per row: part of the result.
    private(set) var margins = Buffer<Double>()
    // rows of the entity: CSR with local columns (not owned), then labels, weights, offsets
    private var starts: UnsafePointer<Int>
    private var columns: UnsafePointer<Int32>
    private var values: UnsafePointer<Float>
    private var positive = Buffer<Bool>()
    private var weights = Buffer<Double>()
    private var offsets = Buffer<Double>()

    private var first = Buffer<Double>()
    private var second = Buffer<Double>()
    private var gradient = Buffer<Double>()
    private var step = Buffer<Double>()
    private var marginStep = Buffer<Double>()
    private var matrix = Buffer<Double>()
    private var kernel = Buffer<Double>()
    private var dense = Buffer<Double>()
    /// Stands for "no rows": never read.
    private var nowhere = Buffer<Int>()

    static let decrement = 1e-8
    static let mostSteps = 60

    init(l2: Double) {
        self.l2 = l2
        let address = UnsafeRawPointer(nowhere.base)
        starts = address.assumingMemoryBound(to: Int.self)
        columns = address.assumingMemoryBound(to: Int32.self)
        values = address.assumingMemoryBound(to: Float.self)
    }

    /// Takes the entity's fitted rows; valid as long as the view is.
    /// - Parameters:
    ///   - offsets: one per example.
    ///   - all: rows of the entity, those that `max_rows` removed included: weights are scaled up to them.
    func load(_ view: EntityView, _ e: Int, _ data: Examples, offsets known: UnsafePointer<Double>, all: Int) {
        let rows = view.rowRange(e)
        (rowCount, featureCount) = (rows.count, view.range(e).count)
        reserve()
        starts = view.starts + rows.lowerBound
        columns = view.columns.baseAddress!
        values = view.values.baseAddress!
        let scale = Double(all) / Double(rows.count)
        for i in 0..<rows.count {
            let row = Int(view.rows[rows.lowerBound + i])
            positive.base[i] = data.labels[row] == 1
            weights.base[i] = Double(data.weights[row]) * scale
            offsets.base[i] = known[row]
        }
    }

    private func reserve() {
        let (m, n) = (rowCount, featureCount)
        let order = min(m, n)
        positive.reserve(m)
        weights.reserve(m)
        offsets.reserve(m)
        margins.reserve(m)
        first.reserve(m)
        second.reserve(m)
        marginStep.reserve(m)
        gradient.reserve(max(m, n))
        step.reserve(max(m, n))
        matrix.reserve(order * order)
        if usesDual {
            kernel.reserve(m * m)
            dense.reserve(n)
        }
    }

    var usesDual: Bool { rowCount < featureCount }

    /// Improves θ from where it is (in the dual form: from θ = Xᵀ·α); `margins` are those of the result.
    /// theta: n; alpha: m, used only by the dual form.
    func solve(theta: UnsafeMutablePointer<Double>, alpha: UnsafeMutablePointer<Double>) {
        if usesDual { solveDual(alpha, theta) } else { solvePrimal(theta) }
    }

    // MARK: Primal form, order n

    private func solvePrimal(_ theta: UnsafeMutablePointer<Double>) {
        let (m, n) = (rowCount, featureCount)
        let (step, margins, marginStep) = (step.base, margins.base, marginStep.base)
        multiply(theta, into: margins)
        var f = loss(0) + 0.5 * l2 * dot(n, theta, theta)
        for _ in 0..<Self.mostSteps {
            derive()
            primalGradient(theta)
            primalHessian(into: matrix.base)
            for j in 0..<n { step[j] = -gradient.base[j] }
            if !SmallCholesky.factor(n, matrix.base) { return }
            SmallCholesky.solve(n, matrix.base, step)
            let slope = dot(n, gradient.base, step)
            multiply(step, into: marginStep)
            let (tt, ts, ss) = (dot(n, theta, theta), dot(n, theta, step), dot(n, step, step))
            guard let (size, value) = search(f, slope, { 0.5 * l2 * (tt + 2 * $0 * ts + $0 * $0 * ss) }) else { return }
            for j in 0..<n { theta[j] += size * step[j] }
            for i in 0..<m { margins[i] += size * marginStep[i] }
            f = value
            if -slope <= Self.decrement { return }
        }
    }

    private func primalGradient(_ theta: UnsafePointer<Double>) {
        let gradient = gradient.base
        for j in 0..<featureCount { gradient[j] = l2 * theta[j] }
        addTransposed(first.base, to: gradient)
    }

    /// XᵀDX + λI, lower triangle; D = diag(w·ℓ″) of the last `derive`.
    func primalHessian(into h: UnsafeMutablePointer<Double>) {
        let n = featureCount
        h.update(repeating: 0, count: n * n)
        let (starts, columns, values, second) = (starts, columns, values, second.base)
        for i in 0..<rowCount {
            for a in starts[i]..<starts[i + 1] {
                let row = h + Int(columns[a]) * n
                let scaled = second[i] * Double(values[a])
                for b in starts[i]...a { row[Int(columns[b])] += scaled * Double(values[b]) }
            }
        }
        for j in 0..<n { h[j * n + j] += l2 }
    }

    // MARK: Dual form, order m

    private func solveDual(_ alpha: UnsafeMutablePointer<Double>, _ theta: UnsafeMutablePointer<Double>) {
        let (m, n) = (rowCount, featureCount)
        let (step, margins, marginStep) = (step.base, margins.base, marginStep.base)
        fillKernel()
        multiplyKernel(alpha, into: margins)
        var f = loss(0) + 0.5 * l2 * dot(m, alpha, margins)
        for _ in 0..<Self.mostSteps {
            derive()
            if !dualStep(alpha) { break }
            multiplyKernel(step, into: marginStep)
            var slope = 0.0
            for i in 0..<m { slope += marginStep[i] * (l2 * alpha[i] + first.base[i]) }
            let (aa, ad, dd) = (dot(m, alpha, margins), dot(m, step, margins), dot(m, step, marginStep))
            guard let (size, value) = search(f, slope, { 0.5 * l2 * (aa + 2 * $0 * ad + $0 * $0 * dd) }) else { break }
            for i in 0..<m { alpha[i] += size * step[i] }
            for i in 0..<m { margins[i] += size * marginStep[i] }
            f = value
            if -slope <= Self.decrement { break }
        }
        theta.update(repeating: 0, count: n)
        addTransposed(alpha, to: theta)
    }

    /// step = α_new − α with α_new = (b − S·B⁻¹·S·K·b)/λ, b = D·f + r, S = √D, B = λI + S·K·S, r = −w·ℓ′.
    private func dualStep(_ alpha: UnsafePointer<Double>) -> Bool {
        let m = rowCount
        let (b, step, second) = (gradient.base, step.base, second.base)
        for i in 0..<m { b[i] = second[i] * margins.base[i] - first.base[i] }
        dualSystem(into: matrix.base)
        if !SmallCholesky.factor(m, matrix.base) { return false }
        multiplyKernel(b, into: step)
        for i in 0..<m { step[i] *= second[i].squareRoot() }
        SmallCholesky.solve(m, matrix.base, step)
        for i in 0..<m { step[i] = (b[i] - second[i].squareRoot() * step[i]) / l2 - alpha[i] }
        return true
    }

    /// B = λI + S·K·S, lower triangle.
    func dualSystem(into b: UnsafeMutablePointer<Double>) {
        let (m, kernel, second) = (rowCount, kernel.base, second.base)
        for i in 0..<m {
            let root = second[i].squareRoot()
            for j in 0...i { b[i * m + j] = root * second[j].squareRoot() * kernel[i * m + j] }
            b[i * m + i] += l2
        }
    }

    /// K = X·Xᵀ, both triangles: each row in turn laid out densely.
    func fillKernel() {
        let (m, kernel, dense) = (rowCount, kernel.base, dense.base)
        let (starts, columns, values) = (starts, columns, values)
        dense.update(repeating: 0, count: featureCount)
        for i in 0..<m {
            for at in starts[i]..<starts[i + 1] { dense[Int(columns[at])] = Double(values[at]) }
            for j in 0...i {
                var total = 0.0
                for at in starts[j]..<starts[j + 1] { total += Double(values[at]) * dense[Int(columns[at])] }
                kernel[i * m + j] = total
                kernel[j * m + i] = total
            }
            for at in starts[i]..<starts[i + 1] { dense[Int(columns[at])] = 0 }
        }
    }

    private func multiplyKernel(_ v: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>) {
        let m = rowCount
        for i in 0..<m { out[i] = dot(m, kernel.base + i * m, v) }
    }

    // MARK: Shared

    /// w·ℓ′ and w·ℓ″ at the present margins.
    func derive() {
        let (first, second, weights) = (first.base, second.base, weights.base)
        for i in 0..<rowCount {
            let d = LogisticLoss.derivatives(offsets.base[i] + margins.base[i], positive: positive.base[i])
            first[i] = weights[i] * d.first
            second[i] = weights[i] * d.second
        }
    }

    /// Takes the loaded offsets for w·ℓ″ of the rows: for factors at a point that is given by its curvature.
    func useCurvature() { for i in 0..<rowCount { second.base[i] = offsets.base[i] } }

    /// w·ℓ″ of a row at the last `derive` or `useCurvature`.
    @inline(__always)
    func curvature(_ row: Int) -> Double { second.base[row] }

    /// Σ w·ℓ at margins + size·marginStep.
    private func loss(_ size: Double) -> Double {
        var total = 0.0
        let (margins, marginStep) = (margins.base, marginStep.base)
        for i in 0..<rowCount {
            let z = offsets.base[i] + (size == 0 ? margins[i] : margins[i] + size * marginStep[i])
            total += weights.base[i] * LogisticLoss.value(z, positive: positive.base[i])
        }
        return total
    }

    /// The step size and the value there; nil if no step descends (rounding: nothing more to gain).
    private func search(_ f: Double, _ slope: Double, _ penalty: (Double) -> Double) -> (Double, Double)? {
        if !(slope < 0) { return nil }
        var size = 1.0
        while size > 1e-9 {
            let value = loss(size) + penalty(size)
            if value <= f + 1e-4 * size * slope { return (size, value) }
            // a slope below the rounding of f cannot be seen in f any more
            if -slope <= 1e-13 * abs(f) { return nil }
            size /= 2
        }
        return nil
    }

    /// out = X·v
    func multiply(_ v: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>) {
        let (starts, columns, values) = (starts, columns, values)
        for i in 0..<rowCount {
            var total = 0.0
            for at in starts[i]..<starts[i + 1] { total += Double(values[at]) * v[Int(columns[at])] }
            out[i] = total
        }
    }

    /// out += Xᵀ·r
    func addTransposed(_ r: UnsafePointer<Double>, to out: UnsafeMutablePointer<Double>) {
        let (starts, columns, values) = (starts, columns, values)
        for i in 0..<rowCount {
            for at in starts[i]..<starts[i + 1] { out[Int(columns[at])] += Double(values[at]) * r[i] }
        }
    }

    @inline(__always)
    private func dot(_ n: Int, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
        var total = 0.0
        for i in 0..<n { total += a[i] * b[i] }
        return total
    }
}

/// Memory that grows and is never cleared.
struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private var capacity = 64

    init() { base = .allocate(capacity: 64) }

    /// Room for `count` elements; what was there is lost if the memory has to grow.
    mutating func reserve(_ count: Int) {
        if count <= capacity { return }
        base.deallocate()
        capacity = max(count, 2 * capacity)
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }
}

/// Cholesky factors for many small systems: a plain loop below order 32, where a LAPACK call costs more than the
/// work, LAPACK above. Row-major, lower triangle.
enum SmallCholesky {
    static let plainBelow = 32

    /// False if the matrix is not positive definite.
    static func factor(_ n: Int, _ a: UnsafeMutablePointer<Double>) -> Bool {
        if n >= plainBelow { return (try? Cholesky.factor(n, a)) != nil }
        for i in 0..<n {
            let row = a + i * n
            for j in 0..<i {
                let other = a + j * n
                var total = row[j]
                for k in 0..<j { total -= row[k] * other[k] }
                row[j] = total / other[j]
            }
            var pivot = row[i]
            for k in 0..<i { pivot -= row[k] * row[k] }
            if !(pivot > 0) { return false }
            row[i] = pivot.squareRoot()
        }
        return true
    }

    /// Solves L·Lᵀ·x = b in place.
    static func solve(_ n: Int, _ factor: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>) {
        if n >= plainBelow { return Cholesky.solve(n, factor: factor, b) }
        for i in 0..<n {
            var total = b[i]
            for k in 0..<i { total -= factor[i * n + k] * b[k] }
            b[i] = total / factor[i * n + i]
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            b[i] /= factor[i * n + i]
            for k in 0..<i { b[k] -= factor[i * n + k] * b[i] }
        }
    }
}
