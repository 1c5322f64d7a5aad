import Platform

/// One usable row of the catalogue.
struct CourseRow: Sendable {
    var id: [UInt8]
    /// The row counts from then on; `Int64.min` means always.
    var validFrom: Int64
    /// `Int64.min` means always.
    var publishedAt: Int64
    /// `Int64.max` means never.
    var retiredAt: Int64
    /// Seconds; NaN means unknown.
    var duration: Double
    var title: [UInt8]
    var attributes: [UInt8]

    /// Decides between rows of one course that hold from the same moment.
    func precedes(_ other: CourseRow) -> Bool {
        if title != other.title { return title.lexicographicallyPrecedes(other.title) }
        if publishedAt != other.publishedAt { return publishedAt < other.publishedAt }
        if retiredAt != other.retiredAt { return retiredAt < other.retiredAt }
        if duration.bitPattern != other.duration.bitPattern { return duration.bitPattern < other.duration.bitPattern }
        return AttributeReader.precedes(attributes, other.attributes)
    }
}

/// Reads the rows of a catalogue file.
final class CourseParser {
    private let source: RowSource
    private let attributes: AttributeReader
    private let id: Int
    private let title: Int?
    private let published, retired, validFrom: TimeColumn?
    private let duration: (index: Int, scale: Double)?

    init(_ file: InputFile, _ schema: AttributeSchema) {
        source = RowSource(file)
        attributes = AttributeReader(source, schema)
        id = source.index("course_id")!
        title = source.index("title")
        published = TimeColumn(source, "published_at")
        retired = TimeColumn(source, "retired_at")
        validFrom = TimeColumn(source, "valid_from")
        if let index = source.index("duration_seconds"),
            case .duration(let scale)? = source.conversion("duration_seconds")
        {
            duration = (index, scale)
        } else {
            duration = nil
        }
    }

    func parse(_ block: RowBlock, rejects: inout Rejects, accepted: (CourseRow) -> Void) -> Int {
        source.cursor.start(block)
        var rows = 0
        while source.cursor.next() {
            rows += 1
            var row = CourseRow(
                id: [], validFrom: .min, publishedAt: .min, retiredAt: .max, duration: .nan, title: [], attributes: [])
            if let fault = read(&row) {
                rejects.add(file: source.file.number, line: source.cursor.line, fault)
            } else {
                accepted(row)
            }
        }
        return rows
    }

    private func read(_ row: inout CourseRow) -> RowFault? {
        if let fault = source.fault { return fault }
        let idField = source.field(id)
        if let fault = RowFault.ofId(idField, "course_id") { return fault }
        row.id = Array(idField.bytes)
        if let title {
            let field = source.field(title)
            if !field.isUTF8 { return .notUTF8("title") }
            row.title = Array(field.bytes)
        }
        if let fault = published?.read(source, into: &row.publishedAt) { return fault }
        if let fault = retired?.read(source, into: &row.retiredAt) { return fault }
        if let fault = validFrom?.read(source, into: &row.validFrom) { return fault }
        if let duration {
            let field = source.field(duration.index)
            if field.count > 0 {
                guard let value = field.number, value.isFinite else { return .notANumber("duration_seconds", field) }
                if value < 0 { return .negative("duration_seconds", field) }
                if value * duration.scale > RowFault.mostSeconds { return .tooLarge("duration_seconds", field) }
                // A duration of nothing is one that nobody entered.
                row.duration = value == 0 ? .nan : value * duration.scale
            }
        }
        return attributes.read(source, into: &row.attributes)
    }
}

/// A column of dates that may be empty.
struct TimeColumn {
    private let index: Int
    private let name: String
    private let form: Conversion.TimeForm

    /// nil if the mapping has no such column.
    init?(_ source: RowSource, _ name: String) {
        guard let index = source.index(name), case .time(let form)? = source.conversion(name) else { return nil }
        (self.index, self.name, self.form) = (index, name, form)
    }

    /// Leaves `time` as it is where the field is empty.
    func read(_ source: RowSource, into time: inout Int64) -> RowFault? {
        let field = source.field(index)
        if field.count == 0 { return nil }
        guard let value = field.time(form) else { return .notATime(name, field) }
        time = value
        return nil
    }
}

extension RowFault {
    /// What is wrong with an id.
    static func ofId(_ field: Field, _ column: String) -> RowFault? {
        if field.count == 0 { return .empty(column) }
        if field.count > longestId { return .tooLong(column) }
        return field.isUTF8 ? nil : .notUTF8(column)
    }
}
