import Platform

/// Why an entry may stand in its list: what is particular to the learner, in blended log odds beyond what the same
/// things add to the average course of the catalogue.
package struct EntryEvidence<Feature: Hashable & Sendable>: Sendable {
    /// What each course of the context adds.
    package var watched: [(course: UInt32, amount: Float)]
    /// What the response model's learner–course terms add in all …
    package var response: Float
    /// … and those of them that have a name, all positive, a feature at most once.
    package var features: [(feature: Feature, amount: Float)]

    package init(
        watched: [(course: UInt32, amount: Float)] = [], response: Float = 0,
        features: [(feature: Feature, amount: Float)] = []
    ) {
        (self.watched, self.response, self.features) = (watched, response, features)
    }
}

/// What is said of an entry.
package enum EntryReason: Sendable, Equatable {
    /// The context: this course of it adds most.
    case watched(UInt32)
    /// The response model: this position in the entry's features.
    case fits(Int)
    case popular
}

/// Chooses the reasons of one list.
///
/// The model that adds more of what is particular to the learner speaks: the context through the course of it that adds
/// most (ties: the smaller number), the response model through a feature. What a feature adds to the list's entries on
/// average (the learner's language, which all of them are in) tells none of them apart: the feature that adds most
/// beyond that is named, and of those at least half as far beyond as the farthest, the one named least often so far
/// (ties: the farther, then the first). If the first model has nothing to name, the other speaks if it adds anything;
/// else the entry is popular.
package struct ListReasons<Feature: Hashable & Sendable> {
    /// Features this share as far beyond the list's average as the farthest may stand for it.
    package static var farEnough: Float { 0.5 }
    private let averages: [Feature: Float]
    private var named: [Feature: Int] = [:]

    package static func choose(_ entries: [EntryEvidence<Feature>]) -> [EntryReason] {
        var list = ListReasons(entries)
        return entries.map { list.reason($0) }
    }

    private init(_ entries: [EntryEvidence<Feature>]) {
        var sums: [Feature: Float] = [:]
        for entry in entries { for term in entry.features { sums[term.feature, default: 0] += term.amount } }
        averages = sums.mapValues { $0 / Float(entries.count) }
    }

    private mutating func reason(_ entry: EntryEvidence<Feature>) -> EntryReason {
        let context = entry.watched.reduce(Float(0)) { $0 + $1.amount }
        if entry.response > context, let reason = fits(entry) { return reason }
        if context > 0, let reason = watched(entry) { return reason }
        return fits(entry) ?? .popular
    }

    private func watched(_ entry: EntryEvidence<Feature>) -> EntryReason? {
        let best = entry.watched.max { ($0.amount, $1.course) < ($1.amount, $0.course) }
        return best.flatMap { $0.amount > 0 ? .watched($0.course) : nil }
    }

    private mutating func fits(_ entry: EntryEvidence<Feature>) -> EntryReason? {
        if entry.response <= 0 || entry.features.isEmpty { return nil }
        let beyond = entry.features.map { $0.amount - averages[$0.feature]! }
        let farthest = beyond.max()!
        // Where every feature is below its average, only the nearest is near enough.
        let least = farthest > 0 ? Self.farEnough * farthest : farthest
        var best: Int?
        for i in beyond.indices where beyond[i] >= least {
            guard let chosen = best else {
                best = i
                continue
            }
            let (a, b) = (count(entry, i), count(entry, chosen))
            if a < b || (a == b && beyond[i] > beyond[chosen]) { best = i }
        }
        named[entry.features[best!].feature, default: 0] += 1
        return .fits(best!)
    }

    private func count(_ entry: EntryEvidence<Feature>, _ i: Int) -> Int {
        named[entry.features[i].feature, default: 0]
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
