import Platform

/// Rows of a group in their final order: by (learner, time, course, then every other column), so that the order of
/// input cannot show.
extension LearnerGroup {
    /// Final numbers of everything that was numbered in order of arrival.
    struct Numbers: Sendable {
        var course: [UInt32]
        /// By final course number, seconds; NaN means unknown.
        var duration: [Double]
        var watchChannel: [UInt32]
        var engagementChannel: [UInt32]
        var kind: [UInt32]
    }

    /// Learners before T by id, then those who appear only later by id; the row of each entry.
    struct Rows {
        var known: [String]
        var later: [String]
        /// By entry; `noCode` for entries without a row.
        var row: [UInt32]
        /// Attributes of the known learners, by row.
        var attributes: [[UInt8]]
    }

    func rows() -> Rows {
        let known = ids.sorted { isKnown[$0] }
        let later = ids.sorted { !isKnown[$0] && hasLateEvent[$0] }
        var row = [UInt32](repeating: noCode, count: ids.count)
        for (i, entry) in (known + later).enumerated() { row[entry] = UInt32(i) }
        return Rows(
            known: known.map(ids.string), later: later.map(ids.string), row: row,
            attributes: known.map { profiles[$0]?.attributes ?? [] })
    }

    /// Watches before T and from T on.
    func watchTables(_ rows: Rows, _ numbers: Numbers) -> (before: Watches, after: Watches) {
        var before: [WatchKey] = []
        var after: [WatchKey] = []
        before.reserveCapacity(counts.watches)
        after.reserveCapacity(counts.lateWatches)
        for item in watches {
            let key = WatchKey(item, row: rows.row[Int(item.learner)], numbers)
            if item.record.time < asOf { before.append(key) } else { after.append(key) }
        }
        return (Self.table(before, rows), Self.table(after, rows))
    }

    private static func table(_ keys: [WatchKey], _ rows: Rows) -> Watches {
        let sorted = sortedByLearner(keys, learners: rows.known.count + rows.later.count)
        return Watches(
            learner: sorted.map(\.learner), course: sorted.map(\.course), time: sorted.map(\.time),
            seconds: sorted.map { $0.seconds < 0 ? .nan : $0.seconds }, channel: sorted.map(\.channel))
    }

    func engagementTables(_ rows: Rows, _ numbers: Numbers) -> (before: Engagements, after: Engagements) {
        var before: [EngagementKey] = []
        var after: [EngagementKey] = []
        before.reserveCapacity(counts.engagements)
        after.reserveCapacity(counts.lateEngagements)
        for item in engagements {
            let key = EngagementKey(item, row: rows.row[Int(item.learner)], numbers)
            if item.record.time < asOf { before.append(key) } else { after.append(key) }
        }
        return (Self.table(before, rows), Self.table(after, rows))
    }

    private static func table(_ keys: [EngagementKey], _ rows: Rows) -> Engagements {
        let sorted = sortedByLearner(keys, learners: rows.known.count + rows.later.count)
        return Engagements(
            learner: sorted.map(\.learner), course: sorted.map(\.course), time: sorted.map(\.time),
            label: sorted.map(\.label), kind: sorted.map(\.kind), channel: sorted.map(\.channel))
    }

    /// Counting sort by learner, then each learner's rows by the rest.
    private static func sortedByLearner<Key: EventKey>(_ keys: [Key], learners: Int) -> [Key] {
        var ends = [Int](repeating: 0, count: learners + 1)
        for key in keys { ends[Int(key.learner) + 1] += 1 }
        for i in 0..<learners { ends[i + 1] += ends[i] }
        return [Key](unsafeUninitializedCapacity: keys.count) { out, count in
            var next = ends
            for key in keys {
                (out.baseAddress! + next[Int(key.learner)]).initialize(to: key)
                next[Int(key.learner)] += 1
            }
            count = keys.count
            for i in 0..<learners where ends[i + 1] - ends[i] > 1 {
                sortRun(UnsafeMutableBufferPointer(rebasing: out[ends[i]..<ends[i + 1]]))
            }
        }
    }
}

/// Logs are mostly in order already, and one learner's rows are few: insertion, but for long runs that need more.
@inline(__always)
private func sortRun<Key: EventKey>(_ keys: UnsafeMutableBufferPointer<Key>) {
    var keys = keys
    for i in 1..<keys.count where keys[i] < keys[i - 1] {
        if keys.count > 64 { return keys.sort(by: <) }
        let key = keys[i]
        var at = i
        repeat {
            keys[at] = keys[at - 1]
            at -= 1
        } while at > 0 && key < keys[at - 1]
        keys[at] = key
    }
}

protocol EventKey: Comparable, BitwiseCopyable {
    var learner: UInt32 { get }
}

private struct WatchKey: EventKey {
    var learner: UInt32
    var course: UInt32
    var time: Int64
    /// Seconds; −1 means unknown, so that it has a place in the order.
    var seconds: Float
    var channel: UInt32

    init(_ item: LearnerGroup.WatchRow, row: UInt32, _ numbers: LearnerGroup.Numbers) {
        let record = item.record
        learner = row
        course = numbers.course[Int(record.course)]
        time = record.time
        let value = record.isShare ? record.value * numbers.duration[Int(course)] : record.value
        seconds = value.isNaN ? -1 : Float(value)
        channel = record.channel == noCode ? noCode : numbers.watchChannel[Int(record.channel)]
    }

    @inline(__always)
    static func < (a: WatchKey, b: WatchKey) -> Bool {
        if a.time != b.time { return a.time < b.time }
        if a.course != b.course { return a.course < b.course }
        return (a.seconds, a.channel) < (b.seconds, b.channel)
    }
}

private struct EngagementKey: EventKey {
    var learner: UInt32
    var course: UInt32
    var time: Int64
    var label: UInt8
    var kind: UInt32
    var channel: UInt32

    init(_ item: LearnerGroup.EngagementRow, row: UInt32, _ numbers: LearnerGroup.Numbers) {
        let record = item.record
        learner = row
        course = numbers.course[Int(record.course)]
        time = record.time
        label = record.label
        kind = numbers.kind[Int(record.kind)]
        channel = record.channel == noCode ? noCode : numbers.engagementChannel[Int(record.channel)]
    }

    @inline(__always)
    static func < (a: EngagementKey, b: EngagementKey) -> Bool {
        if a.time != b.time { return a.time < b.time }
        if a.course != b.course { return a.course < b.course }
        return (a.label, a.kind, a.channel) < (b.label, b.kind, b.channel)
    }
}
