/// Watches of one learner shard on both sides of T, as one table: a watch after T counts towards a course of which
/// part was watched before (evaluation only).
package struct WatchesAcrossCut: Sendable, Equatable {
    /// Sorted by learner, each learner's rows before T first.
    package let watches: Watches

    /// - Parameters:
    ///   - before: rows sorted by learner.
    ///   - after: rows sorted by learner; learners and courses unknown before T have the numbers that follow.
    ///   - learnerCount: of both sides.
    package init(before: Watches, after: Watches, learnerCount: Int) {
        let total = before.count + after.count
        var joined = Watches(learner: [], course: [], time: [], seconds: [])
        joined.learner.reserveCapacity(total)
        joined.course.reserveCapacity(total)
        joined.time.reserveCapacity(total)
        joined.seconds.reserveCapacity(total)
        func append(_ source: Watches, _ row: inout Int, while learner: UInt32) {
            while row < source.count && source.learner[row] == learner {
                joined.learner.append(learner)
                joined.course.append(source.course[row])
                joined.time.append(source.time[row])
                joined.seconds.append(source.seconds[row])
                joined.channel.append(source.channel[row])
                row += 1
            }
        }
        var (early, late) = (0, 0)
        for learner in 0..<UInt32(learnerCount) {
            append(before, &early, while: learner)
            append(after, &late, while: learner)
        }
        precondition(early == before.count && late == after.count, "watches are not sorted by learner")
        watches = joined
    }
}
