import LinearAlgebra

/// How often each course became relevant on each day (UTC), over all learners: integers, so no order of shards or
/// threads can show. What trend scores and popularity baselines are made of.
package struct CourseActivity: Sendable, Equatable {
    package let courseCount: Int
    /// Days since 1970, ascending, only those with a moment.
    package private(set) var days: [Int32]
    /// Day `i` holds (course, count) at `offsets[i]..<offsets[i + 1]`, courses ascending.
    package private(set) var offsets: [Int]
    package private(set) var courses: [UInt32]
    package private(set) var counts: [UInt32]

    package static let secondsPerDay: Int64 = 86_400

    /// The day that contains a time.
    package static func day(_ time: Int64) -> Int32 {
        Int32((time >= 0 ? time : time - secondsPerDay + 1) / secondsPerDay)
    }

    /// - Parameter shards: moments of any number of groups of learners.
    package init(courseCount: Int, shards: [Moments]) {
        self.courseCount = courseCount
        var keys: [UInt64] = []
        keys.reserveCapacity(shards.reduce(0) { $0 + $1.courses.count })
        for shard in shards {
            for i in shard.courses.indices {
                // The offset keeps the order of days before 1970.
                let day = UInt64(UInt32(bitPattern: Self.day(shard.times[i]) &+ Int32.min))
                keys.append(day << 32 | UInt64(shard.courses[i]))
            }
        }
        keys.sort()
        days = []
        offsets = [0]
        courses = []
        counts = []
        var last: UInt64? = nil
        for key in keys {
            let day = Int32(bitPattern: UInt32(key >> 32)) &- Int32.min
            if key == last {
                counts[counts.count - 1] += 1
                continue
            }
            if days.last != day {
                if !days.isEmpty { offsets.append(courses.count) }
                days.append(day)
            }
            courses.append(UInt32(truncatingIfNeeded: key))
            counts.append(1)
            last = key
        }
        if !days.isEmpty { offsets.append(courses.count) }
    }

    /// Σ over moments on days before `day` of 2^(−(day − their day)/halfLife), per course.
    /// - Parameter halfLife: in days; ∞ counts all alike.
    package func decayed(before day: Int32, halfLife: Double) -> [Double] {
        var sums = [Double](repeating: 0, count: courseCount)
        for (i, d) in days.enumerated() where d < day {
            let weight = halfLife.isInfinite ? 1 : Scalar.exp(-0.6931471805599453 * Double(day - d) / halfLife)
            for at in offsets[i]..<offsets[i + 1] { sums[Int(courses[at])] += weight * Double(counts[at]) }
        }
        return sums
    }

    /// Moments per course on days in `[from, to)`.
    package func total(from: Int32 = .min, to: Int32) -> [Int] {
        var sums = [Int](repeating: 0, count: courseCount)
        for (i, d) in days.enumerated() where d >= from && d < to {
            for at in offsets[i]..<offsets[i + 1] { sums[Int(courses[at])] += Int(counts[at]) }
        }
        return sums
    }
}
