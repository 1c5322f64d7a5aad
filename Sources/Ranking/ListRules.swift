import Platform

/// Which courses may stand in whose final list.
package struct ListRules: Sendable {
    /// By course: not eligible, suppressed, or ruled out by a column. Nobody gets them.
    package var barredCourses: [Bool]
    /// By course: its language as a code of the courses' dictionary; −1: none known. Empty: languages do not matter.
    package var courseLanguage: [Int32]
    package var walk: GreedyWalk

    package init(barredCourses: [Bool], courseLanguage: [Int32] = [], walk: GreedyWalk) {
        (self.barredCourses, self.courseLanguage, self.walk) = (barredCourses, courseLanguage, walk)
    }

    /// What is particular to one learner.
    package struct Learner: Sendable {
        /// Opted out: an empty list.
        package var isSuppressed = false
        /// Courses by raw history, dismissals and suppressions, ascending.
        package var excluded: ArraySlice<UInt32> = []
        /// Languages allowed; nil: any. A course without a language is always allowed.
        package var languages: Set<Int32>?
        package init() {}
    }

    /// A learner's list before reasons.
    package struct List: Sendable, Equatable {
        /// Positions in the candidates, in list order.
        package var positions: [Int] = []
        package var listScores: [Float] = []
        package var shortness = Shortness.full

        package init(positions: [Int] = [], listScores: [Float] = [], shortness: Shortness = .full) {
            (self.positions, self.listScores, self.shortness) = (positions, listScores, shortness)
        }
    }

    package func allows(_ course: UInt32, _ learner: Learner) -> Bool {
        if barredCourses[Int(course)] || contains(learner.excluded, course) { return false }
        guard let languages = learner.languages, !courseLanguage.isEmpty else { return true }
        let language = courseLanguage[Int(course)]
        return language < 0 || languages.contains(language)
    }

    /// - Parameter wanted: how many candidates the blend was asked for: fewer mean that the catalogue has no more.
    package func list(
        _ courses: ArraySlice<UInt32>, _ scores: ArraySlice<Float>, wanted: Int, learner: Learner
    ) -> List {
        if learner.isSuppressed { return List(shortness: .suppressed) }
        let allowed = courses.indices.filter { allows(courses[$0], learner) }
        let (chosen, listScores) = walk.choose(allowed.map { courses[$0] }, allowed.map { scores[$0] })
        var list = List(positions: chosen.map { allowed[$0] - courses.startIndex }, listScores: listScores)
        if chosen.count < walk.k {
            // Nothing was kept out, neither by the rules nor by caps.
            list.shortness = courses.count < wanted && chosen.count == courses.count ? .catalogue : .rules
        }
        return list
    }

    private func contains(_ sorted: ArraySlice<UInt32>, _ course: UInt32) -> Bool {
        var (low, high) = (sorted.startIndex, sorted.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < course { low = middle + 1 } else { high = middle }
        }
        return low < sorted.endIndex && sorted[low] == course
    }
}

extension ListRules {
    /// The last check before lists are committed: what must hold whatever the rest of the program did. Returns what is
    /// wrong, or nil.
    package func problem(
        _ top: TopLists, list: Int, learner: Learner
    ) -> String? {
        let range = top.lists.range(list)
        if range.count > walk.k { return "\(range.count) entries, at most \(walk.k) are allowed" }
        if range.count < walk.k && top.shortness[list] == .full { return "a short list without a reason" }
        if learner.isSuppressed && !range.isEmpty { return "a suppressed learner has a list" }
        var seen = Set<UInt32>()
        for at in range {
            let course = top.lists.courses[at]
            if !seen.insert(course).inserted { return "course \(course) stands twice" }
            if !allows(course, learner) { return "course \(course) is not allowed" }
            if !top.lists.scores[at].isFinite || !top.listScores[at].isFinite { return "a score is not finite" }
            if at == range.lowerBound { continue }
            let (before, now) = (top.listScores[at - 1], top.listScores[at])
            if before < now { return "list scores rise at rank \(at - range.lowerBound + 1)" }
            if walk.relevanceShare == 1 && before == now && top.lists.courses[at - 1] > course {
                return "a tie at rank \(at - range.lowerBound + 1) is not in the order of course numbers"
            }
        }
        return nil
    }
}
