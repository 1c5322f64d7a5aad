// Data for the co-watch tests and a plain twin: dense loops over the definitions, nothing shared with the code.
import LinearAlgebra
import Platform

/// Moments from lists of (course, time) per learner.
func moments(_ learners: [[(course: UInt32, time: Int64)]]) -> Moments {
    var all = Moments(offsets: [0], courses: [], times: [])
    for learner in learners {
        for moment in learner.sorted(by: { ($0.time, $0.course) < ($1.time, $1.course) }) {
            all.courses.append(moment.course)
            all.times.append(moment.time)
        }
        all.offsets.append(all.courses.count)
    }
    return all
}

/// Moments from lists of courses, one second apart.
func moments(_ learners: [[UInt32]]) -> Moments {
    moments(learners.map { $0.enumerated().map { (course: $0.element, time: Int64($0.offset)) } })
}

/// Learners who take each course with probability `share` · (some courses twice as often as others).
func randomLearners(_ count: Int, courses: Int, share: Double, seed: UInt64) -> [[UInt32]] {
    (0..<count).map { learner in
        var random = RandomKey(seed: seed, purpose: "cowatch.test").stream(learner)
        return (0..<UInt32(courses)).filter { random.uniform() < share * ($0 % 3 == 0 ? 2 : 1) }
    }
}

/// Every entry of a sparse matrix, absent ones as 0.
func dense(_ rows: SparseRows) -> [[Float]] {
    (0..<rows.rowCount).map { i in
        var row = [Float](repeating: 0, count: rows.columnCount)
        for at in rows.range(i) { row[Int(rows.columns[at])] = rows.values[at] }
        return row
    }
}

/// Σ_u w_u·X_ui·X_uj in plain loops.
func plainProduct(_ learners: [[UInt32]], courses: Int, weight: (Int) -> Double = { _ in 1 }) -> [[Double]] {
    var c = [[Double]](repeating: [Double](repeating: 0, count: courses), count: courses)
    for learner in learners {
        for i in learner { for j in learner { c[Int(i)][Int(j)] += weight(learner.count) } }
    }
    return c
}

/// Keeps the k largest of a row (ties: the smaller index), zeroes the rest.
func plainTop(_ row: [Double], k: Int) -> [Double] {
    let best = row.indices.sorted { (row[$1], $0) < (row[$0], $1) }.prefix(k)
    return row.indices.map { best.contains($0) ? row[$0] : 0 }
}
