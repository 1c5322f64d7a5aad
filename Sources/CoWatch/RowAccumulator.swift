import CKernels

/// Integers in which rows of XᵀWX are summed: counts of learners, or weights in fixed point. No order of addition can
/// show in them.
protocol RowSum: FixedWidthInteger, Sendable {
    /// Indices j, ascending from `base`, with 0 < sums[j] ≥ slope·x[j] + offset in Float. `out` has room for n.
    static func select(
        _ n: Int, _ sums: UnsafePointer<Self>, _ x: UnsafePointer<Float>, _ slope: Float, _ offset: Float,
        _ base: UInt32, _ out: UnsafeMutablePointer<UInt32>
    ) -> Int
}

extension UInt16: RowSum {
    static func select(
        _ n: Int, _ sums: UnsafePointer<UInt16>, _ x: UnsafePointer<Float>, _ slope: Float, _ offset: Float,
        _ base: UInt32, _ out: UnsafeMutablePointer<UInt32>
    ) -> Int { lk_cowatch_select_u16(n, sums, x, slope, offset, base, out) }
}

extension UInt32: RowSum {
    static func select(
        _ n: Int, _ sums: UnsafePointer<UInt32>, _ x: UnsafePointer<Float>, _ slope: Float, _ offset: Float,
        _ base: UInt32, _ out: UnsafeMutablePointer<UInt32>
    ) -> Int { lk_cowatch_select_u32(n, sums, x, slope, offset, base, out) }
}

extension Int64: RowSum {
    static func select(
        _ n: Int, _ sums: UnsafePointer<Int64>, _ x: UnsafePointer<Float>, _ slope: Float, _ offset: Float,
        _ base: UInt32, _ out: UnsafeMutablePointer<UInt32>
    ) -> Int { lk_cowatch_select_i64(n, sums, x, slope, offset, base, out) }
}

/// Sums rows of XᵀWX one at a time into a dense buffer of all columns. One per thread.
///
/// Row i is Σ over the learners u of course i of w_u·X[u, ·]: course → learners → courses.
final class RowAccumulator<Sum: RowSum> {
    let columns: Int
    /// columns elements; zero between rows.
    let sums: UnsafeMutablePointer<Sum>
    /// Non-zero columns of the row just added, in order of first touch; nil when so many sums were added that looking
    /// through all columns is cheaper than a branch per sum. Which it is depends on the data alone.
    private(set) var touched: UnsafeBufferPointer<UInt32>?
    private let list: UnsafeMutablePointer<UInt32>

    init(columns: Int) {
        self.columns = columns
        sums = .allocate(capacity: columns)
        sums.initialize(repeating: 0, count: columns)
        list = .allocate(capacity: columns)
        list.initialize(repeating: 0, count: columns)
    }

    deinit {
        sums.deallocate()
        list.deallocate()
    }

    /// Adds row `course`; `clear()` must follow before the next.
    /// - Parameter weights: w, one per learner; nil stands for ones.
    func addRow(_ course: Int, of matrix: WatchMatrix, weights: [Sum]?) {
        matrix.learnerOffsets.withUnsafeBufferPointer { offsets in
            matrix.courses.withUnsafeBufferPointer { courses in
                matrix.learners.withUnsafeBufferPointer { learners in
                    let rows = UnsafeBufferPointer(
                        rebasing: learners[matrix.courseOffsets[course]..<matrix.courseOffsets[course + 1]])
                    if let weights {
                        weights.withUnsafeBufferPointer { w in scatter(rows, offsets, courses) { w[$0] } }
                    } else {
                        scatter(rows, offsets, courses) { _ in 1 }
                    }
                }
            }
        }
    }

    /// Zeroes what the last row touched.
    func clear() {
        if let touched {
            for column in touched { sums[Int(column)] = 0 }
        } else {
            sums.update(repeating: 0, count: columns)
        }
        touched = nil
    }

    @inline(__always)
    private func scatter(
        _ rows: UnsafeBufferPointer<UInt32>, _ offsets: UnsafeBufferPointer<UInt32>,
        _ courses: UnsafeBufferPointer<UInt32>, weight: (Int) -> Sum
    ) {
        var updates = 0
        for learner in rows { updates += Int(offsets[Int(learner) + 1] - offsets[Int(learner)]) }
        let sums = sums
        if updates <= columns / 4 {
            touched = scatterListing(rows, offsets, courses, weight: weight)
            return
        }
        guard let source = courses.baseAddress else { return }
        for learner in rows {
            let w = weight(Int(learner))
            for at in Int(offsets[Int(learner)])..<Int(offsets[Int(learner) + 1]) { sums[Int(source[at])] &+= w }
        }
    }

    @inline(__always)
    private func scatterListing(
        _ rows: UnsafeBufferPointer<UInt32>, _ offsets: UnsafeBufferPointer<UInt32>,
        _ courses: UnsafeBufferPointer<UInt32>, weight: (Int) -> Sum
    ) -> UnsafeBufferPointer<UInt32> {
        var count = 0
        for learner in rows {
            let w = weight(Int(learner))
            for at in Int(offsets[Int(learner)])..<Int(offsets[Int(learner) + 1]) {
                let column = Int(courses[at])
                if sums[column] == 0 {
                    list[count] = UInt32(column)
                    count += 1
                }
                sums[column] &+= w
            }
        }
        return UnsafeBufferPointer(start: list, count: count)
    }
}
