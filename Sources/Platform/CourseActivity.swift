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
        self.init(courseCount: courseCount, shards: shards, batch: 1 << 24)
    }

    /// - Parameter batch: moments that are sorted at a time: 8 bytes each, whatever there are in all.
    package init(courseCount: Int, shards: [Moments], batch: Int) {
        self.courseCount = courseCount
        (days, offsets, courses, counts) = ([], [0], [], [])
        var found: [Count] = []
        var keys: [UInt64] = []
        keys.reserveCapacity(min(batch, shards.reduce(0) { $0 + $1.courses.count }))
        for shard in shards {
            for i in shard.courses.indices {
                // The offset keeps the order of days before 1970.
                let day = UInt64(UInt32(bitPattern: Self.day(shard.times[i]) &+ Int32.min))
                keys.append(day << 32 | UInt64(shard.courses[i]))
                if keys.count == batch { Self.count(&keys, into: &found) }
            }
        }
        Self.count(&keys, into: &found)
        for (key, count) in found {
            let day = Int32(bitPattern: UInt32(key >> 32)) &- Int32.min
            if days.last != day {
                if !days.isEmpty { offsets.append(courses.count) }
                days.append(day)
            }
            courses.append(UInt32(truncatingIfNeeded: key))
            counts.append(count)
        }
        if !days.isEmpty { offsets.append(courses.count) }
    }

    /// Day and course, and how many moments they have.
    private typealias Count = (key: UInt64, count: UInt32)

    /// Adds keys to the sorted counts, and empties them.
    private static func count(_ keys: inout [UInt64], into found: inout [Count]) {
        keys.sort()
        var merged: [Count] = []
        merged.reserveCapacity(found.count)
        var old = 0
        func add(_ key: UInt64, _ count: UInt32) {
            if merged.last?.key == key { merged[merged.count - 1].count += count } else { merged.append((key, count)) }
        }
        for key in keys {
            while old < found.count && found[old].key <= key {
                add(found[old].key, found[old].count)
                old += 1
            }
            add(key, 1)
        }
        for entry in found[old...] { add(entry.key, entry.count) }
        keys.removeAll(keepingCapacity: true)
        found = merged
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
