import LinearAlgebra
import Platform

/// `recent-by-profile`: what learners with the same value of a profile column watch now, backed off to what all watch.
///
///     score(c | v) = (n_vc + κ·n_c / N) / (N_v + κ)
///
/// n_vc recent moments of course c by learners with value v, n_c by all, N_v and N their sums: Dirichlet smoothing with κ
/// pseudo-moments (Zhai & Lafferty 2004, doi:10.1145/984321.984322). Learners without a value get n_c / N.
package struct ProfilePopularity: Sendable {
    /// (values + 1) × courses; the last row is that of learners without a value.
    let scores: Matrix

    /// - Parameters:
    ///   - counts: values × courses, recent moments.
    ///   - all: recent moments of all learners, by course; courses without any are ordered by `before`.
    ///   - before: moments before T by course, which decide only ties.
    ///   - smoothing: κ > 0, in moments.
    package init(counts: [[Int]], all: [Int], before: [Int], smoothing: Double) {
        precondition(smoothing > 0 && all.count == before.count)
        let courses = all.count
        let total = Double(max(all.reduce(0, +), 1))
        // All ties together stay below the smallest step of the smoothed shares.
        let tie = smoothing / (smoothing + total) / total / 2 / Double((before.max() ?? 0) + 1)
        scores = Matrix(
            rows: counts.count + 1, columns: courses,
            values: (counts + [[Int](repeating: 0, count: courses)]).flatMap { row in
                let sum = Double(row.reduce(0, +))
                return (0..<courses).map { course in
                    let share = (Double(row[course]) + smoothing * Double(all[course]) / total) / (sum + smoothing)
                    return Float(share + tie * Double(before[course]))
                }
            })
    }
}

/// Profile popularity bound to a group of learners.
package struct ProfileScorer: CourseScorer {
    let popularity: ProfilePopularity
    /// By learner: the code of the value, −1 for none.
    let values: [Int32]

    package var courseCount: Int { popularity.scores.columns }
    package var learnerCount: Int { values.count }

    package init(_ popularity: ProfilePopularity, values: [Int32]) {
        precondition(values.allSatisfy { Int($0) < popularity.scores.rows - 1 })
        (self.popularity, self.values) = (popularity, values)
    }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        popularity.scores.values.withUnsafeBufferPointer { scores in
            for (row, learner) in learners.enumerated() {
                let value = values[learner] < 0 ? popularity.scores.rows - 1 : Int(values[learner])
                (out + row * courseCount).update(
                    from: scores.baseAddress! + value * courseCount, count: courseCount)
            }
        }
    }
}
