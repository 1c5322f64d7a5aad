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

    package static let none = Suppressions(learner: [], course: [], scope: [])

    package mutating func append(learner: UInt32, course: UInt32, scope: UInt8) {
        self.learner.append(learner)
        self.course.append(course)
        self.scope.append(scope)
    }

    /// Whether a row forbids learning; one of an unknown scope forbids all.
    package func coversTraining(_ row: Int) -> Bool { scope[row] != SuppressionScope.recommend.rawValue }

    /// Whether a row forbids recommending.
    package func coversRecommending(_ row: Int) -> Bool { scope[row] != SuppressionScope.train.rawValue }
}

/// Which rows of a shard must not be learnt from.
package struct TrainingBans: Sendable {
    private var courses: Set<UInt32> = []
    private var learners: Set<UInt32> = []
    /// Learner << 32 | course.
    private var pairs: Set<UInt64> = []

    /// - Parameters:
    ///   - general: about all learners.
    ///   - own: about learners of the shard.
    package init(general: Suppressions, own: Suppressions) {
        for rows in [general, own] {
            for row in 0..<rows.count where rows.coversTraining(row) {
                switch (rows.learner[row], rows.course[row]) {
                case (.max, let course): courses.insert(course)
                case (let learner, .max): learners.insert(learner)
                case (let learner, let course): pairs.insert(UInt64(learner) << 32 | UInt64(course))
                }
            }
        }
    }

    package var isEmpty: Bool { courses.isEmpty && learners.isEmpty && pairs.isEmpty }

    package func covers(learner: UInt32, course: UInt32) -> Bool {
        courses.contains(course) || learners.contains(learner) || pairs.contains(UInt64(learner) << 32 | UInt64(course))
    }

    /// - Returns: the rows that may be learnt from.
    package func rest(of watches: Watches) -> Watches {
        guard let kept = kept(watches.learner, watches.course) else { return watches }
        return Watches(
            learner: kept.map { watches.learner[$0] }, course: kept.map { watches.course[$0] },
            time: kept.map { watches.time[$0] }, seconds: kept.map { watches.seconds[$0] },
            channel: kept.map { watches.channel[$0] })
    }

    package func rest(of rows: Engagements) -> Engagements {
        guard let kept = kept(rows.learner, rows.course) else { return rows }
        return Engagements(
            learner: kept.map { rows.learner[$0] }, course: kept.map { rows.course[$0] },
            time: kept.map { rows.time[$0] }, label: kept.map { rows.label[$0] }, kind: kept.map { rows.kind[$0] },
            channel: kept.map { rows.channel[$0] })
    }

    /// nil: all.
    private func kept(_ learner: [UInt32], _ course: [UInt32]) -> [Int]? {
        if isEmpty { return nil }
        return learner.indices.filter { !covers(learner: learner[$0], course: course[$0]) }
    }
}
