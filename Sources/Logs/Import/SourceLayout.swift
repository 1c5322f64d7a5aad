import ConfigText
import Shards

/// One input file, with the places of its columns.
final class InputFile: Sendable {
    /// Position in the list of inputs.
    let number: Int
    let path: String
    let source: SourceMapping
    /// Columns of the file.
    let columnCount: Int
    /// Where each column of the mapping (and then each other attribute) lies among the fields of a row.
    let columns: [Column]

    struct Column: Sendable {
        let mapping: ColumnMapping
        let place: Place
    }

    enum Place: Sendable {
        case field(Int)
        case constant([UInt8])
        case absent
    }

    var table: LogTable { source.table }
    var form: RowForm { source.form }

    /// - Throws: `.badData` naming the file and the missing column, with the nearest header.
    init(number: Int, path: String, source: SourceMapping, header: [String]) throws {
        (self.number, self.path, self.source) = (number, path, source)
        columnCount = header.count
        var columns: [Column] = []
        for mapping in source.columns {
            columns.append(Column(mapping: mapping, place: try Self.place(mapping, header, path)))
        }
        let taken = Set(columns.compactMap { if case .field(let i) = $0.place { i } else { nil } })
        for (i, name) in header.enumerated() where !taken.contains(i) {
            guard let mapping = Self.other(name, source.others) else { continue }
            if columns.contains(where: { $0.mapping.target == mapping.target }) {
                throw LecternError.data(
                    "\(path):1: columns \"\(name)\" and another both become \"\(mapping.target)\"; rename one")
            }
            columns.append(Column(mapping: mapping, place: .field(i)))
        }
        self.columns = columns
    }

    private static func place(_ mapping: ColumnMapping, _ header: [String], _ path: String) throws -> Place {
        switch mapping.origin {
        case .nothing: return .absent
        case .constant(let text): return .constant(Array(text.utf8))
        case .column(let name):
            let exact = header.indices.filter { header[$0] == name }
            let found = exact.isEmpty ? header.indices.filter { stem(header[$0]) == name } : exact
            if found.count > 1 { throw LecternError.data("\(path):1: column \"\(name)\" stands \(found.count) times") }
            if let place = found.first { return .field(place) }
            if mapping.optional { return .absent }
            if header.first?.hasPrefix("{") == true {
                throw LecternError.data("\(path):1: looks like JSON; expected delimited text with a header (CSV, TSV)")
            }
            let hint = Nearest.hint(name, header.map(stem), all: "there are")
            throw LecternError.data(
                "\(path):1: no column \"\(name)\" (for \(mapping.target))\(hint) If the separator is wrong, set delimiter."
            )
        }
    }

    /// A header without its type: `item_id` of `item_id:token`.
    private static func stem(_ header: String) -> String {
        header.lastIndex(of: ":").map { String(header[..<$0]) } ?? header
    }

    private static func other(_ header: String, _ others: OtherColumns) -> ColumnMapping? {
        guard case .byHeader(let separator) = others else { return nil }
        let type = header.lastIndex(of: ":").map { String(header[header.index(after: $0)...]) }
        let conversion: Conversion? =
            switch type {
            case nil, "token", "category": .category
            case "float", "number": .number
            case "token_seq", "list": .list(.split(separator))
            case "text": .text
            default: nil
            }
        guard let conversion else { return nil }
        return ColumnMapping(
            target: AttributeName.from(header: stem(header)), origin: .column(header), conversion: conversion,
            optional: true, isAttribute: true)
    }
}

extension SourceMapping {
    var form: RowForm {
        RowForm(
            delimiter: delimiter, quoted: quoted, hasHeader: header == nil, repeatsLast: repeatsLast, latin1: latin1)
    }
}

/// Reads the rows of one file: a cursor whose extra fields hold the mapping's constants, so that every column of the
/// mapping is one index.
final class RowSource {
    let file: InputFile
    let cursor: RowCursor
    private let constants: UnsafeMutablePointer<UInt8>
    private let indices: [Int]
    private let nullMarks: [[UInt8]]

    init(_ file: InputFile) {
        self.file = file
        cursor = RowCursor(form: file.form, columns: file.columnCount, extra: file.columns.count)
        let bytes = file.columns.reduce(0) { if case .constant(let text) = $1.place { $0 + text.count } else { $0 } }
        constants = .allocate(capacity: max(1, bytes))
        nullMarks = file.source.nullMarks.map { Array($0.utf8) }
        var used = 0
        var indices: [Int] = []
        for (i, column) in file.columns.enumerated() {
            switch column.place {
            case .field(let at): indices.append(at)
            case .absent: indices.append(file.columnCount + i)
            case .constant(let text):
                for (j, byte) in text.enumerated() { constants[used + j] = byte }
                cursor.set(file.columnCount + i, Field(start: constants + used, count: text.count))
                indices.append(file.columnCount + i)
                used += text.count
            }
        }
        self.indices = indices
    }

    deinit { constants.deallocate() }

    /// Index of a column for `field`; one that is not mapped is always empty.
    func index(_ target: String) -> Int? {
        file.columns.firstIndex { $0.mapping.target == target }.map { indices[$0] }
    }

    func index(ofColumn column: Int) -> Int { indices[column] }

    func conversion(_ target: String) -> Conversion? {
        file.columns.first { $0.mapping.target == target }?.mapping.conversion
    }

    /// A field; null marks read as empty.
    @inline(__always)
    func field(_ index: Int) -> Field {
        var field = cursor[index]
        if !nullMarks.isEmpty && isNull(field) { field.count = 0 }
        return field
    }

    private func isNull(_ field: Field) -> Bool { nullMarks.contains { field.equals($0) } }

    /// What is wrong with the row as a whole.
    @inline(__always)
    var fault: RowFault? {
        if cursor.count == file.columnCount && cursor.problem == nil { return nil }
        if let problem = cursor.problem { return .quotes(problem) }
        return .fieldCount(found: cursor.count, expected: file.columnCount)
    }
}
