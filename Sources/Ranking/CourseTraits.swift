import LinearAlgebra
import Platform

/// What the blend knows of every course at one time.
package struct CourseTraits: Sendable {
    package let eligible: [Bool]
    /// log(1 + recent decayed number of moments).
    package let recent: [Float]
    /// The course has co-watches; without them NCF knows it by its trend alone.
    package let hasCoWatches: [Bool]
    /// The course has engagements; without them GLMix knows it by its metadata alone.
    package let hasEngagements: [Bool]

    /// 1 for eligible courses, else 0: sums over eligible courses are dot products.
    let mask: [Float]
    let ineligible: [UInt32]
    /// 1 for courses without co-watches (engagements), else 0.
    let isolated: [Float]
    let unengaged: [Float]
    /// Over eligible courses.
    let recentSum: Double
    let anyIsolated: Bool
    let anyUnengaged: Bool

    package init(eligible: [Bool], recent: [Float], hasCoWatches: [Bool], hasEngagements: [Bool]) {
        let count = eligible.count
        precondition(recent.count == count && hasCoWatches.count == count && hasEngagements.count == count)
        (self.eligible, self.recent) = (eligible, recent)
        (self.hasCoWatches, self.hasEngagements) = (hasCoWatches, hasEngagements)
        mask = eligible.map { $0 ? 1 : 0 }
        ineligible = eligible.indices.filter { !eligible[$0] }.map { UInt32($0) }
        isolated = hasCoWatches.map { $0 ? 0 : 1 }
        unengaged = hasEngagements.map { $0 ? 0 : 1 }
        recentSum = zip(recent, eligible).reduce(0.0) { $1.1 ? $0 + Double($1.0) : $0 }
        anyIsolated = hasCoWatches.contains(false)
        anyUnengaged = hasEngagements.contains(false)
    }

    /// - Parameter decayed: `CourseActivity.decayed` of each course.
    package static func recentScores(_ decayed: [Double]) -> [Float] {
        decayed.map { Float(Scalar.log(1 + $0)) }
    }

    package var count: Int { eligible.count }
    package var eligibleCount: Int { count - ineligible.count }
}

/// What the blend knows of a learner at one time.
package struct LearnerTraits: Sendable, Equatable {
    /// Moments in the context.
    package var contextLength: Int
    /// Seconds since the last moment of the context; 0 without one.
    package var idle: Int64
    /// Number of the segment among those the blend knows; −1: none.
    package var segment: Int

    package init(contextLength: Int, idle: Int64, segment: Int) {
        (self.contextLength, self.idle, self.segment) = (contextLength, idle, segment)
    }

    /// - Parameter context: a range of `moments`.
    package init(_ moments: Moments, context: Range<Int>, at time: Int64, segment: Int) {
        self.init(
            contextLength: context.count, idle: context.isEmpty ? 0 : time - moments.times[context.upperBound - 1],
            segment: segment)
    }

    package var isCold: Bool { contextLength == 0 }
}
