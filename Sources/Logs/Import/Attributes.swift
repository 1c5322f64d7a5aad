import Platform
import Shards

/// Profile or metadata columns of a table, over all of its files, sorted by name.
struct AttributeSchema: Sendable {
    struct Column: Sendable, Equatable {
        let name: String
        let kind: Kind
    }

    enum Kind: Sendable {
        case category
        case number
        case list
        case text
    }

    let columns: [Column]

    /// - Throws: `.badData` where two files disagree about a column's type.
    init(_ files: [InputFile]) throws {
        var kinds: [String: Kind] = [:]
        for file in files {
            for column in file.columns.map(\.mapping) where column.isAttribute {
                let kind = Self.kind(column.conversion)
                if let known = kinds[column.target], known != kind {
                    throw LecternError.data(
                        "\(file.path):1: column \"\(column.target)\" is a \(kind) here, a \(known) in another file")
                }
                kinds[column.target] = kind
            }
        }
        columns = kinds.keys.sorted().map { Column(name: $0, kind: kinds[$0]!) }
    }

    private static func kind(_ conversion: Conversion) -> Kind {
        switch conversion {
        case .number: .number
        case .list: .list
        case .text: .text
        default: .category
        }
    }
}

/// The attributes of a row as bytes: for each column with a value its number (2 bytes), a length (4) and the value;
/// within a list each value with its own length (4).
struct AttributeReader {
    private let parts: [(index: Int, column: UInt16, name: String, conversion: Conversion)]

    init(_ source: RowSource, _ schema: AttributeSchema) {
        parts = source.file.columns.enumerated().compactMap { at, column in
            guard column.mapping.isAttribute else { return nil }
            let number = schema.columns.firstIndex { $0.name == column.mapping.target }!
            return (source.index(ofColumn: at), UInt16(number), column.mapping.target, column.mapping.conversion)
        }.sorted { $0.column < $1.column }
    }

    func read(_ source: RowSource, into out: inout [UInt8]) -> RowFault? {
        for part in parts {
            let field = source.field(part.index)
            if field.count == 0 { continue }
            if !field.isUTF8 { return .notUTF8(part.name) }
            switch part.conversion {
            case .list(let form):
                guard let list = Self.list(field, form) else { return .notAList(part.name, field) }
                if !list.isEmpty { Self.append(part.column, list, to: &out) }
            case .number:
                guard let value = field.number, value.isFinite else { return .notANumber(part.name, field) }
                Self.append(part.column, Array(field.bytes), to: &out)
            default:
                Self.append(part.column, Array(field.bytes), to: &out)
            }
        }
        return nil
    }

    /// Values with their lengths, or nil if the text is no list.
    private static func list(_ field: Field, _ form: Conversion.ListForm) -> [UInt8]? {
        var out: [UInt8] = []
        switch form {
        case .split(let separator):
            field.split(at: separator) {
                appendLength($0.count, to: &out)
                out += $0.bytes
            }
        case .bracketed:
            guard let values = field.bracketedList else { return nil }
            for value in values where !value.isEmpty {
                appendLength(value.count, to: &out)
                out += value
            }
        }
        return out
    }

    private static func append(_ column: UInt16, _ value: [UInt8], to out: inout [UInt8]) {
        out += [UInt8(column >> 8), UInt8(column & 255)]
        appendLength(value.count, to: &out)
        out += value
    }

    private static func appendLength(_ length: Int, to out: inout [UInt8]) {
        for shift in [24, 16, 8, 0] { out.append(UInt8(truncatingIfNeeded: length >> shift)) }
    }

    /// Calls `body` with each column that has a value.
    static func forEach(_ bytes: [UInt8], _ body: (Int, ArraySlice<UInt8>) -> Void) {
        var at = 0
        while at < bytes.count {
            let column = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            let length = Self.length(bytes, at + 2)
            body(column, bytes[(at + 6)..<(at + 6 + length)])
            at += 6 + length
        }
    }

    /// Which of two rows with one id stays: the first by the bytes of their values, column by column; no value comes
    /// before any.
    static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        func values(_ row: [UInt8]) -> [Int: ArraySlice<UInt8>] {
            var values: [Int: ArraySlice<UInt8>] = [:]
            forEach(row) { values[$0] = $1 }
            return values
        }
        let (left, right) = (values(a), values(b))
        for column in Set(left.keys).union(right.keys).sorted() {
            let (x, y) = (left[column] ?? [], right[column] ?? [])
            if x != y { return x.lexicographicallyPrecedes(y) }
        }
        return false
    }

    static func forEachInList(_ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let length = Self.length(bytes, at)
            body(bytes[(at + 4)..<(at + 4 + length)])
            at += 4 + length
        }
    }

    private static func length<Bytes: RandomAccessCollection>(_ bytes: Bytes, _ at: Int) -> Int
    where Bytes.Element == UInt8, Bytes.Index == Int {
        Int(bytes[at]) << 24 | Int(bytes[at + 1]) << 16 | Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
    }
}

