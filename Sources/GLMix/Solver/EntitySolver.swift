import DenseAlgebra
import LinearAlgebra

/// Fits the coefficients of one entity at a time; one solver per thread, its buffers are reused.
///
///     f(θ) = Σ_i w_i·ℓ(o_i + x_i·θ, y_i) + (λ/2)·‖θ‖²        m rows, n features that occur in them (intercept last)
///
/// Damped Newton steps, each solved by Cholesky: in the primal form of order n, or, for entities with fewer rows
/// than features, in the dual form of order m with θ = Xᵀ·α (Newton's method of C. E. Rasmussen, C. K. I. Williams:
/// Gaussian Processes for Machine Learning, 2006, algorithm 3.1, with K = X·Xᵀ and noise λ). A step is halved until f
/// falls by 10⁻⁴ of what its slope promises (Armijo). The last step is the first whose Newton decrement gᵀH⁻¹g was
/// at most `decrement`: Newton's method squares it.
final class EntitySolver {
    let l2: Double
    private(set) var rowCount = 0
    private(set) var featureCount = 0
    /// x_i·θ, one per row: part of the result.
    private(set) var margins = Buffer<Double>()
    /// What the entity is read from; nil before the first.
    private var view: EntityView?
    private var entity = 0
    // rows of the entity: CSR with its own columns, then labels, weights, offsets
    private var starts = Buffer<Int>()
    private var columns = Buffer<UInt32>()
    private var values = Buffer<Double>()
    private var positive = Buffer<UInt8>()
    private var weights = Buffer<Float>()
    private var offsets = Buffer<Double>()
    /// Rows of the entity per fitted row.
    private var scale = 1.0

    /// w·ℓ′ and w·ℓ″ at the margins tried last.
    private var first = Buffer<Double>()
    private var second = Buffer<Double>()
    private var tried = Buffer<Double>()
    private var gradient = Buffer<Double>()
    private var marginStep = Buffer<Double>()
    private var kernel = Buffer<Double>()
    var step = Buffer<Double>()
    var matrix = Buffer<Double>()
    /// Columns or rows of the entity laid out densely.
    var dense = Buffer<Double>()
    // one number per feature of the coordinate
    private var local = Buffer<UInt32>()
    private var sums = Buffer<Double>()

    static let decrement = 1e-8
    static let mostSteps = 60

    /// - Parameter features: of the coordinate, the intercept included.
    init(l2: Double, features: Int) {
        self.l2 = l2
        local.reserve(features)
        sums.reserve(features)
    }

    /// Takes the entity's fitted rows; valid as long as the view is.
    /// - Parameters:
    ///   - offsets: one per example.
    ///   - all: rows of the entity, those that `max_rows` removed included: weights are scaled up to them.
    func load(_ view: EntityView, _ e: Int, _ data: RowPointers, offsets known: UnsafePointer<Double>, all: Int) {
        loadFeatures(view, e, all: all)
        let rows = view.rows(e)
        for i in 0..<rowCount {
            let row = Int(rows[i])
            positive.base[i] = data.labels[row]
            weights.base[i] = data.weights[row]
            offsets.base[i] = known[row]
        }
    }

    /// As `load`, for factors at a point that is given by its curvature w·ℓ″, one per example.
    func load(_ view: EntityView, _ e: Int, curvature: UnsafePointer<Double>, all: Int) {
        loadFeatures(view, e, all: all)
        let rows = view.rows(e)
        for i in 0..<rowCount { second.base[i] = scale * curvature[Int(rows[i])] }
    }

    private func loadFeatures(_ view: EntityView, _ e: Int, all: Int) {
        (rowCount, featureCount) = (view.rowRange(e).count, view.range(e).count)
        reserve()
        let nonzeros = view.nonzeroCount(e)
        starts.reserve(rowCount + 1)
        columns.reserve(nonzeros)
        values.reserve(nonzeros)
        view.matrix(e, starts: starts.base, columns: columns.base, values: values.base, local: local.base)
        (self.view, entity) = (view, e)
        scale = Double(all) / Double(rowCount)
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
        tried.reserve(m)
        marginStep.reserve(m)
        gradient.reserve(max(m, n))
        step.reserve(max(m, n))
        matrix.reserve(order * order)
        if usesDual { kernel.reserve(m * m) }
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
        let (step, margins, marginStep, gradient) = (step.base, margins.base, marginStep.base, gradient.base)
        multiply(theta, into: margins)
        var f = loss(0) + 0.5 * l2 * dot(n, theta, theta)
        for _ in 0..<Self.mostSteps {
            for j in 0..<n { gradient[j] = l2 * theta[j] }
            addTransposed(first.base, to: gradient)
            primalHessian(into: matrix.base)
            for j in 0..<n { step[j] = -gradient[j] }
            dense.reserve(n)
            if !SmallSystem.factor(n, matrix.base, column: dense.base) { return }
            SmallSystem.solve(n, matrix.base, step)
            let slope = dot(n, gradient, step)
            multiply(step, into: marginStep)
            let (tt, ts, ss) = (dot(n, theta, theta), dot(n, theta, step), dot(n, step, step))
            guard let (size, value) = search(f, slope, { 0.5 * l2 * (tt + 2 * $0 * ts + $0 * $0 * ss) }) else { return }
            for j in 0..<n { theta[j] += size * step[j] }
            for i in 0..<m { margins[i] += size * marginStep[i] }
            f = value
            if -slope <= Self.decrement { return }
        }
    }

