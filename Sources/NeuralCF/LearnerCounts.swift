import LinearAlgebra
import Platform

/// Moments of every course before a day, decayed with half-lives, and those of the last days, where a learner of m moments
/// counts as √m: each of them as m^−½, m as of the day and in the list. Else the few who took hundreds of courses make up
/// what is popular (docs/ncf-quality.md).
struct LearnerCounts: Sendable {
    /// Days.
    static let halfLives: [Double] = [15, 90, 365]
    /// Days; the last list.
    static let window: Int32 = 28
    static var listCount: Int { halfLives.count + 1 }

    private let courseCount: Int
    private let shards: [Moments]
    /// Days with a moment, ascending, and who had one: learners of shard `s` on day `i` are at
    /// `offsets[i * shards + s]..<offsets[i * shards + s + 1]` of `learners`.
    private let days: [Int32]
    private let offsets: [Int]
    private let learners: [UInt32]

    /// By half-life, for one course; the last lane is not used.
    private typealias Lanes = SIMD4<Double>

    /// - Parameter activity: of the shards.
    init(_ activity: CourseActivity, _ shards: [Moments]) {
        (courseCount, self.shards) = (activity.courseCount, shards)
        let days = activity.days
        var place = [Int](repeating: 0, count: days.isEmpty ? 0 : Int(days.last! - days[0]) + 1)
        for (i, day) in days.enumerated() { place[Int(day - days[0])] = i }
        var next = [Int](repeating: 0, count: days.count * shards.count + 1)
        func forEachLearnerDay(_ body: (_ bucket: Int, _ learner: Int) -> Void) {
            for (s, shard) in shards.enumerated() {
                for learner in 0..<shard.learnerCount {
                    shard.withSpan(shard.range(learner)) { span in
                        var last: Int32? = nil
                        for at in 0..<span.count {
                            let day = CourseActivity.day(span.times[at])
                            if day != last { body(place[Int(day - days[0])] * shards.count + s, learner) }
                            last = day
                        }
                    }
                }
            }
        }
        forEachLearnerDay { bucket, _ in next[bucket + 1] += 1 }
        for i in 1..<next.count { next[i] += next[i - 1] }
        (self.days, offsets) = (days, next)
        learners = [UInt32](unsafeUninitializedCapacity: next.last!) { found, count in
            forEachLearnerDay { bucket, learner in
                found[next[bucket]] = UInt32(learner)
                next[bucket] += 1
            }
            count = found.count
        }
    }

    /// Visits the counts of each asked day, valid during the call: `listCount × courses`, row-major, and per half-life the
    /// number of all moments, decayed.
    ///
    /// One pass over the days with a moment, in order, so that a day's counts are the same whatever other days are asked
    /// for. O(days × courses), and for each learner the sum over his days of the moments before.
    /// - Parameter asked: ascending.
    func forEachDay(_ asked: [Int32], _ body: (Int, UnsafePointer<Double>, [Double]) -> Void) {
        var lists = Lists(self)
        let counts = Buffer<Double>(Self.listCount * courseCount, zero: 0)
        var (next, oldest) = (0, 0)
        for (index, day) in asked.enumerated() {
            while next < days.count && days[next] < day {
                lists.decay(to: days[next])
                visit(next) { lists.take($0, $1) }
                next += 1
            }
            while oldest < next && days[oldest] < day - Self.window {
                visit(oldest) { lists.leave($0, $1, days[oldest]) }
                oldest += 1
            }
            body(index, UnsafePointer(counts.start), lists.fill(counts.start, on: day))
        }
    }

    private func visit(_ day: Int, _ body: (_ shard: Int, _ learner: Int) -> Void) {
        for shard in shards.indices {
            let bucket = day * shards.count + shard
            for at in offsets[bucket]..<offsets[bucket + 1] { body(shard, Int(learners[at])) }
        }
    }

