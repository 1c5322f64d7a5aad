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

    /// Whether the response model adds more than the whole context.
    package var isResponse: Bool { response > max(0, context) }

    private var context: Float { watched.reduce(Float(0)) { $0 + max(0, $1.amount) } }

    /// - Parameter fits: the feature to name if `isResponse`; nil: none adds anything.
    /// - Returns: the feature, if the response model adds most; else the context, named by the course of it that adds
    ///   most (ties: the smaller number); else popularity.
    package func reason(hasSegment: Bool, fits: UInt32?) -> (reason: Reason, because: UInt32) {
        if isResponse, let fits { return (.fits, fits) }
        if context > 0 {
            let best = watched.max { ($0.amount, $1.course) < ($1.amount, $0.course) }!
            return (.watched, best.course)
        }
        return (hasSegment ? .popularInSegment : .popular, 0)
    }
}

/// Which feature each entry of one list is said to fit: the one that adds most beyond what it adds to the list's other
/// entries on average, so that what nearly all courses of the list share (the learner's language) is not repeated from
/// line to line where something else speaks for a course.
package enum DistinctiveFeature {
    /// - Parameter terms: by entry, (feature, amount) with amounts > 0, largest first; a feature at most once.
    /// - Returns: by entry, the position in its terms; nil without terms. Ties go to the larger amount.
    package static func choose<Feature: Hashable>(_ terms: [[(feature: Feature, amount: Double)]]) -> [Int?] {
        var sums: [Feature: Double] = [:]
        for entry in terms { for term in entry { sums[term.feature, default: 0] += term.amount } }
        return terms.map { entry in
            entry.indices.max { a, b in
                let (x, y) = (beyond(entry[a], sums, terms.count), beyond(entry[b], sums, terms.count))
                return x < y || (x == y && a > b)
            }
        }
    }

    private static func beyond<Feature: Hashable>(
        _ term: (feature: Feature, amount: Double), _ sums: [Feature: Double], _ entries: Int
    ) -> Double { term.amount - sums[term.feature]! / Double(entries) }
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
