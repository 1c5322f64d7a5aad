import CLAPACKE

package struct EigenFailed: Error {
    /// What LAPACK says: so many off-diagonal elements did not converge.
    package let info: Int
}

/// Eigenvalues and eigenvectors of a symmetric matrix, by divide and conquer (LAPACK's dsyevd).
package enum SymmetricEigen {
    /// - Parameters:
    ///   - n: order.
    ///   - a: n × n, symmetric; replaced by the eigenvectors, of length 1: row k belongs to value k. Their signs are
    ///     LAPACK's: who shows them must fix them.
    /// - Returns: eigenvalues, ascending.
    package static func decompose(_ n: Int, _ a: inout [Double]) throws -> [Double] {
        precondition(a.count == n * n)
        var values = [Double](repeating: 0, count: n)
        if n == 0 { return values }
        // Eigenvectors are columns in column-major order, so rows in ours.
        let info = a.withUnsafeMutableBufferPointer { a in
            values.withUnsafeMutableBufferPointer {
                LAPACKE_dsyevd(
                    LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "U")), Int32(n), a.baseAddress!,
                    Int32(n), $0.baseAddress!)
            }
        }
        precondition(info >= 0, "LAPACK refused its argument \(-info)")
        if info > 0 { throw EigenFailed(info: Int(info)) }
        return values
    }
}
