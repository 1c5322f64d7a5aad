/// Sums rows of XᵀWX one at a time into a dense buffer of all columns. One per thread.
///
/// Row i is Σ over the learners u of course i of w_u·X[u, ·]: course → learners → courses. Sums are integers
/// (counts, or weights in fixed point), so no order of addition can show.
final class RowAccumulator<Sum: FixedWidthInteger> {
    private let columns: Int
    /// columns elements; zero between rows.
    let sums: UnsafeMutablePointer<Sum>
    /// The columns that are not zero in the row just added, the first `touchedCount`.
    let touched: UnsafeMutablePointer<UInt32>
    private(set) var touchedCount = 0
    private var isDense = false

    init(columns: Int) {
        self.columns = columns
        sums = .allocate(capacity: columns)
        sums.initialize(repeating: 0, count: columns)
        touched = .allocate(capacity: columns + 1)
        touched.initialize(repeating: 0, count: columns + 1)
    }

    deinit {
        sums.deallocate()
        touched.deallocate()
    }

    /// Adds row `course`; `clear()` must follow before the next.
    /// - Parameter weights: w, one per learner; nil stands for ones.
    func addRow(_ course: Int, of matrix: WatchMatrix, weights: [Sum]?) {
        matrix.learnerOffsets.withUnsafeBufferPointer { offsets in
            matrix.courses.withUnsafeBufferPointer { courses in
                matrix.learners.withUnsafeBufferPointer { learners in
                    let rows = UnsafeBufferPointer(
                        rebasing: learners[matrix.courseOffsets[course]..<matrix.courseOffsets[course + 1]])
                    var updates = 0
                    for learner in rows { updates += Int(offsets[Int(learner) + 1] - offsets[Int(learner)]) }
                    // A list of touched columns costs a branch per update; looking through all columns costs little
                    // per column. Which is used depends on the data alone, and the result on neither.
                    isDense = updates > columns / 4
                    if let weights {
                        weights.withUnsafeBufferPointer { w in scatter(rows, offsets, courses) { w[$0] } }
                    } else {
                        scatter(rows, offsets, courses) { _ in 1 }
                    }
                }
            }
        }
        if isDense { listTouched() }
    }

    /// Zeroes what the last row touched.
    func clear() {
        if isDense {
            sums.update(repeating: 0, count: columns)
        } else {
            for at in 0..<touchedCount { sums[Int(touched[at])] = 0 }
        }
        touchedCount = 0
    }

    @inline(__always)
    private func scatter(
        _ rows: UnsafeBufferPointer<UInt32>, _ offsets: UnsafeBufferPointer<UInt32>,
        _ courses: UnsafeBufferPointer<UInt32>, weight: (Int) -> Sum
    ) {
        let (sums, touched) = (sums, touched)
        let source = courses.baseAddress!
        if isDense {
            for learner in rows {
                let w = weight(Int(learner))
                for at in Int(offsets[Int(learner)])..<Int(offsets[Int(learner) + 1]) { sums[Int(source[at])] &+= w }
            }
            return
        }
        var count = 0
        for learner in rows {
            let w = weight(Int(learner))
            for at in Int(offsets[Int(learner)])..<Int(offsets[Int(learner) + 1]) {
                let column = Int(source[at])
                if sums[column] == 0 {
                    touched[count] = source[at]
                    count += 1
                }
                sums[column] &+= w
            }
        }
        touchedCount = count
    }

    private func listTouched() {
        let (sums, touched) = (sums, touched)
        var count = 0
        for column in 0..<columns {  // without a branch: about a third of the columns are hit in busy rows
            touched[count] = UInt32(truncatingIfNeeded: column)
            count &+= sums[column] == 0 ? 0 : 1
        }
        touchedCount = count
    }
}
