import LinearAlgebra
import Platform

/// One learner's wide scores of every course, reused from learner to learner by one thread.
///
///     wide(x, c) = f(c) / max f over courses outside the context,   f(c) = Σ_{i ∈ context} decay_i·B[i, c]
///
/// All zero if that maximum is not positive. Sparse B: only touched courses are visited and cleared.
struct WideRow: ~Copyable {
    let courseCount: Int
    /// f / maximum, one per course. Courses of the context hold a value of no meaning.
    let values: UnsafeMutablePointer<Float>
    private let touched: UnsafeMutablePointer<UInt32>
    private var touchedCount = 0
    private let seen: UnsafeMutablePointer<Bool>
    private var weights: [Float] = []
    private let logs = LogTable()
    /// False when every value is 0.
    private(set) var isNonZero = false
    /// max f, by which `values` were divided.
    private(set) var largest: Float = 0

    init(courseCount: Int) {
        self.courseCount = courseCount
        values = .allocate(capacity: courseCount)
        values.initialize(repeating: 0, count: courseCount)
        touched = .allocate(capacity: courseCount)
        seen = .allocate(capacity: courseCount)
        seen.initialize(repeating: false, count: courseCount)
    }

    deinit {
        values.deallocate()
        touched.deallocate()
        seen.deallocate()
    }

    mutating func fill(_ span: MomentSpan, at time: Int64, decay: LinearPart.Decay, matrix: WideMatrix) {
        clear()
        if span.count == 0 { return }
        if weights.count < span.count { weights = [Float](repeating: 0, count: 2 * span.count) }
        weights.withUnsafeMutableBufferPointer {
            decay.weights(span, at: time, logs: logs, into: $0.baseAddress!)
        }
        switch matrix {
        case .none: return
        case .dense(let matrix): addDense(span, matrix)
        case .sparse(let rows): addSparse(span, rows)
        }
        normalise(span)
    }

    private mutating func clear() {
        if touchedCount < 0 {
            values.update(repeating: 0, count: courseCount)
        } else {
            for k in 0..<touchedCount {
                values[Int(touched[k])] = 0
                seen[Int(touched[k])] = false
            }
        }
        (touchedCount, isNonZero) = (0, false)
    }

    private mutating func addDense(_ span: MomentSpan, _ matrix: Matrix) {
        matrix.values.withUnsafeBufferPointer { b in
            for k in 0..<span.count {
                Vector.addScaled(
                    courseCount, weights[k], b.baseAddress! + Int(span.courses[k]) * courseCount, to: values)
            }
        }
        touchedCount = -1  // all of them
    }

    private mutating func addSparse(_ span: MomentSpan, _ rows: SparseRows) {
        // Locals: Swift 6.3.1 with the thread sanitizer fails on `self.values[i] += …` in a ~Copyable.
        let (values, seen, touched) = (values, seen, touched)
        var count = touchedCount
        rows.withPointers { rows in
            for k in 0..<span.count {
                let weight = weights[k]
                for at in rows.range(Int(span.courses[k])) {
                    let column = Int(rows.columns[at])
                    if !seen[column] {
                        seen[column] = true
                        touched[count] = UInt32(column)
                        count += 1
                    }
                    values[column] += weight * rows.values[at]
                }
            }
        }
        touchedCount = count
    }

    private mutating func normalise(_ span: MomentSpan) {
        let values = values  // as above
        // Courses of the context never count for the maximum, and never as candidates.
        for k in 0..<span.count { values[Int(span.courses[k])] = 0 }
        largest = 0
        if touchedCount < 0 {
            largest = Vector.max(courseCount, values)
            if largest > 0 { Vector.scale(courseCount, 1 / largest, values) }
        } else {
            for k in 0..<touchedCount { largest = max(largest, values[Int(touched[k])]) }
            if largest > 0 { for k in 0..<touchedCount { values[Int(touched[k])] *= 1 / largest } }
        }
        isNonZero = largest > 0
        if !isNonZero { clear() }
    }

    /// The courses whose values may differ from 0; only of a sparse B.
    var touchedCourses: UnsafeBufferPointer<UInt32> {
        precondition(touchedCount >= 0, "a dense matrix touches every course")
        return UnsafeBufferPointer(start: touched, count: touchedCount)
    }

    /// out += factor · wide
    func add(_ factor: Float, to out: UnsafeMutablePointer<Float>) {
        if !isNonZero || factor == 0 { return }
        if touchedCount < 0 { return Vector.addScaled(courseCount, factor, values, to: out) }
        for k in 0..<touchedCount {
            let course = Int(touched[k])
            out[course] += factor * values[course]
        }
    }
}
