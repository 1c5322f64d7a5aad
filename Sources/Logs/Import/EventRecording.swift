import ShardKinds
import Shards

/// The sound rows of a block of events, in order, and what was wrong with the others: what the file alone says, before
/// catalogue or T are asked. Codes are those of this process.
final class EventRecording: @unchecked Sendable {
    let firstLine: Int
    @exclusivity(unchecked) fileprivate var idBytes: [UInt8] = []
    @exclusivity(unchecked) fileprivate var idEnds: [Int] = [0]
    @exclusivity(unchecked) fileprivate var courses: [UInt32] = []
    @exclusivity(unchecked) fileprivate var channels: [UInt32] = []
    @exclusivity(unchecked) fileprivate var kinds: [UInt32] = []
    @exclusivity(unchecked) fileprivate var labels: [UInt8] = []
    @exclusivity(unchecked) fileprivate var times: [Int64] = []
    @exclusivity(unchecked) fileprivate var values: [Double] = []
    @exclusivity(unchecked) fileprivate var lines: [Int64] = []
    @exclusivity(unchecked) fileprivate var rejects: [(line: Int, reason: String)] = []

    init(firstLine: Int) { self.firstLine = firstLine }

    var bytes: Int { times.count * 53 + idBytes.count + rejects.count * 100 }

    func append(_ event: Event) {
        idBytes.append(contentsOf: event.learner.bytes)
        idEnds.append(idBytes.count)
        courses.append(event.course)
        channels.append(event.channel)
        kinds.append(event.kind)
        labels.append(event.label)
        times.append(event.time)
        values.append(event.value)
        lines.append(Int64(event.line))
    }

    func reject(line: Int, _ fault: RowFault) { rejects.append((line, fault.reason)) }
}

/// The parsed rows of one file of watches or engagements, with dictionaries of its own.
struct CachedEvents {
    var learners = Ragged<UInt8>()
    var courses = Ragged<UInt8>()
    var channels = Ragged<UInt8>()
    var kinds = Ragged<UInt8>()
    /// Rows; codes are places in the dictionaries, `noCode` stands for an empty field.
    var learner: [UInt32] = []
    var course: [UInt32] = []
    var channel: [UInt32] = []
    var kind: [UInt32] = []
    var label: [UInt8] = []
    var time: [Int64] = []
    var value: [Double] = []
    var line: [Int64] = []
    var rejectLine: [Int64] = []
    var rejectReason = Ragged<UInt8>()

    /// Puts the pieces of a file together.
    init(_ pieces: [EventRecording], _ table: LogTable, _ state: ParsingState) {
        let ids = IdTable(expected: 1 << 12)
        for piece in pieces {
            piece.idBytes.withUnsafeBufferPointer { bytes in
                for row in piece.times.indices {
                    let (begin, end) = (piece.idEnds[row], piece.idEnds[row + 1])
                    let field = Field(start: bytes.baseAddress! + begin, count: end - begin)
                    learner.append(UInt32(ids.insert(field, hash: field.quickHash)))
                }
            }
            time += piece.times
            value += piece.values
            label += piece.labels
            line += piece.lines
            for (line, reason) in piece.rejects {
                rejectLine.append(Int64(line))
                rejectReason.append(reason.utf8)
            }
        }
        for entry in 0..<ids.count { learners.append(ids[entry].bytes) }
        (course, courses) = Self.local(pieces.map(\.courses), state.courses)
        (channel, channels) = Self.local(
            pieces.map(\.channels), table == .watches ? state.watchChannels : state.engagementChannels)
        (kind, kinds) = Self.local(pieces.map(\.kinds), state.kinds)
    }

    /// Replaces the process's codes by places in a dictionary of those that occur, in order of their first row.
    private static func local(_ parts: [[UInt32]], _ table: CodeTable) -> ([UInt32], Ragged<UInt8>) {
        var places: [UInt32] = []
        var used: [UInt32] = []
        var codes: [UInt32] = []
        codes.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for code in parts.joined() {
            if code == noCode {
                codes.append(noCode)
                continue
            }
            while places.count <= Int(code) { places.append(noCode) }
            if places[Int(code)] == noCode {
                places[Int(code)] = UInt32(used.count)
                used.append(code)
            }
            codes.append(places[Int(code)])
        }
        var strings = Ragged<UInt8>()
        for string in table.strings(used) { strings.append(string) }
        return (codes, strings)
    }
}

// MARK: As shards

