/// The value of a pair (i, j) from the sum s_ij, for one row i. Increasing in s, with a linear bound:
/// value ≥ t exactly where s_ij ≥ slope(t)·x_j + offset(t). The bound lets most of a row be skipped by vectorised
/// comparisons, without a division.
protocol PairScore {
    associatedtype Sum: RowSum
    /// x, one per column.
    var x: [Float] { get }
    func value(_ sum: Sum, _ column: Int) -> Double
    func bound(_ threshold: Double) -> (slope: Double, offset: Double)
}

extension RowAccumulator {
    /// How far below the exact bound Float comparisons look: their own errors are below 1e-6.
    private static var margin: Double { 1 - 1e-5 }

    /// Offers the pairs of the row just added to `selection`, but for those of the column `i` itself.
    func offer<Score: PairScore>(
        _ score: Score, except i: Int, to selection: inout NeighbourSelection,
        candidates: CandidateBuffer
    ) where Score.Sum == Sum {
        if let touched {
            for column in touched where column != UInt32(i) {
                let value = score.value(sums[Int(column)], Int(column))
                if value > 0 { selection.offer(Float(value), column) }
            }
            return
        }
        score.x.withUnsafeBufferPointer { x in
            for start in stride(from: 0, to: columns, by: CandidateBuffer.capacity) {
                let bound = selection.threshold > 0 ? score.bound(Double(selection.threshold)) : (slope: 0, offset: 0)
                let count = Sum.select(
                    min(CandidateBuffer.capacity, columns - start), sums + start, x.baseAddress! + start,
                    Float(bound.slope * Self.margin), Float(bound.offset * Self.margin), UInt32(start),
                    candidates.columns)
                for at in 0..<count where candidates.columns[at] != UInt32(i) {
                    let column = candidates.columns[at]
                    let value = score.value(sums[Int(column)], Int(column))
                    if value > 0 { selection.offer(Float(value), column) }
                }
                selection.cutIfLong()
            }
        }
    }
}

/// Room for the candidates of one chunk of columns. One per thread.
final class CandidateBuffer {
    static let capacity = 1_024
    let columns: UnsafeMutablePointer<UInt32>

    init() {
        columns = .allocate(capacity: Self.capacity)
        columns.initialize(repeating: 0, count: Self.capacity)
    }

    deinit { columns.deallocate() }
}
