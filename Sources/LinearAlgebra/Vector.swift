import CKernels

/// exp, log and friends with the same bits on every x86-64 (no libm).
package enum Scalar {
    @inline(__always) package static func exp(_ x: Double) -> Double { lk_exp(x) }
    @inline(__always) package static func log(_ x: Double) -> Double { lk_log(x) }
    /// log(1 + eˣ) without overflow; softplus.
    @inline(__always) package static func log1pExp(_ x: Double) -> Double { lk_log1pexp(x) }
    @inline(__always) package static func exp(_ x: Float) -> Float { lk_expf(x) }
    /// 1/(1 + e⁻ˣ) without overflow.
    @inline(__always) package static func sigmoid(_ x: Double) -> Double {
        if x >= 0 { return 1 / (1 + lk_exp(-x)) }
        let e = lk_exp(x)
        return e / (1 + e)
    }
}

/// Kernels on contiguous Float buffers; shapes are the caller's to check. Same bits on every CPU and thread count.
package enum Vector {
    /// y += a·x
    @inline(__always)
    package static func addScaled(_ n: Int, _ a: Float, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
        lk_axpy(n, a, x, y)
    }
    @inline(__always)
    package static func dot(_ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> Float {
        lk_dot(n, x, y)
    }
    @inline(__always)
    package static func max(_ n: Int, _ x: UnsafePointer<Float>) -> Float { lk_max(n, x) }
    /// out = exp(x − shift), returns Σ out.
    @inline(__always)
    package static func expSum(
        _ n: Int, _ x: UnsafePointer<Float>, shift: Float, into out: UnsafeMutablePointer<Float>
    ) -> Double { lk_exp_sum(n, x, shift, out) }
    @inline(__always)
    package static func scale(_ n: Int, _ a: Float, _ x: UnsafeMutablePointer<Float>) { lk_scale(n, a, x) }
    /// out[width] += Σ_k weights[k]·table[row_k], row_k = rows[k], or slot[rows[k]] where slots are given; a negative
    /// row is left out.
    @inline(__always)
    package static func addRows(
        _ n: Int, _ rows: UnsafePointer<UInt32>, slot: UnsafePointer<Int32>?, _ weights: UnsafePointer<Float>,
        of table: UnsafePointer<Float>, width: Int, to out: UnsafeMutablePointer<Float>
    ) { lk_weighted_rows(n, rows, slot, weights, width, table, out) }
    /// x = 1/(1 + e^−x); returns Σ log(1 + eˣ).
    @inline(__always)
    package static func logistic(_ n: Int, _ x: UnsafeMutablePointer<Float>) -> Double { lk_logistic(n, x) }
    /// x[i] = value where rank[i] ≥ first.
    @inline(__always)
    package static func fill(
        _ n: Int, _ x: UnsafeMutablePointer<Float>, with value: Float, whereRank rank: UnsafePointer<Int32>,
        atLeast first: Int32
    ) { lk_fill_from(n, rank, first, value, x) }
    /// g[i] = scale·g[i] where unit[i] > 0, else 0: back through a ReLU that gave `unit`.
    @inline(__always)
    package static func reluGradient(
        _ n: Int, scale: Float, unit: UnsafePointer<Float>, _ g: UnsafeMutablePointer<Float>
    ) { lk_relu_gradient(n, scale, unit, g) }
    /// Indices (from `base`) of elements ≥ threshold; `out` has room for n.
    @inline(__always)
    package static func select(
        _ n: Int, _ x: UnsafePointer<Float>, atLeast threshold: Float, base: Int32,
        into out: UnsafeMutablePointer<Int32>
    ) -> Int { lk_select_ge(n, x, threshold, base, out) }
    /// Indices (from `base`) and values of the elements of Σ_j weights[j]·columns[j] that are ≥ threshold (never a NaN)
    /// and allowed (bit i mod 64 of `allowed[i / 64]`; nil: all are); `out` and `scores` have room for n.
    @inline(__always)
    package static func select(
        _ n: Int, sumOf columns: UnsafeBufferPointer<UnsafePointer<Float>?>, _ weights: UnsafePointer<Float>,
        atLeast threshold: Float, allowed: UnsafePointer<UInt64>? = nil, base: Int32,
        into out: UnsafeMutablePointer<Int32>, scores: UnsafeMutablePointer<Float>
    ) -> Int {
        lk_select_sum(n, columns.count, columns.baseAddress!, weights, threshold, allowed, base, out, scores)
    }
    /// In how many parts `addSums` keeps a sum.
    package static let sumLanes = 8
    /// sums[8·i + l] += Σ_j mask[j]·x[i·row + j] over the j < n that leave l by 8, for a few hundred columns at a time.
    @inline(__always)
    package static func addSums(
        rows: Int, _ n: Int, _ x: UnsafePointer<Float>, row: Int, mask: UnsafePointer<Float>,
        to sums: UnsafeMutablePointer<Double>
    ) { lk_masked_sums(rows, n, x, row, mask, sums) }
    /// out[i] = the largest of z[i], z[n + i], z[2n + i], …, z = Σ_j weights[j]·columns[j] of parts·n elements; n a
    /// multiple of 16.
    @inline(__always)
    package static func largest(
        _ n: Int, of parts: Int, sumOf columns: UnsafeBufferPointer<UnsafePointer<Float>?>,
        _ weights: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>
    ) { lk_max_sum(n, parts, columns.count, columns.baseAddress!, weights, out) }
}
