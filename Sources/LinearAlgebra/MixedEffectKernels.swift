import CKernels

/// Logistic loss ℓ(z, y) of many rows: log(1 + e^{−z}) for y = 1, log(1 + e^z) for y = 0.
package enum LogisticRows {
    /// Writes first = w·ℓ′(z) and second = w·ℓ″(z), w = scale·weight; returns Σ w·ℓ. Same bits on every CPU.
    /// - Parameters: all n long; positive: 1 for y = 1.
    @inline(__always)
    package static func evaluate(
        _ n: Int, _ z: UnsafePointer<Double>, positive: UnsafePointer<UInt8>, weights: UnsafePointer<Float>,
        scale: Double = 1, first: UnsafeMutablePointer<Double>, second: UnsafeMutablePointer<Double>
    ) -> Double { lk_logistic_rows(n, z, positive, weights, scale, first, second) }
}

/// Products with some compressed sparse rows; `starts` has one more element than there are rows.
package enum RowProduct {
    /// out[i] += x_i·v
    @inline(__always)
    package static func add(
        rows: Int, _ starts: UnsafePointer<Int>, _ columns: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>,
        _ v: UnsafePointer<Double>, to out: UnsafeMutablePointer<Double>
    ) { lk_rows_multiply(rows, starts, columns, values, v, out) }

    /// out += Σ_i r_i·x_i, or x_i∘x_i with `squared`
    @inline(__always)
    package static func addTransposed(
        rows: Int, _ starts: UnsafePointer<Int>, _ columns: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>,
        _ r: UnsafePointer<Double>, squared: Bool = false, to out: UnsafeMutablePointer<Double>
    ) { lk_rows_transposed(rows, starts, columns, values, r, squared ? 1 : 0, out) }
}
