/// Ranked courses of a group of learners (usually one shard): list i is `courses[offsets[i]..<offsets[i + 1]]`, best
/// first in the one order of Lectern: score descending, then course number.
package struct RankedLists: Sendable, Equatable {
    package var offsets: [Int]
    package var courses: [UInt32]
    package var scores: [Float]

    package init(offsets: [Int], courses: [UInt32], scores: [Float]) {
        precondition(offsets.first == 0 && offsets.last == courses.count && courses.count == scores.count)
        (self.offsets, self.courses, self.scores) = (offsets, courses, scores)
    }

    /// No list yet.
    package init() { (offsets, courses, scores) = ([0], [], []) }

    package var count: Int { offsets.count - 1 }
    package func range(_ list: Int) -> Range<Int> { offsets[list]..<offsets[list + 1] }
    /// The courses of one list.
    package subscript(list: Int) -> ArraySlice<UInt32> { courses[range(list)] }
}

/// Each learner's best courses by the blended score, with the parts the score was made of.
package struct Candidates: Sendable, Equatable {
    /// `scores` are blended logits.
    package var lists: RankedLists
    /// The parts, one per entry of `lists.courses`: each model's score, centred by its mean over the learner's allowed
    /// courses and divided by the blend's fixed scale. Not yet weighted.
    package var ncf: [Float]
    package var glmix: [Float]
    package var recent: [Float]

    package init(lists: RankedLists, ncf: [Float], glmix: [Float], recent: [Float]) {
        precondition(
            ncf.count == lists.courses.count && glmix.count == ncf.count && recent.count == ncf.count)
        (self.lists, self.ncf, self.glmix, self.recent) = (lists, ncf, glmix, recent)
    }
}

/// Which part of the one score a list rests on: a label derived from which parts were not zero, never a decision.
package enum Rung: UInt8, Codable, Sendable, CaseIterable {
    /// The towers of NCF: there is a context.
    case towers = 0
    /// NCF's wide part without towers.
    case wide = 1
    /// GLMix's effect of the learner, without a context.
    case learnerEffect = 2
    /// GLMix's effect of the segment.
    case segment = 3
    /// GLMix's fixed effect on the profile.
    case fixedEffect = 4
    /// What is watched lately, and nothing else.
    case trend = 5

    package var label: String {
        switch self {
        case .towers: "towers"
        case .wide: "wide"
        case .learnerEffect: "learner-effect"
        case .segment: "segment"
        case .fixedEffect: "fixed-effect"
        case .trend: "trend"
        }
    }
}

/// Why an entry stands in a list.
package enum Reason: UInt8, Codable, Sendable, CaseIterable {
    /// What is watched lately, by all.
    case popular = 0
    /// The same, for a learner with a segment.
    case popularInSegment = 1
    /// `because` is the course of the context that adds most to the score.
    case watched = 2
    /// `because` is a code into the dictionary of matched features.
    case fits = 3

    package var label: String {
        switch self {
        case .popular: "popular"
        case .popularInSegment: "popular-in-segment"
        case .watched: "watched"
        case .fits: "fits"
        }
    }
}

/// Why a list has fewer than k entries.
package enum Shortness: UInt8, Codable, Sendable, CaseIterable {
    case full = 0
    /// The catalogue has too few eligible courses that the learner did not watch.
    case catalogue = 1
    /// Rules (languages, dismissals, suppressions, columns, caps) left too few of the candidates.
    case rules = 2
    /// The learner is suppressed: an empty list.
    case suppressed = 3

    package var label: String {
        switch self {
        case .full: "full"
        case .catalogue: "catalogue"
        case .rules: "rules"
        case .suppressed: "suppressed"
        }
    }
}

/// The final lists of a group of learners.
package struct TopLists: Sendable, Equatable {
    package var lists: RankedLists
    /// What orders the list, non-increasing; equals the score without diversity.
    package var listScores: [Float]
    package var reasons: [Reason]
    /// A course number (`watched`), a code into the dictionary of features (`fits`), else 0.
    package var because: [UInt32]
    /// One per list.
    package var rungs: [Rung]
    package var shortness: [Shortness]

    package init() { (lists, listScores, reasons, because, rungs, shortness) = (RankedLists(), [], [], [], [], []) }
}