/// The distinct values of categorical and list columns of the rows that are kept; only these get into dictionaries.
final class AttributeValues {
    private let schema: AttributeSchema
    private let tables: [IdTable]

    init(_ schema: AttributeSchema) {
        self.schema = schema
        tables = schema.columns.map { _ in IdTable() }
    }

    func add(_ row: [UInt8]) {
        AttributeReader.forEach(row) { column, value in
            switch schema.columns[column].kind {
            case .category: insert(value, column)
            case .list: AttributeReader.forEachInList(value) { insert($0, column) }
            case .number, .text: break
            }
        }
    }

    func add(_ other: AttributeValues) {
        for column in tables.indices {
            for entry in 0..<other.tables[column].count {
                _ = tables[column].insert(other.tables[column][entry], hash: other.tables[column].hash(entry))
            }
        }
    }

    private func insert(_ value: ArraySlice<UInt8>, _ column: Int) {
        value.withUnsafeBufferPointer {
            let field = Field(start: $0.baseAddress!, count: $0.count)
            _ = tables[column].insert(field, hash: field.hash)
        }
    }

    func dictionaries() -> AttributeDictionaries {
        AttributeDictionaries(
            schema,
            values: tables.map { table in table.sorted().map { Array(table[$0].bytes) } })
    }
}

/// Dictionaries of a table's columns, and rows encoded with them.
struct AttributeDictionaries: Sendable {
    private let schema: AttributeSchema
    private let codes: [[[UInt8]: UInt32]]
    /// By column name; only categorical and list columns.
    let dictionaries: [String: ValueDictionary]

    init(_ schema: AttributeSchema, values: [[[UInt8]]]) {
        self.schema = schema
        codes = values.map { Dictionary(uniqueKeysWithValues: $0.enumerated().map { ($1, UInt32($0)) }) }
        var dictionaries: [String: ValueDictionary] = [:]
        for (i, column) in schema.columns.enumerated() where column.kind == .category || column.kind == .list {
            dictionaries[column.name] = ValueDictionary(values: values[i].map { String(decoding: $0, as: UTF8.self) })
        }
        self.dictionaries = dictionaries
    }

    /// - Parameter rows: as `AttributeReader` writes them; empty for a row without attributes.
    func encode(_ rows: [[UInt8]]) -> AttributeTable {
        var columns = schema.columns.map { ColumnBuilder($0.kind, rows: rows.count) }
        for row in rows {
            for i in columns.indices { columns[i].startRow() }
            AttributeReader.forEach(row) { column, value in
                switch schema.columns[column].kind {
                case .category: columns[column].add(code: codes[column][Array(value)]!)
                case .list:
                    AttributeReader.forEachInList(value) { columns[column].add(code: codes[column][Array($0)]!) }
                case .number: columns[column].add(number: value)
                case .text: columns[column].add(text: value)
                }
            }
        }
        return AttributeTable(
            rows: rows.count,
            columns: Dictionary(uniqueKeysWithValues: zip(schema.columns.map(\.name), columns.map { $0.finished() })))
    }
}

/// One column while its rows come in.
private struct ColumnBuilder {
    private let kind: AttributeSchema.Kind
    private var valid: [Bool] = []
    private var numbers: [Double] = []
    private var codes: [UInt32] = []
    private var offsets: [Int] = []
    private var bytes: [UInt8] = []

    init(_ kind: AttributeSchema.Kind, rows: Int) { self.kind = kind }

    mutating func startRow() {
        switch kind {
        case .category:
            codes.append(0)
            valid.append(false)
        case .number:
            numbers.append(0)
            valid.append(false)
        case .list: offsets.append(codes.count)
        case .text: offsets.append(bytes.count)
        }
    }

    mutating func add(code: UInt32) {
        if kind == .list { return codes.append(code) }
        codes[codes.count - 1] = code
        valid[valid.count - 1] = true
    }

    mutating func add(number: ArraySlice<UInt8>) {
        numbers[numbers.count - 1] = number.withUnsafeBufferPointer {
            Field(start: $0.baseAddress!, count: $0.count).number!
        }
        valid[valid.count - 1] = true
    }

    mutating func add(text: ArraySlice<UInt8>) { bytes += text }

    func finished() -> AttributeColumn {
        switch kind {
        case .category: .categorical(codes: codes, valid: valid)
        case .number: .numeric(values: numbers, valid: valid)
        case .list: .list(offsets: offsets + [codes.count], values: codes)
        case .text: .text(offsets: offsets + [bytes.count], bytes: bytes)
        }
    }
}
