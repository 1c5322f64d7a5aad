/// The slices that an evaluated learner belongs to: all, warm (something before T) or cold, a bucket of history length,
/// a segment, a language, a rung. What is not known of a learner is in no slice.
package struct EvaluationSlices: Sendable {
    /// First history lengths of the buckets, ascending, from 1.
    package let historyBounds: [Int]

    package init(historyBounds: [Int]) { self.historyBounds = historyBounds }

    /// One learner's slices.
    package func names(history: Int, segment: String, language: String, rung: String) -> [String] {
        var names = ["all", history > 0 ? "warm" : "cold"]
        if let bucket = historyBounds.lastIndex(where: { $0 <= history }) { names.append(bucketName(bucket)) }
        for (kind, value) in [("segment", segment), ("language", language), ("rung", rung)] where !value.isEmpty {
            names.append("\(kind) \(value)")
        }
        return names
    }

    private func bucketName(_ bucket: Int) -> String {
        let first = historyBounds[bucket]
        if bucket + 1 == historyBounds.count { return "history \(first)+" }
        return "history \(first)-\(historyBounds[bucket + 1] - 1)"
    }

    /// Slices in the order of tables, with the rows in each. Those without rows are left out, but for `all`, `warm` and
    /// `cold`.
    package func rows(_ learners: EvaluatedLearners) -> [(name: String, rows: [Int])] {
        var rows: [String: [Int]] = [:]
        for row in 0..<learners.count {
            let names = names(
                history: learners.history[row], segment: learners.segments[row], language: learners.languages[row],
                rung: learners.rungs[row])
            for name in names { rows[name, default: []].append(row) }
        }
        let first = ["all", "warm", "cold"]
        let buckets = historyBounds.indices.map(bucketName).filter { rows[$0] != nil }
        let others = ["segment ", "language ", "rung "].flatMap { kind in
            rows.keys.filter { $0.hasPrefix(kind) }.sorted()
        }
        return (first + buckets + others).map { ($0, rows[$0] ?? []) }
    }
}
