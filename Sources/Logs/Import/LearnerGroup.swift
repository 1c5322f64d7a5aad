import Foundation

/// The learners of one partition or shard with what the logs say about them.
final class LearnerGroup {
    /// The newest profile row before T.
    struct Profile {
        var validFrom: Int64
        var attributes: [UInt8]
    }

    struct WatchRow {
        /// Entry in `ids`, later the row of the learner.
        var learner: UInt32
        var record: WatchRecord
    }

    struct EngagementRow {
        var learner: UInt32
        var record: EngagementRecord
    }

    let ids = IdTable(expected: 1 << 12)
    /// By entry: has a profile row or an event before T.
    @exclusivity(unchecked) private(set) var isKnown: [Bool] = []
    @exclusivity(unchecked) private(set) var hasLateEvent: [Bool] = []
    @exclusivity(unchecked) private(set) var profiles: [Profile?] = []
    @exclusivity(unchecked) private(set) var watches: [WatchRow] = []
    @exclusivity(unchecked) private(set) var engagements: [EngagementRow] = []
    @exclusivity(unchecked) private(set) var counts = GroupCounts()
    let asOf: Int64
    private let keepsEvents: Bool

    /// - Parameters:
    ///   - partitions: those in which the learners' records lie.
    ///   - keepsEvents: whether `watches` and `engagements` are wanted, or only counts.
    ///   - belongs: by hash; false leaves a learner out.
    init(
        _ state: ParsingState, partitions: [Int], asOf: Int64, keepsEvents: Bool, belongs: (UInt64) -> Bool
    ) throws {
        self.asOf = asOf
        self.keepsEvents = keepsEvents
        for partition in partitions {
            try state.learners.read(partition) { try addProfiles($0, belongs) }
            try state.watches.read(partition) { addWatches($0, belongs) }
            try state.engagements.read(partition) { addEngagements($0, belongs) }
        }
    }

    /// Calls `body` with every record of a piece of a spill; it returns the bytes that follow the record.
    @inline(__always)
    private static func forEach<Record: BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ type: Record.Type, _ body: (Field, Record, UnsafeRawPointer) -> Int
    ) {
        guard let base = bytes.baseAddress else { return }
        var at = 0
        while at < bytes.count {
            let length = Int((base + at).loadUnaligned(as: UInt16.self))
            let id = Field(start: (base + at + 2).assumingMemoryBound(to: UInt8.self), count: length)
            let record = (base + at + 2 + length).loadUnaligned(as: Record.self)
            at += 2 + length + MemoryLayout<Record>.size
            at += body(id, record, base + at)
        }
    }

    @inline(__always)
    private func entry(_ id: Field, _ hash: UInt64) -> Int {
        let entry = ids.insert(id, hash: hash)
        if entry == isKnown.count {
            isKnown.append(false)
            hasLateEvent.append(false)
            profiles.append(nil)
        }
        return entry
    }

    private func addProfiles(_ bytes: UnsafeRawBufferPointer, _ belongs: (UInt64) -> Bool) throws {
        Self.forEach(bytes, ProfileRecord.self) { id, record, rest in
            let hash = id.hash
            guard belongs(hash) else { return record.attributeBytes }
            counts.profileRows += 1
            guard record.validFrom < asOf else {
                counts.lateProfileRows += 1
                return record.attributeBytes
            }
            let entry = entry(id, hash)
            isKnown[entry] = true
            let attributes = Array(UnsafeRawBufferPointer(start: rest, count: record.attributeBytes))
            let profile = Profile(validFrom: record.validFrom, attributes: attributes)
            if profiles[entry].map({ Self.replaces(profile, $0) }) ?? true { profiles[entry] = profile }
            return record.attributeBytes
        }
    }

    /// The newest row counts; of several from one moment the bytewise first.
    private static func replaces(_ new: Profile, _ old: Profile) -> Bool {
        new.validFrom != old.validFrom
            ? new.validFrom > old.validFrom : AttributeReader.precedes(new.attributes, old.attributes)
    }

    private func addWatches(_ bytes: UnsafeRawBufferPointer, _ belongs: (UInt64) -> Bool) {
        Self.forEach(bytes, WatchRecord.self) { id, record, _ in
            let hash = id.hash
            guard belongs(hash) else { return 0 }
            let entry = entry(id, hash)
            if note(entry, record.time) { counts.watches += 1 } else { counts.lateWatches += 1 }
            if keepsEvents { watches.append(WatchRow(learner: UInt32(entry), record: record)) }
            return 0
        }
    }

    private func addEngagements(_ bytes: UnsafeRawBufferPointer, _ belongs: (UInt64) -> Bool) {
        Self.forEach(bytes, EngagementRecord.self) { id, record, _ in
            let hash = id.hash
            guard belongs(hash) else { return 0 }
            let entry = entry(id, hash)
            if note(entry, record.time) { counts.engagements += 1 } else { counts.lateEngagements += 1 }
            if keepsEvents { engagements.append(EngagementRow(learner: UInt32(entry), record: record)) }
            return 0
        }
    }

    /// - Returns: whether the event lies before T.
    @inline(__always)
    private func note(_ entry: Int, _ time: Int64) -> Bool {
        if time < asOf {
            isKnown[entry] = true
            counts.newest = max(counts.newest, time)
            return true
        }
        hasLateEvent[entry] = true
        counts.newestLate = max(counts.newestLate, time)
        return false
    }

    var knownCount: Int { isKnown.reduce(0) { $0 + ($1 ? 1 : 0) } }
}

/// Rows of a group of learners, before T and from T on.
struct GroupCounts: Sendable {
    var profileRows = 0
    var lateProfileRows = 0
    var watches = 0
    var lateWatches = 0
    var engagements = 0
    var lateEngagements = 0
    var newest = Int64.min
    var newestLate = Int64.min

    mutating func add(_ other: GroupCounts) {
        profileRows += other.profileRows
        lateProfileRows += other.lateProfileRows
        watches += other.watches
        lateWatches += other.lateWatches
        engagements += other.engagements
        lateEngagements += other.lateEngagements
        newest = max(newest, other.newest)
        newestLate = max(newestLate, other.newestLate)
    }
}
