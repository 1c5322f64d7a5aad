import LinearAlgebra
import Platform

/// Moments of every course before a day, decayed with half-lives.
enum DecayedCounts {
    /// Visits the counts of each asked day, `halfLives.count × courses`, row-major, valid during the call.
    ///
    /// One pass over all days in order, decaying from event day to event day, so that a day's counts are the same
    /// whatever other days are asked for. O(days × courses).
    /// - Parameters:
    ///   - days: ascending.
    ///   - halfLives: in days.
    static func forEachDay(
        _ activity: CourseActivity, _ days: [Int32], halfLives: [Double],
        _ body: (Int, UnsafePointer<Double>) -> Void
    ) {
        let courses = activity.courseCount
        let state = Buffer<Double>(halfLives.count * courses, zero: 0)
        let counts = Buffer<Double>(halfLives.count * courses, zero: 0)
        var (last, next): (Int32, Int) = (activity.days.first ?? 0, 0)
        for (index, day) in days.enumerated() {
            while next < activity.days.count && activity.days[next] < day {
                decay(state, halfLives, courses, by: activity.days[next] - last)
                last = activity.days[next]
                for at in activity.offsets[next]..<activity.offsets[next + 1] {
                    let (course, count) = (Int(activity.courses[at]), Double(activity.counts[at]))
                    for h in halfLives.indices { state.start[h * courses + course] += count }
                }
                next += 1
            }
            for (h, halfLife) in halfLives.enumerated() {
                let factor = self.factor(halfLife, max(0, day - last))
                for i in h * courses..<(h + 1) * courses { counts.start[i] = factor * state.start[i] }
            }
            body(index, UnsafePointer(counts.start))
        }
    }

    private static func factor(_ halfLife: Double, _ days: Int32) -> Double {
        Scalar.exp(-0.6931471805599453 * Double(days) / halfLife)
    }

    private static func decay(_ state: Buffer<Double>, _ halfLives: [Double], _ courses: Int, by days: Int32) {
        if days <= 0 { return }
        for (h, halfLife) in halfLives.enumerated() {
            let factor = self.factor(halfLife, days)
            for i in h * courses..<(h + 1) * courses { state.start[i] *= factor }
        }
    }
}
