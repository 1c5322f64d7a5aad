import LinearAlgebra
import Shards
import Synchronization

extension LogTable {
    /// Place in arrays by table.
    var index: Int { Self.allCases.firstIndex(of: self)! }
}

/// Rows read, by table.
struct RowCounts: Sendable {
    var read = [Int](repeating: 0, count: LogTable.allCases.count)

    mutating func add(_ other: RowCounts) { for i in read.indices { read[i] += other.read[i] } }
}

/// What all parsing threads share.
final class ParsingState: Sendable {
    let partitions: Int
    let courses = CodeTable()
    let watchChannels = CodeTable()
    let engagementChannels = CodeTable()
    let kinds = CodeTable()
    let watches, engagements, learners: Spill
    let hasCatalogue: Bool
    let learnerSchema: AttributeSchema
    /// T, if it does not depend on the events.
    private let asOf: Int64?
    /// By code of the catalogue's courses: from when on a row holds. Codes beyond are of other courses.
    private let knownFrom: [Int64]
    private let merged = Mutex(Merged())

    struct Merged: Sendable {
        var times = EventTimes()
        var rows = RowCounts()
        var rejects = [Rejects](repeating: Rejects(), count: LogTable.allCases.count)
    }

    /// - Parameters:
    ///   - catalogue: rows of the courses table; nil if there is no such table.
    ///   - spillFolder: where records go that do not fit the budget.
    init(
        partitions: Int, catalogue: [CourseRow]?, learnerSchema: AttributeSchema, asOf: Int64?, spillFolder: String,
        spillBytes: Int
    ) {
        self.partitions = partitions
        self.learnerSchema = learnerSchema
        self.asOf = asOf
        hasCatalogue = catalogue != nil
        let budget = SpillBudget(bytes: spillBytes)
        watches = Spill(partitions: partitions, prefix: spillFolder + "/watches", budget: budget)
        engagements = Spill(partitions: partitions, prefix: spillFolder + "/engagements", budget: budget)
        learners = Spill(partitions: partitions, prefix: spillFolder + "/learners", budget: budget)
        var first: [Int64] = []
        for row in catalogue ?? [] {
            let code = Int(courses.insert(row.id))
            while first.count <= code { first.append(.max) }
            first[code] = min(first[code], row.validFrom)
        }
        knownFrom = first
    }

    /// Whether a course may have an event at a time: what the catalogue says only from T on does not count before T.
    @inline(__always)
    func isKnown(course: UInt32, at time: Int64) -> Bool {
        if !hasCatalogue { return true }
        if Int(course) >= knownFrom.count { return false }
        guard let asOf, time < asOf else { return true }
        return knownFrom[Int(course)] < asOf
    }

    func hasCoursesOnly(from time: Int64) -> Bool { knownFrom.contains { $0 >= time } }

    func merge(_ times: EventTimes, _ rows: RowCounts, _ rejects: [Rejects]) {
        merged.withLock {
            $0.times.add(times)
            $0.rows.add(rows)
            for i in rejects.indices { $0.rejects[i].add(rejects[i]) }
        }
    }

    var result: Merged { merged.withLock { $0 } }
}
