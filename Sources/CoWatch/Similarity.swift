import LinearAlgebra
import Platform

/// What watch history says of pairs of courses. X is the 0/1 learner × course matrix of the moments in a window.
package enum CoWatch {
    /// Weights of learners are counted in units of 2⁻²⁰: integer sums know no order.
    static let unit = 1_048_576.0

    /// C = XᵀWX, n_i = C_ii, N = ΣW. Symmetric.
    package enum Measure: String, Sendable, CaseIterable {
        /// C_ij / (√(n_i·n_j) + shrinkage): pairs seen seldom count less. Salton & McGill 1983; with the shrink term of
        /// Ferrari Dacrema et al. 2019 (doi:10.1145/3298689.3347058).
        case cosine
        /// C_ij / (n_i + n_j − C_ij). Jaccard 1912.
        case jaccard
        /// N·C_ij / (n_i·n_j): how much more often than if independent. Brin et al. 1997 (doi:10.1145/253260.253325).
        case lift
        /// max(0, log lift), positive pointwise mutual information. Church & Hanks 1990.
        case pmi
    }

    package struct SimilarityOptions: Sendable, Equatable {
        package var measure = Measure.cosine
        /// Added to the cosine's denominator, in learners.
        package var shrinkage = 10.0
        /// Pairs watched together by fewer learners (unweighted) are 0.
        package var minSupport = 2
        /// Entries kept per course beside the diagonal.
        package var neighbours = 100
        /// A learner of `length` courses in the window weighs 1/log(1 + length) instead of 1.
        package var dampHeavyLearners = false

        package init() {}
    }

    /// The similarity of every course to its best neighbours, from moments in `[from, to)`: exact, never sampled.
    ///
    /// Row i holds the best `neighbours` courses by similarity (ties: the smaller course number) and i itself with 1;
    /// columns ascending. Courses without watches have only the diagonal.
    /// - Complexity: O(Σ_u length_u²) additions; memory O(moments + C·neighbours + threads·C).
    package static func similarity(
        _ shards: [Moments], courseCount: Int, from: Int64, to: Int64, options: SimilarityOptions = .init(),
        workers: Workers
    ) -> SparseRows {
        similarity(
            WatchMatrix(shards, courseCount: courseCount, from: from, to: to), options: options, workers: workers)
    }

    package static func similarity(
        _ matrix: WatchMatrix, options: SimilarityOptions, workers: Workers
    ) -> SparseRows {
        let rows = SimilarityRows(matrix, options)
        return RowBlocks.build(
            rows: matrix.courseCount, columns: matrix.courseCount, workers: workers,
            scratch: { SimilarityRows.Scratch(columns: matrix.courseCount, options: options) },
            row: { scratch, i, output in
                rows.select(i, &scratch)
                output.append(&scratch.best, diagonal: i)
            })
    }
}

/// One similarity row at a time.
private struct SimilarityRows {
    let matrix: WatchMatrix
    let options: CoWatch.SimilarityOptions
    /// w_u in units of 2⁻²⁰; nil: all 1.
    let weights: [Int64]?
    let totals: SimilarityTotals

    struct Scratch {
        let counts: RowAccumulator<UInt32>
        /// For courses of fewer than 2¹⁶ learners: half the memory, which then fits a core's first cache.
        let shortCounts: RowAccumulator<UInt16>
        let weighted: RowAccumulator<Int64>?
        let candidates: CandidateBuffer
        var best: NeighbourSelection

        init(columns: Int, options: CoWatch.SimilarityOptions) {
            counts = RowAccumulator(columns: columns)
            shortCounts = RowAccumulator(columns: columns)
            weighted = options.dampHeavyLearners ? RowAccumulator(columns: columns) : nil
            candidates = CandidateBuffer()
            best = NeighbourSelection(k: options.neighbours)
        }
    }

    init(_ matrix: WatchMatrix, _ options: CoWatch.SimilarityOptions) {
        (self.matrix, self.options) = (matrix, options)
        guard options.dampHeavyLearners else {
            weights = nil
            totals = SimilarityTotals(
                n: (0..<matrix.courseCount).map { Double(matrix.watches($0)) }, total: Double(matrix.learnerCount),
                options.measure)
            return
        }
        let w = (0..<matrix.learnerCount).map {
            Int64((CoWatch.unit / Scalar.log(1 + Double(matrix.length($0)))).rounded())
        }
        let n = (0..<matrix.courseCount).map { course in
            let range = matrix.courseOffsets[course]..<matrix.courseOffsets[course + 1]
            return Double(matrix.learners[range].reduce(Int64(0)) { $0 + w[Int($1)] }) / CoWatch.unit
        }
        weights = w
        totals = SimilarityTotals(n: n, total: Double(w.reduce(0, +)) / CoWatch.unit, options.measure)
    }

    /// Fills `scratch.best` with the best neighbours of course i, without i.
    func select(_ i: Int, _ scratch: inout Scratch) {
        guard let weighted = scratch.weighted else {
            if matrix.watches(i) <= Int(UInt16.max) {
                selectUnweighted(i, scratch.shortCounts, &scratch)
            } else {
                selectUnweighted(i, scratch.counts, &scratch)
            }
            return
        }
        let counts = scratch.counts
        counts.addRow(i, of: matrix, weights: nil)
        weighted.addRow(i, of: matrix, weights: weights)
        let score = SimilarityScore<Int64>(totals, options, i, unit: CoWatch.unit, counts: counts.sums)
        weighted.offer(score, except: i, to: &scratch.best, candidates: scratch.candidates)
        weighted.clear()
        counts.clear()
    }

    @inline(__always)
    private func selectUnweighted<Sum: RowSum>(_ i: Int, _ counts: RowAccumulator<Sum>, _ scratch: inout Scratch) {
        counts.addRow(i, of: matrix, weights: nil)
        let score = SimilarityScore<Sum>(totals, options, i, unit: 1, counts: nil)
        counts.offer(score, except: i, to: &scratch.best, candidates: scratch.candidates)
        counts.clear()
    }
}
