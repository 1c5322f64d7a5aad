import COpenBLAS

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
