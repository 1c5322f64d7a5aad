import Shards

/// When events happened, by day: enough to find the newest one and gaps before it, without keeping every time.
struct EventTimes: Sendable {
    /// A place in the input.
    struct Row: Sendable {
        var file: Int32
        var line: Int32
        func precedes(_ other: Row) -> Bool { (file, line) < (other.file, other.line) }
    }

    struct Day: Sendable {
        var count = 0
        var first = Int64.max
        var last = Int64.min
        var example = Row(file: .max, line: .max)
    }

    /// 1990-01-01 and 2100-01-01 UTC: a time outside is a mistake.
    static let earliest: Int64 = 631_152_000
    static let latest: Int64 = 4_102_444_800

    private(set) var days = [Day](repeating: Day(), count: Int((latest - earliest) / 86_400))

    @inline(__always)
    mutating func add(_ time: Int64, file: Int, line: Int) {
        let day = Int((time - Self.earliest) / 86_400)
        days.withUnsafeMutableBufferPointer {
            $0[day].count += 1
            $0[day].first = min($0[day].first, time)
            $0[day].last = max($0[day].last, time)
            let row = Row(file: Int32(truncatingIfNeeded: file), line: Int32(clamping: line))
            if row.precedes($0[day].example) { $0[day].example = row }
        }
    }

    mutating func add(_ other: EventTimes) {
        for i in days.indices where other.days[i].count > 0 {
            days[i].count += other.days[i].count
            days[i].first = min(days[i].first, other.days[i].first)
            days[i].last = max(days[i].last, other.days[i].last)
            if other.days[i].example.precedes(days[i].example) { days[i].example = other.days[i].example }
        }
    }

    var count: Int { days.reduce(0) { $0 + $1.count } }
    var newest: Int64? { days.last { $0.count > 0 }?.last }

    /// The newest events that a gap separates from all others: at most a thousandth of all (but at least one may be).
    struct Stragglers {
        var gap: Int64
        var count: Int
        var days: [Day]
    }

    /// Looks among the newest 0.1 % for a gap of more than `maxGap` seconds. Gaps within a day are not seen.
    func stragglers(maxGap: Int64) -> Stragglers? {
        let most = max(1, count / 1000)
        var later: [Day] = []
        var laterCount = 0
        var found: Stragglers?
        for day in days.reversed() where day.count > 0 {
            if let next = later.last, next.first - day.last > maxGap {
                found = Stragglers(gap: next.first - day.last, count: laterCount, days: later)
            }
            later.append(day)
            laterCount += day.count
            if laterCount > most { break }
        }
        return found
    }
}
