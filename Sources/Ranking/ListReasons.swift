import Platform

/// Why an entry may stand in its list: what is particular to the learner, in blended log odds beyond what the same
/// things add to the average course of the catalogue.
package struct EntryEvidence: Sendable {
    /// What each course of the context adds.
    package var watched: [(course: UInt32, amount: Float)]
    /// What the response model's learner–course terms add in all …
    package var response: Float
    /// … and those of them that have a name, all positive. `term` is the caller's.
    package var features: [(term: Int, amount: Float)]

    package init(
        watched: [(course: UInt32, amount: Float)] = [], response: Float = 0,
        features: [(term: Int, amount: Float)] = []
    ) {
        (self.watched, self.response, self.features) = (watched, response, features)
    }
}

/// What is said of an entry.
package enum EntryReason: Sendable, Equatable {
    /// The context: this course of it adds most.
    case watched(UInt32)
    /// The response model: this term of it.
    case fits(Int)
    case popular
}

/// Chooses the reasons of one list, entry by entry.
///
/// The model that adds more of what is particular to the learner speaks: the context through the course of it that adds
/// most (ties: the smaller number), the response model through a named term. A list that says the same on every line
/// says little: of the terms at least half as strong as the strongest, the one named least often so far is taken (ties:
/// the stronger, then the first). If the first model has nothing to name, the other speaks if it adds anything; else
/// the entry is popular.
package struct ListReasons: Sendable {
    /// Terms this share as strong as the strongest may stand for it.
    package static let strongEnough: Float = 0.5
    private var named: [String: Int] = [:]

    package init() {}

    /// - Parameter name: of a term; terms of equal names are the same.
    package mutating func choose(_ evidence: EntryEvidence, name: (Int) -> String) -> EntryReason {
        let context = evidence.watched.reduce(Float(0)) { $0 + $1.amount }
        if evidence.response > context, let reason = fits(evidence, name) { return reason }
        if context > 0, let reason = watched(evidence) { return reason }
        return fits(evidence, name) ?? .popular
    }

    private func watched(_ evidence: EntryEvidence) -> EntryReason? {
        let best = evidence.watched.max { ($0.amount, $1.course) < ($1.amount, $0.course) }
        return best.flatMap { $0.amount > 0 ? .watched($0.course) : nil }
    }

    private mutating func fits(_ evidence: EntryEvidence, _ name: (Int) -> String) -> EntryReason? {
        if evidence.response <= 0 { return nil }
        guard let strongest = evidence.features.map(\.amount).max() else { return nil }
        let strong = evidence.features.filter { $0.amount >= Self.strongEnough * strongest }
            .map { (term: $0.term, amount: $0.amount, name: name($0.term)) }
        var best = 0
        for i in strong.indices.dropFirst() {
            let (a, b) = (named[strong[i].name, default: 0], named[strong[best].name, default: 0])
            if a < b || (a == b && strong[i].amount > strong[best].amount) { best = i }
        }
        named[strong[best].name, default: 0] += 1
        return .fits(strong[best].term)
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
