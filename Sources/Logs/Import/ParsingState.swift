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
    /// By course code: whether a row of the catalogue holds before T. Empty unless T is given.
    private let knownBefore: [Bool]
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
        var known: [Bool] = []
        for row in catalogue ?? [] {
            let code = Int(courses.insert(row.id))
            while known.count <= code { known.append(false) }
            if row.validFrom < asOf ?? .max { known[code] = true }
        }
        knownBefore = asOf == nil ? [] : known
    }

    /// Whether a course may have an event at a time: what the catalogue says only from T on does not count before T.
    @inline(__always)
    func isKnown(course: UInt32, at time: Int64) -> Bool {
        guard hasCatalogue, let asOf, time < asOf else { return true }
        return knownBefore[Int(course)]
    }

    func merge(_ times: EventTimes, _ rows: RowCounts, _ rejects: [Rejects]) {
        merged.withLock {
            $0.times.add(times)
            $0.rows.add(rows)
            for i in rejects.indices { $0.rejects[i].add(rejects[i]) }
        }
    }

    var result: Merged { merged.withLock { $0 } }
}

/// Hands blocks of rows to threads. Each takes a file of its own while there are any, then helps with one that another
/// thread has begun: inflating takes turns, parsing does not.
final class BlockQueue: Sendable {
    private final class OpenFile: Sendable {
        let file: InputFile
        private let reader: Mutex<RowReader?>

        init(_ file: InputFile) {
            self.file = file
            reader = Mutex(nil)
        }

        func next() throws -> RowBlock? {
            try reader.withLock { reader in
                if reader == nil { reader = try RowReader(path: file.path, form: file.form) }
                return try reader!.next()
            }
        }
    }

    private struct Waiting {
        var unopened: [OpenFile]
        var open: [OpenFile] = []
    }

    private let waiting: Mutex<Waiting>

    init(_ files: [InputFile]) { waiting = Mutex(Waiting(unopened: files.reversed().map(OpenFile.init))) }

    /// - Parameter finished: called once for each file behind its last block.
    func forEach(
        _ workers: Workers, _ state: ParsingState, finished: () -> Void,
        _ body: (ParsingThread, RowBlock, InputFile) throws -> Void
    ) throws {
        try workers.forEach(workers.count) { _ in
            let thread = ParsingThread(state)
            while let current = take() {
                while let block = try current.next() { try body(thread, block, current.file) }
                if close(current) { finished() }
            }
            try thread.finish()
        }
    }

    private func take() -> OpenFile? {
        waiting.withLock {
            if let file = $0.unopened.popLast() {
                $0.open.append(file)
                return file
            }
            return $0.open.first
        }
    }

    /// - Returns: true for the first thread that finds the file at its end.
    private func close(_ file: OpenFile) -> Bool {
        waiting.withLock {
            guard let at = $0.open.firstIndex(where: { $0 === file }) else { return false }
            $0.open.remove(at: at)
            return true
        }
    }
}
