import Foundation

/// An event as it lies in the spill: id length (2 bytes), id, then the fields below, unaligned.
struct WatchRecord: BitwiseCopyable {
    var time: Int64
    /// Seconds, or a share of the course's duration; NaN means unknown.
    var value: Double
    var course: UInt32
    var channel: UInt32
    var isShare: Bool
}

struct EngagementRecord: BitwiseCopyable {
    var time: Int64
    var course: UInt32
    var channel: UInt32
    var kind: UInt32
    var label: UInt8
}

struct ProfileRecord: BitwiseCopyable {
    /// The row counts from then on; `Int64.min` means always.
    var validFrom: Int64
    /// Bytes of attributes that follow.
    var attributeBytes: Int
}

/// Codes of a field that is empty.
let noCode = UInt32.max

/// What one thread needs while it parses.
final class ParsingThread {
    let state: ParsingState
    let courses: LocalCodes
    let watchChannels, engagementChannels, kinds: LocalCodes
    let watches, engagements, learners: SpillWriter
    @exclusivity(unchecked) var times = EventTimes()
    var rows = RowCounts()
    /// By table.
    var rejects = [Rejects](repeating: Rejects(), count: LogTable.allCases.count)
    /// What the cache is to keep of the block that is being parsed.
    var recording: EventRecording?

    init(_ state: ParsingState) {
        self.state = state
        courses = LocalCodes(state.courses)
        watchChannels = LocalCodes(state.watchChannels)
        engagementChannels = LocalCodes(state.engagementChannels)
        kinds = LocalCodes(state.kinds)
        watches = SpillWriter(state.watches)
        engagements = SpillWriter(state.engagements)
        learners = SpillWriter(state.learners)
    }

    /// Hands everything over; the thread parses no more.
    func finish() throws {
        for writer in [watches, engagements, learners] { try writer.finish() }
        for codes in [courses, watchChannels, engagementChannels, kinds] { codes.finish() }
        state.merge(times, rows, rejects)
    }
}

/// A sound row of watches or engagements: everything that its file alone says of it.
struct Event {
    var learner: Field
    var hash: UInt64 = 0
    var time: Int64 = 0
    var courseField: Field
    var course: UInt32 = 0
    var channel = noCode
    /// Of a watch: seconds, or a share of the course's duration; NaN means unknown.
    var value = Double.nan
    /// Of an engagement.
    var kind = noCode
    var label: UInt8 = 0
    /// Where the row starts.
    var line = 0
}

/// What watches and engagements have in common.
final class EventParser {
    let source: RowSource
    private let learner, course: Int
    private let timeIndex: Int?
    private let timeForm: Conversion.TimeForm
    private let timeName: String
    private let channel: Int?

    init(_ file: InputFile, time: String) {
        source = RowSource(file)
        learner = source.index("learner_id")!
        course = source.index("course_id")!
        timeName = time
        if case .time(let form)? = source.conversion(time) { timeForm = form } else { timeForm = .iso8601 }
        timeIndex = timeForm.isMadeUp ? nil : source.index(time)
        channel = source.index("channel")
    }

    @inline(__always)
    func read(_ thread: ParsingThread, _ channels: LocalCodes, _ event: inout Event) -> RowFault? {
        if let fault = source.fault { return fault }
        event.line = source.cursor.line
        event.learner = source.field(learner)
        if let fault = RowFault.ofId(event.learner, "learner_id") { return fault }
        event.hash = event.learner.hash
        event.courseField = source.field(course)
        if let fault = readTime(event.courseField, &event) { return fault }
        if event.courseField.count == 0 { return .empty("course_id") }
        if event.courseField.count > RowFault.longestId { return .tooLong("course_id") }
        guard let code = thread.courses.find(event.courseField) else { return .notUTF8("course_id") }
        event.course = code
        event.channel = noCode
        guard let channel else { return nil }
        let channelField = source.field(channel)
        return channelField.count == 0 ? nil : Self.code(channelField, "channel", channels, &event.channel)
    }

    @inline(__always)
    private func readTime(_ courseField: Field, _ event: inout Event) -> RowFault? {
        guard let timeIndex else {
            event.time = Self.randomTime(event.hash, courseField.hash)
            if timeForm == .heldOut { event.time += Conversion.TimeForm.heldOutFrom - Self.year2000 }
            return nil
        }
        let field = source.field(timeIndex)
        guard let time = field.time(timeForm) else {
            return field.count == 0 ? .empty(timeName) : .notATime(timeName, field)
        }
        if time < EventTimes.earliest || time >= EventTimes.latest { return .outsideTime(timeName, field) }
        event.time = time
        return nil
    }

