import DenseAlgebra
import LinearAlgebra
import Platform

extension CoWatch {
    /// EASE^R (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", doi:10.1145/3308558.3313710):
    /// the B with zero diagonal that minimises ‖X − XB‖² + λ‖B‖². Its closed form is
    ///
    ///     P = (XᵀX + λI)⁻¹,   B_ij = −P_ij / P_jj  (i ≠ j),   B_jj = 0.
    ///
    /// Courses without a watch decouple from the rest (their rows and columns of B are 0), so only the others enter
    /// the inverse. In Float64 by Cholesky.
    /// - Returns: C × C.
    /// - Complexity: O(A³) for A courses with a watch; memory 8·A² + 4·C² bytes.
    package static func ease(_ matrix: WatchMatrix, l2: Double, workers: Workers) -> Matrix {
        precondition(l2 > 0, "EASE needs λ > 0")
        let active = (0..<matrix.courseCount).filter { matrix.watches($0) > 0 }
        var gram = gramMatrix(matrix, active: active, workers: workers)
        for a in active.indices { gram[a * active.count + a] += l2 }
        return ease(gram: &gram, active: active, courseCount: matrix.courseCount)
    }

    /// B of a regularised Gram matrix among `active` courses, which is overwritten.
    package static func ease(gram: inout [Double], active: [Int], courseCount: Int) -> Matrix {
        let n = active.count
        var weights = Matrix(rows: courseCount, columns: courseCount)
        gram.withUnsafeMutableBufferPointer { p in
            guard let p = p.baseAddress else { return }
            do {
                try Cholesky.factor(n, p)
                try Cholesky.invert(n, p)
            } catch {
                preconditionFailure("XᵀX + λI is positive definite for λ > 0: \(error)")
            }
            let scale = (0..<n).map { -1 / p[$0 * n + $0] }
            weights.values.withUnsafeMutableBufferPointer { b in
                for i in 0..<n {
                    let row = active[i] * courseCount
                    for j in 0..<n where j != i { b[row + active[j]] = Float(p[i * n + j] * scale[j]) }
                }
            }
        }
        return weights
    }

    /// XᵀX among the active courses, dense: A × A.
    private static func gramMatrix(_ matrix: WatchMatrix, active: [Int], workers: Workers) -> [Double] {
        let n = active.count
        var gram = [Double](repeating: 0, count: n * n)
        gram.withUnsafeMutableBufferPointer { gram in
            nonisolated(unsafe) let gram = gram
            workers.forEach(n, scratch: { RowAccumulator<UInt32>(columns: matrix.courseCount) }) { row, i in
                row.addRow(active[i], of: matrix, weights: nil)
                for j in 0..<n { gram[i * n + j] = Double(row.sums[active[j]]) }
                row.clear()
            }
        }
        return gram
    }
}
