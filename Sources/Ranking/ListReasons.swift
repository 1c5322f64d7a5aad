import Platform

/// What adds how much to one entry's blended logit, of the terms that are particular to the learner.
package struct EntryEvidence: Sendable, Equatable {
    /// By course of the context: (course, amount).
    package var watched: [(course: UInt32, amount: Float)]
    /// The largest contribution of a trait that learner and course share: a code into the features, and its amount.
    package var fits: (feature: UInt32, amount: Float)?

    package init(watched: [(course: UInt32, amount: Float)] = [], fits: (feature: UInt32, amount: Float)? = nil) {
        (self.watched, self.fits) = (watched, fits)
    }

    package static func == (a: EntryEvidence, b: EntryEvidence) -> Bool {
        a.watched.elementsEqual(b.watched, by: ==) && a.fits?.feature == b.fits?.feature
            && a.fits?.amount == b.fits?.amount
    }

    /// The reason: the context if all of it together adds more than the best shared trait, named by the course that adds
    /// most (ties: the smaller number); else the trait; else popularity.
    package func reason(hasSegment: Bool) -> (reason: Reason, because: UInt32) {
        let context = watched.reduce(Float(0)) { $0 + max(0, $1.amount) }
        if context > 0 && context >= fits?.amount ?? 0 {
            let best = watched.max { ($0.amount, $1.course) < ($1.amount, $0.course) }!
            return (.watched, best.course)
        }
        if let fits, fits.amount > 0 { return (.fits, fits.feature) }
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