    private static let year2000: Int64 = 946_684_800

    /// A second of the year 2000 that depends on learner and course alone.
    static func randomTime(_ learner: UInt64, _ course: UInt64) -> Int64 {
        var mixed = learner &+ course &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 33)) &* 0xff51_afd7_ed55_8ccd
        return year2000 + Int64((mixed ^ (mixed >> 33)) % (366 * 86_400))
    }

    static func code(_ field: Field, _ name: String, _ codes: LocalCodes, _ code: inout UInt32) -> RowFault? {
        guard let found = codes.find(field) else { return .notUTF8(name) }
        code = found
        return nil
    }

    func emptyEvent() -> Event { Event(learner: source.field(learner), courseField: source.field(course)) }
}

extension ParsingThread {
    private func reject(_ table: LogTable, _ source: RowSource, _ fault: RowFault) {
        rejects[table.index].add(file: source.file.number, line: source.cursor.line, fault)
        recording?.reject(line: source.cursor.line, fault)
    }

    func parseWatches(_ block: RowBlock, _ file: InputFile) throws {
        let parser = EventParser(file, time: "started_at")
        let source = parser.source
        let value = source.index("watched_seconds")
        let (scale, isShare) = file.watchTimeForm
        var event = parser.emptyEvent()
        var count = 0
        defer { rows.read[LogTable.watches.index] += count }
        source.cursor.start(block)
        while source.cursor.next() {
            count += 1
            if let fault = parser.read(self, watchChannels, &event)
                ?? Self.watchTime(source, value, scale, &event.value)
            {
                reject(.watches, source, fault)
                continue
            }
            recording?.append(event)
            try acceptWatch(event, file, isShare: isShare)
        }
    }

    /// The rest of the way of a sound row, from a file or from the cache.
    @inline(__always)
    func acceptWatch(_ event: Event, _ file: InputFile, isShare: Bool) throws {
        guard note(event, .watches, watchChannels, file) else { return }
        let record = WatchRecord(
            time: event.time, value: event.value, course: event.course, channel: event.channel, isShare: isShare)
        try append(record, event.learner, event.hash, to: watches)
    }

    @inline(__always)
    private static func watchTime(_ source: RowSource, _ index: Int?, _ scale: Double, _ out: inout Double) -> RowFault?
    {
        out = .nan
        guard let index else { return nil }
        let field = source.field(index)
        if field.count == 0 { return nil }
        guard let value = field.number, value.isFinite else { return .notANumber("watched_seconds", field) }
        if value < 0 { return .negative("watched_seconds", field) }
        if value * scale > RowFault.mostSeconds { return .tooLarge("watched_seconds", field) }
        // + 0 turns −0 into 0, so that equal times have equal bytes.
        out = value * scale + 0
        return nil
    }

    func parseEngagements(_ block: RowBlock, _ file: InputFile) throws {
        let parser = EventParser(file, time: "time")
        let source = parser.source
        let kindIndex = source.index("kind")!
        let labels = LabelReader(source)
        var event = parser.emptyEvent()
        var count = 0
        defer { rows.read[LogTable.engagements.index] += count }
        source.cursor.start(block)
        while source.cursor.next() {
            count += 1
            if let fault = parser.read(self, engagementChannels, &event) ?? readKind(source, kindIndex, &event.kind)
                ?? labels.read(source, &event.label)
            {
                reject(.engagements, source, fault)
                continue
            }
            recording?.append(event)
            try acceptEngagement(event, file)
        }
    }

    @inline(__always)
    func acceptEngagement(_ event: Event, _ file: InputFile) throws {
        guard note(event, .engagements, engagementChannels, file) else { return }
        kinds.note(event.kind, at: event.time)
        let record = EngagementRecord(
            time: event.time, course: event.course, channel: event.channel, kind: event.kind, label: event.label)
        try append(record, event.learner, event.hash, to: engagements)
    }

    private func readKind(_ source: RowSource, _ index: Int, _ kind: inout UInt32) -> RowFault? {
        let field = source.field(index)
        return field.count == 0 ? .empty("kind") : EventParser.code(field, "kind", kinds, &kind)
    }

