import LinearAlgebra
import Platform

/// How often something happened to each course, decayed by half every `halfLife` days, as of any day: what happened
/// on the day itself and later does not count, so no row of training sees its own outcome.
package struct DecayedCounts: Sendable, Equatable {
    package let halfLife: Double
    /// Days of course c with events, ascending, at `offsets[c]..<offsets[c + 1]`.
    private let offsets: [Int]
    private let days: [Int32]
    /// The decayed count right after each of these days, seen from that day.
    private let sums: [Double]

    /// - Parameters courses, days: one pair per event, in any order.
    package init(courseCount: Int, courses: [UInt32], days eventDays: [Int32], halfLife: Double) {
        self.halfLife = halfLife
        let byCourse = RowGroups(count: courseCount, group: courses)
        var offsets = [0]
        var days: [Int32] = []
        var sums: [Double] = []
        for course in 0..<courseCount {
            let sorted = byCourse.rows[byCourse.range(course)].map { eventDays[Int($0)] }.sorted()
            var at = 0
            while at < sorted.count {
                var end = at
                while end < sorted.count, sorted[end] == sorted[at] { end += 1 }
                var sum = Double(end - at)
                if days.count > offsets.last! {
                    sum += sums.last! * Self.decay(Int(sorted[at]) - Int(days.last!), halfLife)
                }
                days.append(sorted[at])
                sums.append(sum)
                at = end
            }
            offsets.append(days.count)
        }
        (self.offsets, self.days, self.sums) = (offsets, days, sums)
    }

    static func decay(_ days: Int, _ halfLife: Double) -> Double {
        Scalar.exp(-0.6931471805599453 * Double(days) / halfLife)
    }

    /// Σ over events on days before `day` of 2^(−(day − their day)/halfLife).
    package func value(course: Int, before day: Int32) -> Double {
        var (low, high) = (offsets[course], offsets[course + 1])
        while low < high {
            let middle = (low + high) / 2
            if days[middle] < day { low = middle + 1 } else { high = middle }
        }
        if low == offsets[course] { return 0 }
        return sums[low - 1] * Self.decay(Int(day) - Int(days[low - 1]), halfLife)
    }

    package var isEmpty: Bool { days.isEmpty }
}

/// What all engagements of a run say about each course as of any day.
package struct EngagementHistory: Sendable {
    package var engagements: DecayedCounts
    package var impressions: DecayedCounts

    /// - Parameter shards: all engagements of the run.
    package init(_ shards: [Engagements], courseCount: Int, halfLife: Double) {
        func counts(_ labels: [EngagementLabel]) -> DecayedCounts {
            var (courses, days): ([UInt32], [Int32]) = ([], [])
            let wanted = Set(labels.map(\.rawValue))
            for shard in shards {
                for i in 0..<shard.count where wanted.contains(shard.label[i]) {
                    courses.append(shard.course[i])
                    days.append(CourseActivity.day(shard.time[i]))
                }
            }
            return DecayedCounts(courseCount: courseCount, courses: courses, days: days, halfLife: halfLife)
        }
        engagements = counts([.positive])
        impressions = counts([.impression])
    }

    package func state(course: Int, day: Int32) -> (engagements: Double, impressions: Double) {
        (engagements.value(course: course, before: day), impressions.value(course: course, before: day))
    }
}

extension FeatureSpace.NowFeature.Quantity {
    /// The number before standardisation; NaN: missing.
    static func age(publishedAt: Int64, day: Int32) -> Double {
        if publishedAt == .min { return .nan }
        return Scalar.log(1 + Double(max(0, Int(day) - Int(CourseActivity.day(publishedAt)))))
    }

    static func engagements(_ decayed: Double) -> Double { Scalar.log(1 + decayed) }

    static func rate(engagements: Double, impressions: Double) -> Double {
        Scalar.log((engagements + 1) / (impressions + 20))
    }

    static func learnerEngagements(_ count: Int) -> Double { Scalar.log(1 + Double(count)) }
}

extension FeatureSpace.NowFeature {
    /// Standardised; a missing number is the mean.
    @inline(__always)
    func standardised(_ x: Double) -> Float { x.isNaN ? 0 : Float((x - mean) / scale) }
}
