import LinearAlgebra
import Platform

/// Moments of every course before a day, decayed with half-lives, and those of the last days, where a learner of m moments
/// counts as √m: each of them as m^−½, m as of the day and in the list. Else the few who took hundreds of courses make up
/// what is popular (docs/ncf-quality.md).
enum LearnerCounts {
    /// Days.
    static let halfLives: [Double] = [15, 90, 365]
    /// Days; the last list.
    static let window: Int32 = 28
    static var listCount: Int { halfLives.count + 1 }

    /// By half-life, for one moment or course; the last lane is not used.
    private typealias Lanes = SIMD4<Double>

    /// Visits the counts of each asked day, valid during the call: `listCount × courses`, row-major, and per half-life the
    /// number of all moments, decayed. One pass over all moments a day: few days are asked for.
    static func forEachDay(
        _ watched: WatchHistory, _ asked: [Int32], _ body: (Int, UnsafePointer<Double>, [Double]) -> Void
    ) {
        let courses = watched.activity.courseCount
        let first = watched.activity.days.first ?? 0
        let decayed = Buffer<Lanes>(courses, zero: .zero)
        let counts = Buffer<Double>(listCount * courses, zero: 0)
        for (index, day) in asked.enumerated() {
            decayed.start.update(repeating: .zero, count: courses)
            let recent = counts.start + halfLives.count * courses
            recent.update(repeating: 0, count: courses)
            let faded = (0...Int(max(0, day - first))).map(fade)
            var all = Lanes.zero
            for shard in watched.shards {
                for learner in 0..<shard.learnerCount {
                    shard.withSpan(shard.range(learner)) { span in
                        count(span, before: day, faded, decayed.start, recent, &all)
                    }
                }
            }
            for course in 0..<courses {
                for h in halfLives.indices { counts.start[h * courses + course] = decayed.start[course][h] }
            }
            body(index, UnsafePointer(counts.start), halfLives.indices.map { all[$0] })
        }
    }

    /// What a moment of so many days ago counts.
    private static func fade(_ days: Int) -> Lanes {
        var fade = Lanes.zero
        for (h, halfLife) in halfLives.enumerated() {
            fade[h] = Scalar.exp(-0.6931471805599453 * Double(days) / halfLife)
        }
        return fade
    }

    /// Adds one learner's moments.
    @inline(__always)
    private static func count(
        _ span: MomentSpan, before day: Int32, _ faded: [Lanes], _ decayed: UnsafeMutablePointer<Lanes>,
        _ recent: UnsafeMutablePointer<Double>, _ all: inout Lanes
    ) {
        let begin = Int64(day) * CourseActivity.secondsPerDay
        var known = 0
        while known < span.count && span.times[known] < begin { known += 1 }
        if known == 0 { return }
        var start = known
        while start > 0 && span.times[start - 1] >= begin - Int64(window) * CourseActivity.secondsPerDay { start -= 1 }
        let weight = 1 / Double(known).squareRoot()
        for at in 0..<known {
            let fade = faded[Int(day - CourseActivity.day(span.times[at]))]
            decayed[Int(span.courses[at])] += weight * fade
            all += fade
        }
        if start == known { return }
        let recentWeight = 1 / Double(known - start).squareRoot()
        for at in start..<known { recent[Int(span.courses[at])] += recentWeight }
    }
}
