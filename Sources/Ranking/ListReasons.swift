import Platform

/// Why an entry stands in its list: the part of its blended logit that is particular to the learner and adds most.
package struct EntryEvidence: Sendable {
    /// What each course of the context adds: (course, amount in blended log odds).
    package var watched: [(course: UInt32, amount: Float)]
    /// What the response model adds, over its mean for the learner.
    package var response: Float

    package init(watched: [(course: UInt32, amount: Float)] = [], response: Float = 0) {
        (self.watched, self.response) = (watched, response)
    }

    /// - Parameter fits: the feature that adds most to the response model's score, asked for only if that matters; nil:
    ///   none adds anything.
    /// - Returns: the context, if all of it together adds at least as much as the response model, named by the course
    ///   that adds most (ties: the smaller number); else the feature; else the context still; else popularity.
    package func reason(hasSegment: Bool, fits: () -> UInt32?) -> (reason: Reason, because: UInt32) {
        let context = watched.reduce(Float(0)) { $0 + max(0, $1.amount) }
        if response > max(0, context), let feature = fits() { return (.fits, feature) }
        if context > 0 {
            let best = watched.max { ($0.amount, $1.course) < ($1.amount, $0.course) }!
            return (.watched, best.course)
        }
        return (hasSegment ? .popularInSegment : .popular, 0)
    }
}

/// Which parts of the one score are not zero for a learner; from them the rung is derived.
package struct ScoreParts: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let towers = ScoreParts(rawValue: 1)
    package static let wide = ScoreParts(rawValue: 2)
    package static let trend = ScoreParts(rawValue: 4)
    package static let learnerEffect = ScoreParts(rawValue: 8)
    package static let segment = ScoreParts(rawValue: 16)
    package static let fixedEffect = ScoreParts(rawValue: 32)

    /// The most personal part there is.
    package var rung: Rung {
        if contains(.towers) { return .towers }
        if contains(.wide) { return .wide }
        if contains(.learnerEffect) { return .learnerEffect }
        if contains(.segment) { return .segment }
        if contains(.fixedEffect) { return .fixedEffect }
        return .trend
    }
}
