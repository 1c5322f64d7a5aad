import LinearAlgebra
import Platform

extension CoWatch {
    /// The exponents of `dampedCoWatch`.
    static let courseDamping = 0.4
    static let learnerDamping = 0.7

    /// B = D_i^−.4 · Xᵀ · D_u^−.7 · X · D_i^−.4 with zero diagonal, D_i and D_u the watches of courses and learners:
    /// a neighbourhood model that damps popular courses and heavy learners, in the form of the normalised adjacency
    /// of Paudel et al. 2017 (RP3β, doi:10.1145/2955101) and of Shen et al. 2021 (GF-CF, doi:10.1145/3459637.3482264,
    /// whose exponents are ½, 1, ½).
    ///
    /// The best `neighbours` entries of each row, ties to the smaller number; D_u^−.7 in units of 2⁻²⁰.
    /// - Complexity: O(Σ_u length_u²); memory O(moments + C·neighbours + threads·C).
    package static func dampedCoWatch(_ matrix: WatchMatrix, neighbours: Int, workers: Workers) -> SparseRows {
        let weights = (0..<matrix.learnerCount).map {
            Int64((unit * power(Double(matrix.length($0)), -learnerDamping)).rounded())
        }
        let counts = (0..<matrix.courseCount).map { Double(matrix.watches($0)) }
        let scale = counts.map { $0 == 0 ? 0 : power($0, -courseDamping) }
        let inverse = counts.map { $0 == 0 ? 0 : Float(power($0, courseDamping)) }
        return RowBlocks.build(
            rows: matrix.courseCount, columns: matrix.courseCount, workers: workers,
            scratch: {
                (
                    row: RowAccumulator<Int64>(columns: matrix.courseCount), candidates: CandidateBuffer(),
                    best: NeighbourSelection(k: neighbours)
                )
            },
            row: { scratch, i, output in
                scratch.row.addRow(i, of: matrix, weights: weights)
                let score = DampedScore(scale: scale, x: inverse, own: scale[i] / unit)
                scratch.row.offer(score, except: i, to: &scratch.best, candidates: scratch.candidates)
                scratch.row.clear()
                output.append(&scratch.best)
            })
    }

    /// x^p for x > 0, without libm.
    private static func power(_ x: Double, _ p: Double) -> Double { Scalar.exp(p * Scalar.log(x)) }
}

/// s·n_i^−.4·n_j^−.4, with x_j = n_j^.4.
private struct DampedScore: PairScore {
    let scale: [Double]
    let x: [Float]
    /// n_i^−.4 per unit of s.
    let own: Double

    @inline(__always)
    func value(_ sum: Int64, _ column: Int) -> Double { Double(sum) * own * scale[column] }

    func bound(_ threshold: Double) -> (slope: Double, offset: Double) { (threshold / own, 0) }
}
