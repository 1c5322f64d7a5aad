import FoundationEssentials
import LinearAlgebra
import Platform
import ShardKinds
import Shards

/// The logs as seen from T: what the stage's manifest says, and each shard's tables.
package struct LogCut: Sendable {
    package let asOf: Int64
    /// Of the events before T.
    package let newestEvent: Int64
    /// Of all events.
    package let newestAfter: Int64
    package let shards: Int
    package let catalogue: Catalogue
    /// Courses that exist only from T on.
    package let catalogueAfter: Catalogue
    /// By column: `learners.<name>`, `courses.<name>`, `watches.channel`, `engagements.kind`, `engagements.channel`.
    package let dictionaries: [String: ValueDictionary]
    /// Values seen only from T on; their codes go on behind the others'.
    package let dictionariesAfter: [String: ValueDictionary]
    /// Learners known before T.
    package let learnerCount: Int
    /// Courses that are watched before their date of publication.
    package let publishedEarly: Int
    /// Rows by table, all times together: read = before T + from T on + rejected.
    package let accounts: [LogTable: Account]
    package let generalSuppressions: Suppressions
    package let hasEngagements: Bool
    package let hasSuppressions: Bool

    package struct Account: Sendable, Equatable {
        package var read: Int
        package var before: Int
        package var after: Int
        package var rejected: Int

        package init(read: Int, before: Int, after: Int, rejected: Int) {
            (self.read, self.before, self.after, self.rejected) = (read, before, after, rejected)
        }
    }

    private let state: ParsingState
    private let numbers: LearnerGroup.Numbers
    private let learnerAttributes: AttributeDictionaries
    private let suppressionTables: SuppressionTables

    init(
        _ logs: LogImport, asOf: Int64, read: [Int], rejected: [Int], suppressions: [SuppressionRow]
    ) throws {
        (self.asOf, state) = (asOf, logs.state)
        let survey = try Survey(logs.state, asOf: asOf, logs.workers)
        guard survey.counts.watches > 0 else {
            if read[LogTable.watches.index] == 0 {
                throw LecternError.data("no watches: their files have a header and nothing else; look at the export")
            }
            throw LecternError.data(
                "no watch lies before T \(Date(timeIntervalSince1970: Double(asOf)).formatted(.iso8601)): give AS_OF (run.as_of) a "
                    + "later time")
        }
        newestEvent = survey.counts.newest
        newestAfter = max(survey.counts.newest, survey.counts.newestLate)
        learnerCount = survey.learners
        shards = logs.settings.shards ?? LearnerHash.automaticShards(learners: survey.learners)
        let courses = CourseNumbers(
            entries: state.courses.entries, rows: logs.catalogue, schema: logs.courseSchema, asOf: asOf)
        (catalogue, catalogueAfter, publishedEarly) = (courses.catalogue, courses.after, courses.publishedEarly)
        learnerAttributes = survey.values.dictionaries()
        let watchChannels = FinalCodes(state.watchChannels, asOf: asOf)
        let engagementChannels = FinalCodes(state.engagementChannels, asOf: asOf)
        let kinds = FinalCodes(state.kinds, asOf: asOf)
        numbers = LearnerGroup.Numbers(
            course: courses.number, duration: courses.duration, watchChannel: watchChannels.codes,
            engagementChannel: engagementChannels.codes, kind: kinds.codes)
        var dictionaries = [
            "watches.channel": watchChannels.before, "engagements.channel": engagementChannels.before,
            "engagements.kind": kinds.before,
        ]
        for (name, values) in learnerAttributes.dictionaries { dictionaries["learners." + name] = values }
        for (name, values) in catalogue.dictionaries { dictionaries["courses." + name] = values }
        self.dictionaries = dictionaries
        dictionariesAfter = [
            "watches.channel": watchChannels.after, "engagements.channel": engagementChannels.after,
            "engagements.kind": kinds.after,
        ]
        hasEngagements = logs.files.contains { $0.table == .engagements }
        hasSuppressions = logs.files.contains { $0.table == .suppressions }
        suppressionTables = SuppressionTables(suppressions, courses: catalogue.ids)
        generalSuppressions = suppressionTables.general
        accounts = Self.accounts(
            read, rejected, survey.counts, courseRows: logs.catalogue ?? [], asOf, suppressions.count)
    }

    private static func accounts(
        _ read: [Int], _ rejected: [Int], _ counts: GroupCounts, courseRows: [CourseRow], _ asOf: Int64,
        _ suppressions: Int
    ) -> [LogTable: Account] {
        let lateCourses = courseRows.count { $0.validFrom >= asOf }
        let split: [LogTable: (Int, Int)] = [
            .watches: (counts.watches, counts.lateWatches),
            .engagements: (counts.engagements, counts.lateEngagements),
            .learners: (counts.profileRows - counts.lateProfileRows, counts.lateProfileRows),
            .courses: (courseRows.count - lateCourses, lateCourses), .suppressions: (suppressions, 0),
        ]
        var accounts: [LogTable: Account] = [:]
        for table in LogTable.allCases where read[table.index] > 0 {
            let (before, after) = split[table]!
            accounts[table] = Account(
                read: read[table.index], before: before, after: after, rejected: rejected[table.index])
            precondition(
                read[table.index] == before + after + rejected[table.index],
                "\(table): read \(read[table.index]), accounted for \(before) + \(after) + \(rejected[table.index])")
        }
        return accounts
    }

    /// The tables of one shard.
    package struct ShardTables: Sendable {
        package var learners: Learners
        package var watches: Watches
        package var engagements: Engagements
        package var suppressions: Suppressions
        /// Learners unknown before T; their rows go on behind the others'.
        package var learnersAfter: Learners
        package var watchesAfter: Watches
        package var engagementsAfter: Engagements
    }

    package func shard(_ shard: Int) throws -> ShardTables {
        let shards = shards
        let common = min(shards, state.partitions)
        let group = try LearnerGroup(
            state, partitions: (0..<state.partitions).filter { $0 % common == shard % common }, asOf: asOf,
            keepsEvents: true
        ) { LearnerHash.shard($0, of: shards) == shard }
        let rows = group.rows()
        let watches = group.watchTables(rows, numbers)
        let engagements = group.engagementTables(rows, numbers)
        return ShardTables(
            learners: Learners(ids: rows.known, attributes: learnerAttributes.encode(rows.attributes)),
            watches: watches.before, engagements: engagements.before,
            suppressions: suppressionTables.shard(shard, of: shards, learners: rows.known),
            learnersAfter: Learners(ids: rows.later, attributes: AttributeTable(rows: rows.later.count)),
            watchesAfter: watches.after, engagementsAfter: engagements.after)
    }
}

