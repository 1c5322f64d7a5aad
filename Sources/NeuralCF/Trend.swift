import LinearAlgebra
import Platform

/// Trend(c, τ) = Σ_h w_h·log(1 + moments of c decayed with half-life h, on days before τ's): what is watched now.
package enum Trend {
    /// Days.
    package static let halfLives: [Double] = [7, 30, 90, 365]
    package static var featureCount: Int { halfLives.count }

    /// Visits the features of each asked day: `halfLives.count × courses`, row-major, valid during the call.
    ///
    /// One pass over all days in order, decaying from event day to event day, so that a day's features are the same
    /// whatever other days are asked for. O(days × courses).
    /// - Parameter days: ascending.
    static func forEachDay(
        _ activity: CourseActivity, _ days: [Int32], _ body: (Int, UnsafePointer<Double>) -> Void
    ) {
        let courses = activity.courseCount
        let state = Buffer<Double>(featureCount * courses, zero: 0)
        let features = Buffer<Double>(featureCount * courses, zero: 0)
        var (last, next): (Int32, Int) = (activity.days.first ?? 0, 0)
        for (index, day) in days.enumerated() {
            while next < activity.days.count && activity.days[next] < day {
                decay(state, by: activity.days[next] - last)
                last = activity.days[next]
                for at in activity.offsets[next]..<activity.offsets[next + 1] {
                    for h in 0..<featureCount {
                        state.start[h * courses + Int(activity.courses[at])] += Double(activity.counts[at])
                    }
                }
                next += 1
            }
            for h in 0..<featureCount {
                let factor = self.factor(halfLives[h], max(0, day - last))
                for c in h * courses..<(h + 1) * courses {
                    let sum = state.start[c]
                    features.start[c] = sum == 0 ? 0 : Scalar.log(1 + factor * sum)
                }
            }
            body(index, UnsafePointer(features.start))
        }
    }

    private static func factor(_ halfLife: Double, _ days: Int32) -> Double {
        Scalar.exp(-0.6931471805599453 * Double(days) / halfLife)
    }

    private static func decay(_ state: Buffer<Double>, by days: Int32) {
        if days <= 0 { return }
        let courses = state.count / featureCount
        for h in 0..<featureCount {
            let factor = self.factor(halfLives[h], days)
            for i in h * courses..<(h + 1) * courses { state.start[i] *= factor }
        }
    }
}

/// Trend scores of every course on chosen days, for empty contexts and for the others.
package struct TrendTable: Sendable {
    package let days: [Int32]
    let courseCount: Int
    private let empty: FloatBuffer
    private let other: FloatBuffer

    package init(activity: CourseActivity, days: Set<Int32>, weights: LinearPart) {
        let (sorted, courses) = (days.sorted(), activity.courseCount)
        let (empty, other) = (FloatBuffer(sorted.count * courses), FloatBuffer(sorted.count * courses))
        Trend.forEachDay(activity, sorted) { index, features in
            for (target, w) in [(empty, weights.trendEmpty), (other, weights.trendOther)] {
                for c in 0..<courses {
                    var sum = 0.0
                    for h in 0..<Trend.featureCount { sum += w[h] * features[h * courses + c] }
                    target.start[index * courses + c] = Float(sum)
                }
            }
        }
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
