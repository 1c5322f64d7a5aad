import LinearAlgebra
import Platform

extension CoWatch {
    /// The exponents of `dampedCoWatch`.
    static let courseDamping = 0.4
    static let learnerDamping = 0.7

    /// B = D_i^−.4 · Xᵀ · D_u^−.7 · X · D_i^−.4 with zero diagonal, D_i and D_u the watches of courses and learners:
    /// a neighbourhood model that damps popular courses and heavy learners, in the form of the normalised adjacency
    /// of Paudel et al. 2017 (RP3β, doi:10.1145/2955101) and of Chen et al. 2021 (GF-CF, doi:10.1145/3459637.3482264,
    /// whose exponents are ½, 1, ½).
    ///
    /// The best `neighbours` entries of each row, ties to the smaller number; D_u^−.7 in units of 2⁻²⁰.
    /// - Complexity: O(Σ_u length_u²); memory O(moments + C·neighbours + threads·C).
    package static func dampedCoWatch(_ matrix: WatchMatrix, neighbours: Int, workers: Workers) -> SparseRows {
        let weights = (0..<matrix.learnerCount).map {
            Int64((unit * power(Double(matrix.length($0)), -learnerDamping)).rounded())
        }
        let scale = (0..<matrix.courseCount).map { course in
            let n = matrix.watches(course)
            return n == 0 ? 0 : power(Double(n), -courseDamping)
        }
        return RowBlocks.build(
            rows: matrix.courseCount, columns: matrix.courseCount, workers: workers,
            scratch: { (RowAccumulator<Int64>(columns: matrix.courseCount), TopSelection(k: neighbours)) },
            row: { scratch, i, output in
                let row = scratch.0
                row.addRow(i, of: matrix, weights: weights)
                for at in 0..<row.touchedCount where row.touched[at] != UInt32(i) {
                    let j = Int(row.touched[at])
                    scratch.1.offer(Float(Double(row.sums[j]) / unit * scale[i] * scale[j]), Int32(j))
                }
                row.clear()
                output.append(&scratch.1)
            })
    }

    /// x^p for x > 0, without libm.
    private static func power(_ x: Double, _ p: Double) -> Double { Scalar.exp(p * Scalar.log(x)) }
}
