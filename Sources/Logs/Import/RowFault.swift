/// Why a row cannot be used. Fields are quoted in the reason, so it must be taken before the cursor moves on.
enum RowFault {
    case quotes(String)
    case fieldCount(found: Int, expected: Int)
    case empty(String)
    case tooLong(String)
    case notUTF8(String)
    case notATime(String, Field)
    case outsideTime(String, Field)
    case notANumber(String, Field)
    case negative(String, Field)
    case tooLarge(String, Field)
    case notAList(String, Field)
    case unknownCourse(Field)
    case noLabel(Field)
    case noScope(Field)
    case nobody

    /// Ids longer than this are a sign of a wrong column.
    static let longestId = 1_000
    /// So are more seconds than these, some thirty years.
    static let mostSeconds = 1e9

    var reason: String {
        switch self {
        case .quotes(let problem): problem
        case .fieldCount(let found, let expected): "\(found) fields, the header has \(expected)"
        case .empty(let column): "\(column) is empty"
        case .tooLong(let column): "\(column) has more than \(Self.longestId) bytes"
        case .notUTF8(let column): "\(column) is not UTF-8"
        case .notATime(let column, let field): "\(column) is no time: \(Self.shown(field))"
        case .outsideTime(let column, let field): "\(column) is not within 1990 to 2100: \(Self.shown(field))"
        case .notANumber(let column, let field): "\(column) is no number: \(Self.shown(field))"
        case .negative(let column, let field): "\(column) is negative: \(Self.shown(field))"
        case .tooLarge(let column, let field): "\(column) is more than 1e9 seconds: \(Self.shown(field))"
        case .notAList(let column, let field): "\(column) is no list: \(Self.shown(field))"
        case .unknownCourse(let field): "course is not in the catalogue: \(Self.shown(field))"
        case .noLabel(let field): "label: no rule for \(Self.shown(field))"
        case .noScope(let field): "scope is not train, recommend or both: \(Self.shown(field))"
        case .nobody: "neither learner_id nor course_id"
        }
    }

    /// The beginning of a field, printable.
    private static func shown(_ field: Field) -> String {
        let text = Field(start: field.start, count: min(field.count, 60)).string
        let printable = String(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : Character($0) })
        return "\"" + printable + (field.count > 60 ? "…" : "") + "\""
    }
}

/// Rejected rows with their places, for `rejected.csv.gz`. Only so many are kept; all are counted.
struct Rejects: Sendable {
    struct Row: Sendable {
        /// Number of the file in the list of inputs.
        var file: Int
        var line: Int
        var reason: String
    }
    private(set) var rows: [Row] = []
    private(set) var count = 0
    static let mostKept = 100_000

    mutating func add(file: Int, line: Int, _ fault: RowFault) {
        count += 1
        if rows.count < Self.mostKept { rows.append(Row(file: file, line: line, reason: fault.reason)) }
    }

    mutating func add(file: Int, line: Int, reason: String) {
        count += 1
        if rows.count < Self.mostKept { rows.append(Row(file: file, line: line, reason: reason)) }
    }

    mutating func add(_ other: Rejects) {
        count += other.count
        rows += other.rows
    }

    /// In the order of files and lines.
    var sorted: [Row] { rows.sorted { ($0.file, $0.line, $0.reason) < ($1.file, $1.line, $1.reason) } }
}
