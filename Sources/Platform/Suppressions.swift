/// What an opt-out or embargo forbids.
package enum SuppressionScope: UInt8, Sendable, CaseIterable {
    /// Must not be learnt from.
    case train = 1
    /// Must not be recommended, or recommended to.
    case recommend = 2
    case both = 3

    package var name: String {
        switch self {
        case .train: "train"
        case .recommend: "recommend"
        case .both: "both"
        }
    }

    package var coversTraining: Bool { self != .recommend }
    package var coversRecommending: Bool { self != .train }
}

/// Opt-outs and embargoes, sorted by (learner, course, scope).
package struct Suppressions: Sendable, Equatable {
    /// Row of the learner in its shard; `UInt32.max` means all learners.
    package var learner: [UInt32]
    /// `UInt32.max` means all courses.
    package var course: [UInt32]
    /// A `SuppressionScope`.
    package var scope: [UInt8]

    package init(learner: [UInt32], course: [UInt32], scope: [UInt8]) {
        (self.learner, self.course, self.scope) = (learner, course, scope)
    }

    package var count: Int { learner.count }

    package mutating func append(learner: UInt32, course: UInt32, scope: UInt8) {
        self.learner.append(learner)
        self.course.append(course)
        self.scope.append(scope)
    }
}
