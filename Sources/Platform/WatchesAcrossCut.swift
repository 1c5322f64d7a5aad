/// Watches of one learner shard on both sides of T, as one table: a watch after T counts towards a course of which
/// part was watched before (evaluation only).
package struct WatchesAcrossCut: Sendable, Equatable {
    /// Sorted by learner, each learner's rows before T first.
    package let watches: Watches
    package let learnerCount: Int

    /// - Parameters:
    ///   - before: rows sorted by learner, rows 0..<learnersBefore.
    ///   - after: rows sorted by learner.
    ///   - learnerOf: for each learner row of `after`, its row here: below `learnersBefore` if known before T, else
    ///     from `learnersBefore` on.
    ///   - courseOf: for each course number of `after`, its number here; nil where they are the same.
    package init(
        before: Watches, learnersBefore: Int, after: Watches, learnerOf: [UInt32], courseOf: [UInt32]?
    ) {
        learnerCount = max(learnersBefore, Int(learnerOf.max() ?? 0) + (learnerOf.isEmpty ? 0 : 1))
        let rows = after.learner.map { learnerOf[Int($0)] }
        var offsets = [Int](repeating: 0, count: learnerCount + 1)
        for learner in before.learner { offsets[Int(learner) + 1] += 1 }
        for learner in rows { offsets[Int(learner) + 1] += 1 }
        for i in 0..<learnerCount { offsets[i + 1] += offsets[i] }
        let total = before.count + after.count
        var joined = Watches(
            learner: [UInt32](repeating: 0, count: total), course: [UInt32](repeating: 0, count: total),
            time: [Int64](repeating: 0, count: total), seconds: [Float](repeating: 0, count: total))
        func place(_ source: Watches, _ row: Int, learner: UInt32, course: UInt32) {
            let slot = offsets[Int(learner)]
            offsets[Int(learner)] += 1
            joined.learner[slot] = learner
            joined.course[slot] = course
            joined.time[slot] = source.time[row]
            joined.seconds[slot] = source.seconds[row]
        }
        for row in 0..<before.count { place(before, row, learner: before.learner[row], course: before.course[row]) }
        for row in 0..<after.count {
            let course = courseOf.map { $0[Int(after.course[row])] } ?? after.course[row]
            place(after, row, learner: rows[row], course: course)
        }
        watches = joined
    }
}
