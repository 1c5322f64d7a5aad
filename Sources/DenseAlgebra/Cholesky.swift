import CLAPACKE
import COpenBLAS

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
