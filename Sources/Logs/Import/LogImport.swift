import LinearAlgebra
import Platform
import Shards

/// From log files to the tables of a run: reads, cuts at T, numbers, sorts (docs/datasets.md).
///
///     var logs = try LogImport(mapping, inputs, settings, workers)   // opens every file, checks every header
///     try logs.read { … }                                            // parses; spills by partition of the learners
///     let cut = try logs.cut()                                       // T, courses, dictionaries, number of shards
///     let shard = try cut.shard(3)                                   // one shard's tables
///
/// Memory: the catalogue; `spillBytes` of records (beyond that, files); a partition of records for each thread.
package struct LogImport {
    package struct Settings: Sendable {
        /// nil: the second after the newest event.
        package var asOf: Int64?
        /// Seconds; only without `asOf`.
        package var maxGap: Int64
        /// nil: by the number of learners.
        package var shards: Int?
        /// Share of a table's rows.
        package var maxRejected: Double
        /// Where records go that do not fit in memory; the folder exists.
        package var spillFolder: String
        package var spillBytes: Int
        /// nil: every file is parsed.
        package var cache: ImportCache?

        package init(
            asOf: Int64?, maxGap: Int64 = 30 * 86_400, shards: Int? = nil, maxRejected: Double = 0.001,
            spillFolder: String, spillBytes: Int = 1 << 30, cache: ImportCache? = nil
        ) {
            (self.asOf, self.maxGap, self.shards, self.maxRejected) = (asOf, maxGap, shards, maxRejected)
            (self.spillFolder, self.spillBytes, self.cache) = (spillFolder, spillBytes, cache)
        }
    }

    let settings: Settings
    let workers: Workers
    private let mapping: DatasetMapping
    private let inputs: [(table: String, path: String)]
    let files: [InputFile]
    let state: ParsingState
    /// nil without a table of courses.
    let catalogue: [CourseRow]?
    let courseSchema: AttributeSchema
    private var readRows = RowCounts()
    private var rejects = [Rejects](repeating: Rejects(), count: LogTable.allCases.count)
    private var suppressions: [SuppressionRow] = []
    /// Rows about courses that no row of the catalogue knows.
    private var purgedSuppressions = 0

    /// Opens every file, checks its header, and reads the catalogue.
    /// - Parameter inputs: as `DatasetMapping.inputFiles` lists them; their order does not matter.
    package init(
        _ mapping: DatasetMapping, inputs: [(table: String, path: String)], _ settings: Settings, _ workers: Workers
    ) throws {
        (self.settings, self.workers, self.mapping, self.inputs) = (settings, workers, mapping, inputs)
        files = try Self.open(mapping, inputs)
        courseSchema = try AttributeSchema(files.filter { $0.table == .courses })
        var rows: [CourseRow]?
        if files.contains(where: { $0.table == .courses }) {
            rows = try Self.readCatalogue(files, courseSchema, &readRows, &rejects[LogTable.courses.index])
            if rows!.isEmpty {
                throw LecternError.data(
                    "\(files.first { $0.table == .courses }!.path): the catalogue has no usable row")
            }
        }
        catalogue = rows
        state = ParsingState(
            partitions: settings.shards ?? Self.automaticPartitions, catalogue: rows,
            learnerSchema: try AttributeSchema(files.filter { $0.table == .learners }), asOf: settings.asOf,
            spillFolder: settings.spillFolder, spillBytes: settings.spillBytes)
    }

    /// More than the 16 shards that small runs get, so that a partition of a large one fits in memory.
    private static let automaticPartitions = 64

    private static func open(_ mapping: DatasetMapping, _ inputs: [(table: String, path: String)]) throws -> [InputFile]
    {
        let sorted = inputs.sorted { ($0.path, $0.table) < ($1.path, $1.table) }
        return try sorted.enumerated().map { number, input in
            guard let source = mapping.source(label: input.table) else {
                throw LecternError.data(
                    "\(input.path): listed for table \"\(input.table)\", which the dataset file does not have; make all "
                        + "lists the inputs anew")
            }
            let reader = try RowReader(path: input.path, form: source.form, headerOnly: true)
            return try InputFile(
                number: number, path: input.path, source: source, header: source.header ?? reader.header)
        }
    }

    private static func readCatalogue(
        _ files: [InputFile], _ schema: AttributeSchema, _ read: inout RowCounts, _ rejects: inout Rejects
    ) throws -> [CourseRow] {
        var rows: [CourseRow] = []
        for file in files where file.table == .courses {
            let parser = CourseParser(file, schema)
            let reader = try RowReader(path: file.path, form: file.form)
            while let block = try reader.next() {
                read.read[LogTable.courses.index] += parser.parse(block, rejects: &rejects) { rows.append($0) }
            }
        }
        return rows
    }

    /// Reads all other tables.
    /// - Parameter progress: called with the path of each file that has been read.
    package mutating func read(progress: () -> Void = {}) throws {
        let queue = BlockQueue(
            files.filter { $0.table != .courses && $0.table != .suppressions }, cache: settings.cache,
            keys: try cacheKeys())
        try queue.forEach(workers, state, finished: progress) { thread, block, file in
            switch file.table {
            case .watches: try thread.parseWatches(block, file)
            case .engagements: try thread.parseEngagements(block, file)
            case .learners: try thread.parseLearners(block, file)
            case .courses, .suppressions: break
            }
        }
        let known = catalogue.map { Set($0.map(\.id)) }
        for file in files where file.table == .suppressions {
            let reader = try RowReader(path: file.path, form: file.form)
            let index = LogTable.suppressions.index
            while let block = try reader.next() {
                readRows.read[index] += SuppressionParser.parse(
                    block, file, catalogue: known, purged: &purgedSuppressions, rejects: &rejects[index],
                    into: &suppressions)
            }
        }
        let result = state.result
        readRows.add(result.rows)
        for i in rejects.indices { rejects[i].add(result.rejects[i]) }
        settings.cache?.prune()
        try checkRejects()
    }

    /// By number of the file. Profiles are not cached: there are few, and what a row means depends on all of them.
    private func cacheKeys() throws -> [Int: String] {
        guard let cache = settings.cache else { return [:] }
        let events = files.filter { $0.table == .watches || $0.table == .engagements }
        let keys = try workers.map(events.count) { try cache.key(of: events[$0].path, table: events[$0].source.label) }
        return Dictionary(uniqueKeysWithValues: zip(events.map(\.number), keys))
    }

    package var fileCount: Int { files.count }

    /// `file,line,reason` of every rejected row, sorted.
    package func rejectedCSV() -> [UInt8] {
        var text = "file,line,reason\n"
        for row in rejects.flatMap(\.sorted).sorted(by: { ($0.file, $0.line) < ($1.file, $1.line) }) {
            text += "\(CSVField.quoted(files[row.file].path)),\(row.line),\(CSVField.quoted(row.reason))\n"
        }
        return Array(text.utf8)
    }

    private func checkRejects() throws {
        for table in LogTable.allCases {
            let (read, rejected) = (readRows.read[table.index], rejects[table.index])
            // A course that has left the catalogue may still be suppressed: said, but no reason to stop.
            let counted = table == .suppressions ? rejected.count - purgedSuppressions : rejected.count
            guard Double(counted) > settings.maxRejected * Double(read) else { continue }
            let first = rejected.sorted.prefix(3).map { "\(files[$0.file].path):\($0.line): \($0.reason)" }
            let share = Double(rejected.count) / Double(read) * 100
            throw LecternError.data(
                "\(table.rawValue): \(rejected.count) of \(read) rows cannot be used "
                    + "(\(Double(Int(share * 1000)) / 1000) %, import.max_rejected allows \(settings.maxRejected * 100) %): "
                    + first.joined(separator: "; ") + (rejected.count > 3 ? "; …" : ""))
        }
    }

    /// Decides T and everything that depends on it. Where `latest` comes out before all that the catalogue says of some
    /// course, everything is read again with this T: it gives what it would give as a date.
    package mutating func cut() throws -> LogCut {
        let times = state.result.times
        guard let newest = times.newest else {
            throw LecternError.data(
                "\(readRows.read.reduce(0, +)) rows read, and no event among them that can be used: check DATA, and files: and "
                    + "columns: of the dataset file")
        }
        let asOf = try settings.asOf ?? latest(times, newest)
        if settings.asOf == nil && state.hasCoursesOnly(from: asOf) {
            var settings = settings
            settings.asOf = asOf
            settings.spillFolder += "/again"
            try FileSystem.createFolder(settings.spillFolder)
            self = try LogImport(mapping, inputs: inputs, settings, workers)
            try read()
            return try cut()
        }
        return try LogCut(
            self, asOf: asOf, read: readRows.read, rejected: rejects.map(\.count), suppressions: suppressions)
    }

    private func latest(_ times: EventTimes, _ newest: Int64) throws -> Int64 {
        if let late = times.stragglers(maxGap: settings.maxGap) {
            let rows = late.days.prefix(3).map {
                "\(files[Int($0.example.file)].path):\($0.example.line)"
            }
            throw LecternError.data(
                "as_of latest: \(late.count) of \(times.count) events come \(late.gap / 86_400) days after all others, more "
                    + "than run.max_gap \(settings.maxGap / 86_400) d: \(rows.joined(separator: ", ")); mend them, or set "
                    + "run.as_of to a date")
        }
        return newest + 1
    }
}