    /// - Returns: false for a course that does not exist, whose row is rejected.
    @inline(__always)
    private func note(_ event: Event, _ table: LogTable, _ channels: LocalCodes, _ file: InputFile) -> Bool {
        guard state.isKnown(course: event.course, at: event.time) else {
            rejects[table.index].add(file: file.number, line: event.line, .unknownCourse(event.courseField))
            return false
        }
        times.add(event.time, file: file.number, line: event.line)
        courses.note(event.course, at: event.time)
        if event.channel != noCode { channels.note(event.channel, at: event.time) }
        return true
    }

    @inline(__always)
    private func append<Record: BitwiseCopyable>(
        _ record: Record, _ id: Field, _ hash: UInt64, to writer: SpillWriter
    ) throws {
        let partition = Int(hash % UInt64(state.partitions))
        try writer.append(to: partition, bytes: 2 + id.count + MemoryLayout<Record>.size) {
            $0.storeBytes(of: UInt16(id.count), as: UInt16.self)
            ($0 + 2).copyMemory(from: id.start, byteCount: id.count)
            ($0 + 2 + id.count).storeBytes(of: record, as: Record.self)
        }
    }

    func parseLearners(_ block: RowBlock, _ file: InputFile) throws {
        let source = RowSource(file)
        let id = source.index("learner_id")!
        let validFrom = TimeColumn(source, "valid_from")
        let reader = AttributeReader(source, state.learnerSchema)
        var attributes: [UInt8] = []
        var count = 0
        defer { rows.read[LogTable.learners.index] += count }
        source.cursor.start(block)
        while source.cursor.next() {
            count += 1
            attributes.removeAll(keepingCapacity: true)
            var from = Int64.min
            let field = source.field(id)
            if let fault = source.fault ?? RowFault.ofId(field, "learner_id") ?? validFrom?.read(source, into: &from)
                ?? reader.read(source, into: &attributes)
            {
                reject(.learners, source, fault)
                continue
            }
            let hash = field.hash
            let record = ProfileRecord(validFrom: from, attributeBytes: attributes.count)
            let size = MemoryLayout<ProfileRecord>.size
            try learners.append(
                to: Int(hash % UInt64(state.partitions)), bytes: 2 + field.count + size + attributes.count
            ) {
                $0.storeBytes(of: UInt16(field.count), as: UInt16.self)
                ($0 + 2).copyMemory(from: field.start, byteCount: field.count)
                ($0 + 2 + field.count).storeBytes(of: record, as: ProfileRecord.self)
                attributes.withUnsafeBytes { [at = $0 + 2 + field.count + size] in
                    if let base = $0.baseAddress { at.copyMemory(from: base, byteCount: $0.count) }
                }
            }
        }
    }
}

extension InputFile {
    /// What a watch time is multiplied by, and whether the result is a share of the course's duration.
    var watchTimeForm: (scale: Double, isShare: Bool) {
        let column = columns.first { $0.mapping.target == "watched_seconds" }
        guard case .watchTime(let form)? = column?.mapping.conversion else { return (1, false) }
        switch form {
        case .amount(let scale): return (scale, false)
        case .share(let scale): return (scale, true)
        }
    }
}

/// Reads an engagement's label by the mapping's rule.
struct LabelReader {
    private let index: Int
    private let threshold: Double?
    private let values: [(bytes: [UInt8], label: UInt8)]

    init(_ source: RowSource) {
        index = source.index("label")!
        switch source.conversion("label") {
        case .label(.positiveFrom(let threshold))?: (self.threshold, values) = (threshold, [])
        case .label(.byValue(let map))?:
            (threshold, values) = (nil, map.sorted { $0.key < $1.key }.map { (Array($0.key.utf8), $0.value) })
        default: preconditionFailure("no rule for labels")
        }
    }

    @inline(__always)
    func read(_ source: RowSource, _ label: inout UInt8) -> RowFault? {
        let field = source.field(index)
        if let threshold {
            guard let value = field.number, value.isFinite else { return .notANumber("label", field) }
            // 1 is a positive, 3 a stated negative (EngagementLabel).
            label = value >= threshold ? 1 : 3
            return nil
        }
        for value in values where field.equals(value.bytes) {
            label = value.label
            return nil
        }
        return .noLabel(field)
    }
}
