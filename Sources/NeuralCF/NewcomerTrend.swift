import LinearAlgebra
import Platform

/// The trend of empty contexts: a mixture of plain popularity lists.
///
///     trend(c, τ) = log(1 + M·Σ_k π_k·n_k(c) / N_k)
///
/// n_k are moments of a course before τ's day, decayed with half-lives of 15, 90 and 365 days, or those of the last 28
/// days, each learner's moments counted as their square root (`LearnerCounts`); N_k their sums over courses. M is what 28
/// days of a steady flow of moments would have, by the half-life of 90 days, so that scores have the scale of the other
/// trend. A list without moments adds nothing. Only the order of courses matters to a newcomer, and it is that of the
/// mixture.
package enum NewcomerTrend {
    package static var listCount: Int { LearnerCounts.listCount }
    package static let evenShares = [Double](repeating: 1 / Double(listCount), count: listCount)
    /// The half-life that M is made from.
    private static let steady = 1

    /// The lists as of one day, valid during the visit.
    struct Lists {
        let courses: Int
        /// listCount × courses.
        let counts: UnsafePointer<Double>
        /// N_k.
        let totals: [Double]
        /// M.
        let scale: Double

        /// n_k(c) / N_k.
        @inline(__always)
        func probability(_ list: Int, _ course: Int) -> Double {
            totals[list] > 0 ? counts[list * courses + course] / totals[list] : 0
        }

        func scores(_ shares: [Double], into out: UnsafeMutablePointer<Float>) {
            for course in 0..<courses {
                var sum = 0.0
                for list in 0..<listCount { sum += shares[list] * probability(list, course) }
                out[course] = Float(Scalar.log(1 + scale * sum))
            }
        }
    }

    /// - Parameters:
    ///   - days: ascending.
    ///   - visited: of these days.
    static func forEachDay(
        _ watched: WatchHistory, _ days: [Int32], visited: Range<Int>? = nil, _ body: (Int, Lists) -> Void
    ) {
        let courses = watched.activity.courseCount
        let perDay = Double(LearnerCounts.window) * 0.6931471805599453 / LearnerCounts.halfLives[steady]
        let own = visited ?? 0..<days.count
        LearnerCounts.forEachDay(watched, Array(days[own])) { index, counts, moments in
            let totals = (0..<listCount).map { list in
                (list * courses..<(list + 1) * courses).reduce(0) { $0 + counts[$1] }
            }
            body(
                own.lowerBound + index,
                Lists(courses: courses, counts: counts, totals: totals, scale: moments[steady] * perDay))
        }
    }
}

/// Fits the shares π of the lists to what newcomers watched: the most probable mixture, by expectation–maximisation
/// (interpolated estimation: Jelinek & Mercer 1980; Dempster et al. 1977, doi:10.1111/j.2517-6161.1977.tb01600.x).
struct NewcomerFit {
    /// Pseudo-learners spread evenly over the lists. What newcomers of the past took says little about which list the
    /// next ones will follow (docs/ncf-quality.md), so it takes many of them to move the shares.
    static let priorLearners = 100.0
    /// Of the probability goes evenly to all candidates: a label that no list has seen must not decide everything.
    private static let uniform = 0.01
    private static let iterations = 500

    /// By label course of a cut: its weight, and its probability in each list.
    private var weights: [Double] = []
    private var probabilities: [Double] = []

    /// - Parameters:
    ///   - labels: by course, each learner's labels share weight 1.
    ///   - candidates: courses that could have been watched.
    mutating func add(_ lists: NewcomerTrend.Lists, labels: [Double], candidates: Int) {
        let even = 1 / Double(max(candidates, 1))
        for (course, weight) in labels.enumerated() where weight > 0 {
            weights.append(weight)
            for list in 0..<NewcomerTrend.listCount {
                let known = lists.totals[list] > 0 ? lists.probability(list, course) : even
                probabilities.append((1 - Self.uniform) * known + Self.uniform * even)
            }
        }
    }

    /// - Parameter cutsPerLabel: in how many cuts a label was added; it says no more than in one.
    func shares(cutsPerLabel: Double) -> [Double] {
        let count = NewcomerTrend.listCount
        var shares = NewcomerTrend.evenShares
        for _ in 0..<Self.iterations {
            var sums = NewcomerTrend.evenShares.map { $0 * Self.priorLearners }
            for (row, weight) in weights.enumerated() {
                var total = 0.0
                for k in 0..<count { total += shares[k] * probabilities[row * count + k] }
                let part = weight / cutsPerLabel / total
                for k in 0..<count { sums[k] += part * shares[k] * probabilities[row * count + k] }
            }
            let total = sums.reduce(0, +)
            let next = sums.map { $0 / total }
            let step = zip(next, shares).reduce(0) { max($0, abs($1.0 - $1.1)) }
            shares = next
            if step < 1e-7 { break }
        }
        return shares
    }
}