    /// XᵀDX + λI, lower triangle; D = diag(w·ℓ″) of the last margins tried.
    func primalHessian(into h: UnsafeMutablePointer<Double>) {
        let n = featureCount
        h.update(repeating: 0, count: n * n)
        let (starts, columns, values, second) = (starts.base, columns.base, values.base, second.base)
        for i in 0..<rowCount {
            for a in starts[i]..<starts[i + 1] {
                let row = h + Int(columns[a]) * n
                let scaled = second[i] * values[a]
                for b in starts[i]...a { row[Int(columns[b])] += scaled * values[b] }
            }
        }
        for j in 0..<n { h[j * n + j] += l2 }
    }

    // MARK: Dual form, order m

    private func solveDual(_ alpha: UnsafeMutablePointer<Double>, _ theta: UnsafeMutablePointer<Double>) {
        let (m, n) = (rowCount, featureCount)
        let (step, margins, marginStep, kernel) = (step.base, margins.base, marginStep.base, kernel.base)
        fillKernel()
        SmallSystem.multiply(m, kernel, alpha, into: margins)
        var f = loss(0) + 0.5 * l2 * dot(m, alpha, margins)
        for _ in 0..<Self.mostSteps {
            if !dualStep(alpha) { break }
            SmallSystem.multiply(m, kernel, step, into: marginStep)
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
        let (b, step, second, roots) = (gradient.base, step.base, second.base, tried.base)
        for i in 0..<m { b[i] = second[i] * margins.base[i] - first.base[i] }
        dualSystem(into: matrix.base)
        if !SmallSystem.factor(m, matrix.base, column: marginStep.base) { return false }
        SmallSystem.multiply(m, kernel.base, b, into: step)
        for i in 0..<m { step[i] *= roots[i] }
        SmallSystem.solve(m, matrix.base, step)
        for i in 0..<m { step[i] = (b[i] - roots[i] * step[i]) / l2 - alpha[i] }
        return true
    }

    /// B = λI + S·K·S, lower triangle; leaves S in `tried`.
    func dualSystem(into b: UnsafeMutablePointer<Double>) {
        let (m, kernel, roots) = (rowCount, kernel.base, tried.base)
        for i in 0..<m { roots[i] = second.base[i].squareRoot() }
        for i in 0..<m {
            let (row, own) = (kernel + i * m, roots[i])
            for j in 0...i { b[i * m + j] = own * roots[j] * row[j] }
            b[i * m + i] += l2
        }
    }

    /// K = X·Xᵀ, both triangles: by dense rows where rows are well filled, else each row in turn laid out densely.
    func fillKernel() {
        let (m, n, kernel) = (rowCount, featureCount, kernel.base)
        let (starts, columns, values) = (starts.base, columns.base, values.base)
        let width = (n + 7) & ~7
        if m * width <= 4 * (starts[m] - starts[0]) {
            dense.reserve(m * width)
            let x = dense.base
            x.update(repeating: 0, count: m * width)
            for i in 0..<m {
                for at in starts[i]..<starts[i + 1] { x[i * width + Int(columns[at])] = values[at] }
            }
            return SmallSystem.gram(m, width: width, x, into: kernel)
        }
        dense.reserve(n)
        let x = dense.base
        x.update(repeating: 0, count: n)
        for i in 0..<m {
            for at in starts[i]..<starts[i + 1] { x[Int(columns[at])] = values[at] }
            for j in 0...i {
                var total = 0.0
                for at in starts[j]..<starts[j + 1] { total += values[at] * x[Int(columns[at])] }
                kernel[i * m + j] = total
                kernel[j * m + i] = total
            }
            for at in starts[i]..<starts[i + 1] { x[Int(columns[at])] = 0 }
        }
    }

    // MARK: Shared

    /// w·ℓ″ of a row at the last margins tried, or as loaded.
    @inline(__always)
    func curvature(_ row: Int) -> Double { second.base[row] }

    /// Σ w·ℓ at margins + size·marginStep, and the derivatives there.
    private func loss(_ size: Double) -> Double {
        let (m, z, offsets, margins, marginStep) = (rowCount, tried.base, offsets.base, margins.base, marginStep.base)
        if size == 0 {
            for i in 0..<m { z[i] = offsets[i] + margins[i] }
        } else {
            for i in 0..<m { z[i] = offsets[i] + (margins[i] + size * marginStep[i]) }
        }
        return LogisticRows.evaluate(
            m, z, positive: positive.base, weights: weights.base, scale: scale, first: first.base, second: second.base)
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
        view!.multiply(entity, v, dense: sums.base, into: out)
    }

    /// out += Xᵀ·r
    func addTransposed(_ r: UnsafePointer<Double>, to out: UnsafeMutablePointer<Double>) {
        view!.addTransposed(entity, r, dense: sums.base, to: out)
    }

    /// Calls `body(column, value)` for the non-zeros of one of the entity's rows.
    @inline(__always)
    func forEachNonzero(_ row: Int, _ body: (Int, Double) -> Void) {
        for at in starts.base[row]..<starts.base[row + 1] { body(Int(columns.base[at]), values.base[at]) }
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

/// Labels and weights of all examples, for reading.
struct RowPointers {
    let labels: UnsafePointer<UInt8>
    let weights: UnsafePointer<Float>
}

extension Examples {
    func withRowPointers<Result>(_ body: (RowPointers) -> Result) -> Result {
        labels.withUnsafeBufferPointer { labels in
            weights.withUnsafeBufferPointer { weights in
                body(RowPointers(labels: labels.baseAddress!, weights: weights.baseAddress!))
            }
        }
    }
}
