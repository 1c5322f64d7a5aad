import Platform
import Shards
import Yams

/// What a source takes over from the document when it does not say it itself.
struct SourceDefaults {
    var delimiter = [UInt8(ascii: ",")]
    var quoted = true
    var latin1 = false
    var nullMarks: [String] = []

    /// Names of the columns of files without a header row.
    var header: [String]?
    var repeatsLast = false

    static let keys = ["delimiter", "quotes", "encoding", "null_marks", "header", "repeat_last"]

    init() {}

    init(_ reader: MappingReader, inherited: SourceDefaults) throws {
        self = inherited
        if let text = try reader.text("delimiter") { delimiter = try Self.delimiter(text, reader) }
        if let value = try reader.choice("quotes", ["rfc4180": true, "none": false]) { quoted = value }
        if let value = try reader.choice("encoding", ["utf-8": false, "latin-1": true]) { latin1 = value }
        if let marks = try reader.texts("null_marks") { nullMarks = marks }
        if let names = try reader.texts("header") { header = names }
        if let repeats = try reader.boolean("repeat_last") { repeatsLast = repeats }
    }

    private static let names: KeyValuePairs<String, UInt8> = [
        "comma": 0x2c, "tab": 0x09, "semicolon": 0x3b, "pipe": 0x7c, "blank": 0x20,
    ]

    /// One byte; or a character that separates fields where it stands twice: `"::"`.
    private static func delimiter(_ text: String, _ reader: MappingReader) throws -> [UInt8] {
        let bytes = Array(text.utf8)
        let isPair = bytes.count == 2 && bytes[0] == bytes[1]
        let byte = try byte(isPair ? String(text.prefix(1)) : text, reader, "delimiter")
        return isPair ? [byte, byte] : [byte]
    }

    /// A separator, by name or as the character itself.
    static func byte(_ text: String, _ reader: MappingReader, _ key: String) throws -> UInt8 {
        if let named = names.first(where: { $0.key == text }) { return named.value }
        let bytes = Array(text.utf8)
        guard bytes.count == 1, bytes[0] < 0x80, ![0x0a, 0x0d, 0x22].contains(bytes[0]) else {
            throw reader.error(
                key, "found \"\(text)\", allowed are \(names.map(\.key).joined(separator: ", ")) or one ASCII character"
            )
        }
        return bytes[0]
    }
}

extension SourceMapping {
    init(_ node: Node, _ table: LogTable, index: Int, file: String, _ inherited: SourceDefaults) throws {
        label = index == 0 ? table.rawValue : "\(table.rawValue).\(index + 1)"
        let reader = try MappingReader(
            node, file: file, path: label,
            known: ["files", "optional"] + SourceDefaults.keys + ["columns", "other_columns", "list_separator"])
        let defaults = try SourceDefaults(reader, inherited: inherited)
        self.table = table
        (delimiter, quoted, nullMarks) = (defaults.delimiter, defaults.quoted, defaults.nullMarks)
        latin1 = defaults.latin1
        if delimiter.count == 2 && quoted { throw reader.error(nil, "a doubled delimiter needs quotes: none") }
        files = try reader.texts("files") ?? []
        guard !files.isEmpty,
            files.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("/") && !$0.split(separator: "/").contains("..") })
        else {
            throw reader.error(
                "files", "expected file names or patterns with *, relative to the data folder, and none above it")
        }
        optional = try reader.boolean("optional") ?? false
        (header, repeatsLast) = (defaults.header, defaults.repeatsLast)
        if repeatsLast && (quoted || header == nil) {
            throw reader.error(nil, "repeat_last needs quotes: none and header: (the names of the columns)")
        }
        others = try Self.others(reader, table)
        columns = try Self.columns(reader, table)
    }

    private static func others(_ reader: MappingReader, _ table: LogTable) throws -> OtherColumns {
        let taken = try reader.choice("other_columns", ["ignore": false, "by_header": true]) ?? false
        guard taken else { return .ignored }
        guard table.takesAttributes else {
            throw reader.error(
                "other_columns", "\(table.rawValue) have no further columns; only learners and courses do")
        }
        let separator = try reader.text("list_separator").map {
            try SourceDefaults.byte($0, reader, "list_separator")
        }
        return .byHeader(listSeparator: separator ?? UInt8(ascii: "|"))
    }

    private static func columns(_ source: MappingReader, _ table: LogTable) throws -> [ColumnMapping] {
        let fixed = table.columns
        let reader = try MappingReader(
            source.required("columns"), file: source.file, path: source.path + ": columns",
            known: table.takesAttributes ? nil : fixed.map(\.name))
        for column in fixed where column.required && reader.value(column.name) == nil {
            throw reader.error(nil, "column \"\(column.name)\" is missing")
        }
        if table == .suppressions && reader.value("learner_id") == nil && reader.value("course_id") == nil {
            throw reader.error(nil, "column \"learner_id\" or \"course_id\" is needed")
        }
        return try reader.keys.filter { reader.value($0) != nil }.map { key in
            let fixedColumn = fixed.first { $0.name == key }
            if fixedColumn == nil && !AttributeName.isAllowed(key) {
                throw reader.error(key, "attribute names are \(AttributeName.allowed)")
            }
            return try ColumnMapping(
                reader, key, fixedColumn?.content ?? .category, isAttribute: fixedColumn.map(\.isAttribute) ?? true,
                free: fixedColumn == nil)
        }
    }
}

extension LogTable.Column {
    /// `segment` and `language` have a fixed meaning and are stored beside the other attributes.
    var isAttribute: Bool { name == "segment" || name == "language" }
}

/// Names of profile and metadata columns: they become names of tensors and dictionary files.
enum AttributeName {
    static let allowed =
        "lower-case letters, digits and _, starting with a letter, at most 64; not offsets and not valid"
    /// What tensors beside an attribute's own are called.
    private static let taken: Set = ["offsets", "valid"]

    static func isAllowed(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, (97...122).contains(first), bytes.count <= 64, !taken.contains(name) else {
            return false
        }
        return bytes.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5f }
    }

    /// A header as an attribute's name: what is not allowed becomes `_`.
    static func from(header: String) -> String {
        let bytes = header.utf8.prefix(64).map { byte -> UInt8 in
            let lower = (65...90).contains(byte) ? byte + 32 : byte
            return (97...122).contains(lower) || (48...57).contains(lower) ? lower : 0x5f
        }
        let name = String(decoding: bytes, as: UTF8.self)
        return isAllowed(name) ? name : "x" + name.prefix(63)
    }
}
