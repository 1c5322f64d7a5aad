import Platform

/// Opt-outs and embargoes as read; ids are still text.
struct SuppressionRow: Sendable {
    /// Empty: all learners.
    var learner: [UInt8]
    /// Empty: all courses.
    var course: [UInt8]
    var scope: UInt8
}

enum SuppressionParser {
    /// - Parameters:
    ///   - catalogue: ids of all its courses, whenever they hold; nil: there is none.
    ///   - purged: grows by the rows about other courses.
    static func parse(
        _ block: RowBlock, _ file: InputFile, catalogue: Set<[UInt8]>?, purged: inout Int, rejects: inout Rejects,
        into rows: inout [SuppressionRow]
    ) -> Int {
        let source = RowSource(file)
        let learner = source.index("learner_id")
        let course = source.index("course_id")
        let scope = source.index("scope")!
        var count = 0
        source.cursor.start(block)
        while source.cursor.next() {
            count += 1
            var row = SuppressionRow(learner: [], course: [], scope: 0)
            if let fault = source.fault ?? read(source, learner, "learner_id", &row.learner)
                ?? read(source, course, "course_id", &row.course) ?? read(source, scope, &row)
            {
                rejects.add(file: file.number, line: source.cursor.line, fault)
            } else if let catalogue, let course, !row.course.isEmpty, !catalogue.contains(row.course) {
                purged += 1
                rejects.add(file: file.number, line: source.cursor.line, .unknownCourse(source.field(course)))
            } else {
                rows.append(row)
            }
        }
        return count
    }

    private static func read(_ source: RowSource, _ index: Int?, _ name: String, _ id: inout [UInt8]) -> RowFault? {
        guard let index else { return nil }
        let field = source.field(index)
        if field.count == 0 { return nil }
        if let fault = RowFault.ofId(field, name) { return fault }
        id = Array(field.bytes)
        return nil
    }

    private static func read(_ source: RowSource, _ scope: Int, _ row: inout SuppressionRow) -> RowFault? {
        if row.learner.isEmpty && row.course.isEmpty { return .nobody }
        let field = source.field(scope)
        guard let known = SuppressionScope.allCases.first(where: { field.equals(Array($0.name.utf8)) }) else {
            return .noScope(field)
        }
        row.scope = known.rawValue
        return nil
    }
}

/// Suppressions by learner shard, and those that concern all learners.
struct SuppressionTables {
    /// Sorted by (course, scope).
    private(set) var general = Suppressions.none
    /// Rows about learners, by hash of the id; resolved when their shard is written.
    private let personal: [(learner: [UInt8], hash: UInt64, course: UInt32, scope: UInt8)]

    /// Rows about courses of which nothing holds before T have no effect.
    /// - Parameter courses: ids of the courses before T, in the order of their numbers.
    init(_ rows: [SuppressionRow], courses: [String]) {
        let numbers = Dictionary(uniqueKeysWithValues: courses.enumerated().map { (Array($1.utf8), UInt32($0)) })
        var personal: [(learner: [UInt8], hash: UInt64, course: UInt32, scope: UInt8)] = []
        var general: [(course: UInt32, scope: UInt8)] = []
        for row in rows {
            guard let course = row.course.isEmpty ? noCode : numbers[row.course] else { continue }
            if row.learner.isEmpty {
                general.append((course, row.scope))
            } else {
                personal.append((row.learner, LearnerHash.of(row.learner), course, row.scope))
            }
        }
        general.sort { ($0.course, $0.scope) < ($1.course, $1.scope) }
        for row in general { self.general.append(learner: noCode, course: row.course, scope: row.scope) }
        self.personal = personal
    }

    /// Those of one shard, sorted by (learner, course, scope). Learners who are not among `learners` have none.
    func shard(_ shard: Int, of shards: Int, learners: [String]) -> Suppressions {
        let mine = personal.filter { LearnerHash.shard($0.hash, of: shards) == shard }
        if mine.isEmpty { return .none }
        let rows = Dictionary(uniqueKeysWithValues: learners.enumerated().map { (Array($1.utf8), UInt32($0)) })
        let found = mine.compactMap { item in rows[item.learner].map { ($0, item.course, item.scope) } }.sorted {
            $0 < $1
        }
        var table = Suppressions.none
        for (learner, course, scope) in found { table.append(learner: learner, course: course, scope: scope) }
        return table
    }
}
