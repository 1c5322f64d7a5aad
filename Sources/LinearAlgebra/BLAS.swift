import CLAPACKE
import COpenBLAS

/// A row-major Float matrix: element (i, j) is `values[i * columns + j]`.
package struct Matrix: Sendable, Equatable {
    package var rows: Int
    package var columns: Int
    package var values: [Float]

    package init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns)
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    package init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, values: [Float](repeating: 0, count: rows * columns))
    }

    package subscript(_ i: Int, _ j: Int) -> Float {
        get { values[i * columns + j] }
        set { values[i * columns + j] = newValue }
    }
}

package enum BLAS {
    /// OpenBLAS must run single-threaded inside our threads: call once at program start.
    package static func useOneThread() { openblas_set_num_threads(1) }

    /// The kernel family OpenBLAS chose ("SkylakeX"), which part of the results depends on.
    package static var coreName: String { String(cString: openblas_get_corename()) }

    /// C = alpha·op(A)·op(B) + beta·C, row-major. op(A): m × k, op(B): k × n, C: m × n with leading dimensions.
    package static func multiply(
        m: Int, n: Int, k: Int, alpha: Float = 1, _ a: UnsafePointer<Float>, lda: Int, transposeA: Bool = false,
        _ b: UnsafePointer<Float>, ldb: Int, transposeB: Bool = false, beta: Float = 0,
        _ c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
        if m == 0 || n == 0 { return }
        cblas_sgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            blasint(m), blasint(n), blasint(k), alpha, a, blasint(max(lda, 1)), b, blasint(max(ldb, 1)), beta, c,
            blasint(max(ldc, 1)))
    }

    /// The same in double.
    package static func multiply(
        m: Int, n: Int, k: Int, alpha: Double = 1, _ a: UnsafePointer<Double>, lda: Int, transposeA: Bool = false,
        _ b: UnsafePointer<Double>, ldb: Int, transposeB: Bool = false, beta: Double = 0,
        _ c: UnsafeMutablePointer<Double>, ldc: Int
    ) {
        if m == 0 || n == 0 { return }
        cblas_dgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            blasint(m), blasint(n), blasint(k), alpha, a, blasint(max(lda, 1)), b, blasint(max(ldb, 1)), beta, c,
            blasint(max(ldc, 1)))
    }
}

package struct NotPositiveDefinite: Error {
    /// Order of the leading minor that is not positive.
    package let minor: Int
}

/// Cholesky-based solvers (LAPACK through LAPACKE). Symmetric matrices are row-major; the lower triangle is read.
/// Row-major lower is column-major upper, so no copy is made.
package enum Cholesky {
    /// A = L·Lᵀ in place (lower triangle of the row-major n × n `a`).
    package static func factor(_ n: Int, _ a: UnsafeMutablePointer<Double>) throws {
        if n == 0 { return }
        let info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, CChar(UInt8(ascii: "U")), Int32(n), a, Int32(n))
        precondition(info >= 0)
        if info > 0 { throw NotPositiveDefinite(minor: Int(info)) }
    }

    /// Solves A·x = b in place for one right-hand side, from `factor`'s result.
    package static func solve(_ n: Int, factor a: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>) {
        if n == 0 { return }
        if n >= 128 {  // dpotrs packs the whole matrix for its one right-hand side
            cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, blasint(n), a, blasint(n), b, 1)
            cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, blasint(n), a, blasint(n), b, 1)
            return
        }
        let info = LAPACKE_dpotrs_work(
            LAPACK_COL_MAJOR, CChar(UInt8(ascii: "U")), Int32(n), 1, a, Int32(n), b, Int32(n))
        precondition(info == 0)
    }

    /// A⁻¹ from `factor`'s result, in place; both triangles are filled.
    package static func invert(_ n: Int, _ a: UnsafeMutablePointer<Double>) throws {
        if n == 0 { return }
        let info = LAPACKE_dpotri_work(LAPACK_COL_MAJOR, CChar(UInt8(ascii: "U")), Int32(n), a, Int32(n))
        precondition(info >= 0)
        if info > 0 { throw NotPositiveDefinite(minor: Int(info)) }
        for i in 0..<n { for j in 0..<i { a[j * n + i] = a[i * n + j] } }
    }
}
