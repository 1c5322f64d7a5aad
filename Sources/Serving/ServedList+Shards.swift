import Platform

extension ServedList {
    /// Final lists with ids and texts.
    /// - Parameters:
    ///   - keys: one per list; nil: everybody.
    ///   - courses: ids by course number.
    ///   - fits: what `because` means with reason `fits`.
    package static func lists(_ top: TopLists, keys: [String?], courses: [String], fits: [String]) -> [ServedList] {
        keys.indices.map { list(top, $0, key: keys[$0], courses: courses, fits: fits) }
    }

    /// One of them.
    package static func list(
        _ top: TopLists, _ list: Int, key: String?, courses: [String], fits: [String]
    ) -> ServedList {
        let range = top.lists.range(list)
        let entries = range.map { at in
            Entry(
                course: courses[Int(top.lists.courses[at])], rank: at - range.lowerBound + 1,
                // −0 becomes 0: SQLite does not know it.
                score: top.lists.scores[at] + 0, listScore: top.listScores[at] + 0, reason: top.reasons[at].label,
                because: because(top, at, courses, fits))
        }
        let short = top.shortness[list]
        return ServedList(
            key: key, rung: top.rungs[list].label, short: short == .full ? nil : short.label, entries: entries)
    }

    private static func because(_ top: TopLists, _ at: Int, _ courses: [String], _ fits: [String]) -> String? {
        switch top.reasons[at] {
        case .watched: courses[Int(top.because[at])]
        case .fits: fits[Int(top.because[at])]
        case .popular, .popularInSegment: nil
        }
    }
}
