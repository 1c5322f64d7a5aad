import LinearAlgebra
import Platform

/// Trend(c, τ) = Σ_h w_h·log(1 + moments of c decayed with half-life h, on days before τ's): what is watched now.
package enum Trend {
    /// Days.
    package static let halfLives: [Double] = [7, 30, 90, 365]
    package static var featureCount: Int { halfLives.count }

    /// Visits the features of each asked day: `halfLives.count × courses`, row-major, valid during the call.
    /// - Parameters:
    ///   - days: ascending.
    ///   - visited: of these days.
    static func forEachDay(
        _ activity: CourseActivity, _ days: [Int32], visited: Range<Int>? = nil,
        _ body: (Int, UnsafePointer<Double>) -> Void
    ) {
        let features = Buffer<Double>(featureCount * activity.courseCount, zero: 0)
        DecayedCounts.forEachDay(activity, days, halfLives: halfLives) { index, counts in
            if let visited, !visited.contains(index) { return }
            for i in 0..<features.count { features.start[i] = counts[i] == 0 ? 0 : Scalar.log(1 + counts[i]) }
            body(index, UnsafePointer(features.start))
        }
    }
}

/// Trend scores of every course on chosen days, for empty contexts and for the others.
package struct TrendTable: Sendable {
    package let days: [Int32]
    let courseCount: Int
    private let empty: FloatBuffer
    private let other: FloatBuffer

    /// - Parameters:
    ///   - newcomers: false: empty contexts are not asked for, and have no scores.
    ///   - workers: whose ranks share the days.
    package init(
        _ watched: WatchHistory, days: Set<Int32>, weights: LinearPart, newcomers: Bool = true,
        workers: Workers = Workers(count: 1)
    ) {
        let activity = watched.activity
        let (sorted, courses) = (days.sorted(), activity.courseCount)
        let (empty, other) = (FloatBuffer(sorted.count * courses), FloatBuffer(sorted.count * courses))
        let own = workers.own(sorted.count)
        Trend.forEachDay(activity, sorted, visited: own) { index, features in
            for c in 0..<courses {
                var sum = 0.0
                for h in 0..<Trend.featureCount { sum += weights.trendOther[h] * features[h * courses + c] }
                other.start[index * courses + c] = Float(sum)
            }
        }
        if newcomers && weights.newcomerShares.contains(where: { $0 != 0 }) {
            NewcomerTrend.forEachDay(watched, sorted, visited: own) { index, lists in
                lists.scores(weights.newcomerShares, into: empty.start + index * courses)
            }
        }
        for scores in [empty, other] { workers.share(scores.start, items: sorted.count) { $0 * courses } }
        (self.days, courseCount, self.empty, self.other) = (sorted, courses, empty, other)
    }

    /// Scores of every course at a time. - Precondition: its day was asked for.
    @inline(__always)
    func row(at time: Int64, emptyContext: Bool) -> UnsafePointer<Float> {
        let day = CourseActivity.day(time)
        var (low, high) = (0, days.count)
        while low < high {
            let middle = (low + high) / 2
            if days[middle] < day { low = middle + 1 } else { high = middle }
        }
        precondition(low < days.count && days[low] == day, "a day without trend scores")
        return UnsafePointer((emptyContext ? empty : other).start + low * courseCount)
    }
}