    /// The lists as of a day.
    private struct Lists {
        private let source: LearnerCounts
        /// By age in days: what a moment has decayed to.
        private let faded: [Lanes]
        private var day: Int32
        /// By course.
        private let decayed: Buffer<Lanes>
        /// Of all moments, each counted 1.
        private var plain = Lanes.zero
        /// By course, times 2³²: integers, so that what leaves the window leaves nothing behind.
        private let recent: Buffer<Int64>
        /// By shard and learner: moments before the day, and those that are older than the window.
        private var taken: [[UInt32]]
        private var left: [[UInt32]]

        init(_ source: LearnerCounts) {
            self.source = source
            day = source.days.first ?? 0
            faded = (0...Int((source.days.last ?? 0) - day)).map { Self.factor(Int32($0)) }
            decayed = Buffer(source.courseCount, zero: .zero)
            recent = Buffer(source.courseCount, zero: 0)
            taken = source.shards.map { [UInt32](repeating: 0, count: $0.learnerCount) }
            left = taken
        }

        private static func factor(_ days: Int32) -> Lanes {
            var factor = Lanes.zero
            for (h, halfLife) in halfLives.enumerated() {
                factor[h] = Scalar.exp(-0.6931471805599453 * Double(days) / halfLife)
            }
            return factor
        }

        private static func weight(_ moments: Int) -> Double { moments == 0 ? 0 : 1 / Double(moments).squareRoot() }

        private static func fixed(_ moments: Int) -> Int64 { Int64((weight(moments) * 4_294_967_296).rounded()) }

        mutating func decay(to next: Int32) {
            if next == day { return }
            let factor = Self.factor(next - day)
            for course in 0..<decayed.count { decayed.start[course] *= factor }
            plain *= factor
            day = next
        }

        /// What a learner did on the day.
        mutating func take(_ shard: Int, _ learner: Int) {
            let moments = source.shards[shard]
            let (old, gone) = (Int(taken[shard][learner]), Int(left[shard][learner]))
            moments.withSpan(moments.range(learner)) { span in
                var new = old
                while new < span.count && CourseActivity.day(span.times[new]) == day { new += 1 }
                let (weight, more) = (Self.weight(new), Self.weight(new) - Self.weight(old))
                let (fixed, change) = (Self.fixed(new - gone), Self.fixed(new - gone) - Self.fixed(old - gone))
                for at in 0..<old {
                    let course = Int(span.courses[at])
                    decayed.start[course] += more * faded[Int(day - CourseActivity.day(span.times[at]))]
                    if at >= gone { recent.start[course] += change }
                }
                for at in old..<new {
                    decayed.start[Int(span.courses[at])] += Lanes(repeating: weight)
                    recent.start[Int(span.courses[at])] += fixed
                }
                plain += Lanes(repeating: Double(new - old))
                taken[shard][learner] = UInt32(new)
            }
        }

        /// What a learner did on a day leaves the window.
        mutating func leave(_ shard: Int, _ learner: Int, _ oldest: Int32) {
            let moments = source.shards[shard]
            let (old, all) = (Int(left[shard][learner]), Int(taken[shard][learner]))
            moments.withSpan(moments.range(learner)) { span in
                var new = old
                while new < all && CourseActivity.day(span.times[new]) == oldest { new += 1 }
                let (before, after) = (Self.fixed(all - old), Self.fixed(all - new))
                for at in old..<new { recent.start[Int(span.courses[at])] -= before }
                for at in new..<all { recent.start[Int(span.courses[at])] += after - before }
                left[shard][learner] = UInt32(new)
            }
        }

        /// - Returns: `plain` as of a day.
        func fill(_ out: UnsafeMutablePointer<Double>, on asked: Int32) -> [Double] {
            let factor = Self.factor(max(0, asked - day))
            for course in 0..<decayed.count {
                let found = factor * decayed.start[course]
                for h in halfLives.indices { out[h * decayed.count + course] = found[h] }
                out[halfLives.count * decayed.count + course] = Double(recent.start[course]) / 4_294_967_296
            }
            return halfLives.indices.map { (factor * plain)[$0] }
        }
    }
}