extension CachedEvents {
    private static var dictionaries: [(name: String, field: WritableKeyPath<CachedEvents, Ragged<UInt8>>)] {
        [("learners", \.learners), ("courses", \.courses), ("channels", \.channels), ("kinds", \.kinds)]
    }

    /// By file name.
    var shards: [String: ShardBuilder] {
        var rows = ShardBuilder(kind: "parsed-events", rows: time.count)
        rows.add("learner", learner)
        rows.add("course", course)
        rows.add("channel", channel)
        rows.add("kind", kind)
        rows.add("label", label)
        rows.add("time", time)
        rows.add("value", value)
        rows.add("line", line)
        var rejects = ShardBuilder(kind: "parsed-rejects", rows: rejectLine.count)
        rejects.add("line", rejectLine)
        rejects.add("reason", rejectReason)
        var all = ["rows": rows, "rejects": rejects]
        for (name, field) in Self.dictionaries {
            let strings = self[keyPath: field]
            var shard = ShardBuilder(kind: "dictionary", rows: strings.count)
            shard.add("value", strings)
            all[name] = shard
        }
        return all
    }

    /// - Parameter shard: reads a file by name.
    /// - Throws: `.badData` where a code points nowhere.
    init(_ shard: (String) throws -> Shard) throws {
        let rows = try shard("rows")
        learner = try rows.values("learner")
        course = try rows.values("course")
        channel = try rows.values("channel")
        kind = try rows.values("kind")
        label = try rows.values("label")
        time = try rows.values("time")
        value = try rows.values("value")
        line = try rows.values("line")
        let rejects = try shard("rejects")
        rejectLine = try rejects.values("line")
        rejectReason = try rejects.ragged("reason")
        for (name, field) in Self.dictionaries { self[keyPath: field] = try shard(name).ragged("value") }
        let inRange =
            learner.allSatisfy { $0 < learners.count } && course.allSatisfy { $0 < courses.count }
            && channel.allSatisfy { $0 < channels.count || $0 == noCode }
            && kind.allSatisfy { $0 < kinds.count || $0 == noCode }
            && time.allSatisfy { $0 >= EventTimes.earliest && $0 < EventTimes.latest }
        guard inRange else { throw LecternError.data("\(rows.name): a code or time is out of range") }
    }
}

extension ParsingThread {
    /// Does with a file's cached rows what parsing them would do.
    func replay(_ cached: CachedEvents, _ file: InputFile) throws {
        let (isWatches, isShare) = (file.table == .watches, file.watchTimeForm.isShare)
        let channels = isWatches ? watchChannels : engagementChannels
        rows.read[file.table.index] += cached.time.count + cached.rejectLine.count
        for i in cached.rejectLine.indices {
            rejects[file.table.index].add(
                file: file.number, line: Int(cached.rejectLine[i]), reason: cached.rejectReason.string(i))
        }
        try cached.learners.withFields { learners in
            let hashes = learners.map(\.hash)
            try cached.courses.withFields { courses in
                let courseCodes = courses.map { self.courses.find($0)! }
                let channelCodes = cached.channels.withFields { $0.map { channels.find($0)! } }
                let kindCodes = cached.kinds.withFields { $0.map { kinds.find($0)! } }
                for i in cached.time.indices {
                    let (learner, course) = (Int(cached.learner[i]), Int(cached.course[i]))
                    var event = Event(learner: learners[learner], courseField: courses[course])
                    event.hash = hashes[learner]
                    event.time = cached.time[i]
                    event.course = courseCodes[course]
                    if cached.channel[i] != noCode { event.channel = channelCodes[Int(cached.channel[i])] }
                    if cached.kind[i] != noCode { event.kind = kindCodes[Int(cached.kind[i])] }
                    event.value = cached.value[i]
                    event.label = cached.label[i]
                    event.line = Int(cached.line[i])
                    if isWatches {
                        try acceptWatch(event, file, isShare: isShare)
                    } else {
                        try acceptEngagement(event, file)
                    }
                }
            }
        }
    }
}

extension Ragged where Element == UInt8 {
    /// Calls `body` with every string as a field; they are valid within it.
    fileprivate func withFields<Result>(_ body: ([Field]) throws -> Result) rethrows -> Result {
        try values.withUnsafeBufferPointer { bytes in
            // An empty column has no bytes, and then only empty fields.
            let base = bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!
            return try body((0..<count).map { Field(start: base + Int(offsets[$0]), count: range($0).count) })
        }
    }
}