/// A first look at every partition: who is known before T, and which values their profiles have.
private struct Survey {
    var counts = GroupCounts()
    var learners = 0
    let values: AttributeValues

    init(_ state: ParsingState, asOf: Int64, _ workers: Workers) throws {
        let parts = try workers.map(state.partitions) { partition in
            let group = try LearnerGroup(state, partitions: [partition], asOf: asOf, keepsEvents: false) { _ in true }
            let values = AttributeValues(state.learnerSchema)
            for profile in group.profiles { if let profile { values.add(profile.attributes) } }
            return (group.counts, group.knownCount, values)
        }
        values = AttributeValues(state.learnerSchema)
        for (counts, learners, values) in parts {
            self.counts.add(counts)
            self.learners += learners
            self.values.add(values)
        }
    }
}

/// Values of a dictionary in byte order: those with an event before T first, then the others.
private struct FinalCodes {
    let before: ValueDictionary
    let after: ValueDictionary
    /// By the code given while parsing.
    let codes: [UInt32]

    init(_ table: CodeTable, asOf: Int64) {
        let entries = table.entries
        func sorted(_ isTaken: (Int64) -> Bool) -> [Int] {
            entries.indices.filter { isTaken(entries[$0].firstTime) }
                .sorted { entries[$0].bytes.lexicographicallyPrecedes(entries[$1].bytes) }
        }
        // A value only of rejected rows has no event at all.
        let early = sorted { $0 < asOf }
        let late = sorted { $0 >= asOf && $0 < .max }
        var codes = [UInt32](repeating: noCode, count: entries.count)
        for (i, entry) in (early + late).enumerated() { codes[entry] = UInt32(i) }
        self.codes = codes
        before = ValueDictionary(values: early.map { String(decoding: entries[$0].bytes, as: UTF8.self) })
        after = ValueDictionary(values: late.map { String(decoding: entries[$0].bytes, as: UTF8.self) })
    }
}
