import ArgumentParser
import Shards

/// How `cat` writes rows.
enum RowFormat: String, CaseIterable, ExpressibleByArgument {
    /// RFC 4180 with `\n`: header first, fields with comma, quote or line break in quotes, null as nothing.
    case csv
    /// PostgreSQL's COPY text: header first, `\t`, `\n`, `\r` and `\\` escaped, null as `\N`.
    case tsv
    /// One JSON object per row; lists as arrays; a float that is not finite is null.
    case jsonl

    func header(_ names: [String]) -> String {
        switch self {
        case .csv: names.map(CSVField.quoted).joined(separator: ",") + "\n"
        case .tsv: names.map(Self.escaped).joined(separator: "\t") + "\n"
        case .jsonl: ""
        }
    }

    func row(_ names: [String], _ cells: [Cell]) -> String {
        switch self {
        case .csv: return cells.map { CSVField.quoted($0.plain) }.joined(separator: ",") + "\n"
        case .tsv:
            return cells.map { $0 == .null ? "\\N" : Self.escaped($0.plain) }.joined(separator: "\t") + "\n"
        case .jsonl:
            let members = zip(names, cells).map { "\(Self.json($0)): \(Self.json($1))" }
            return "{" + members.joined(separator: ", ") + "}\n"
        }
    }

    private static func escaped(_ field: String) -> String {
        let special: (UInt8) -> Bool = { $0 == 0x09 || $0 == 0x0a || $0 == 0x0d || $0 == 0x5c }
        if !field.utf8.contains(where: special) { return field }
        var bytes: [UInt8] = []
        for byte in field.utf8 {
            switch byte {
            case 0x09: bytes += [0x5c, UInt8(ascii: "t")]
            case 0x0a: bytes += [0x5c, UInt8(ascii: "n")]
            case 0x0d: bytes += [0x5c, UInt8(ascii: "r")]
            case 0x5c: bytes += [0x5c, 0x5c]
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func json(_ cell: Cell) -> String {
        switch cell {
        case .null: "null"
        case .text(let text): json(text)
        case .number(let digits): ["nan", "inf", "-inf"].contains(digits) ? "null" : digits
        case .boolean(let value): value ? "true" : "false"
        case .list(let cells): "[" + cells.map(json).joined(separator: ", ") + "]"
        }
    }

    /// A JSON string literal.
    static func json(_ text: String) -> String {
        var bytes: [UInt8] = [0x22]
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: bytes += [0x5c, byte]
            case 0x0a: bytes += [0x5c, UInt8(ascii: "n")]
            case 0x09: bytes += [0x5c, UInt8(ascii: "t")]
            case 0..<0x20: bytes += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes + [0x22], as: UTF8.self)
    }
}

/// Lines of cells below each other, for people.
struct TextTable {
    private var lines: [[String]]
    /// Longer cells are cut.
    private let widest: Int

    init(_ header: [String], widest: Int = .max) { (lines, self.widest) = ([header], widest) }

    mutating func add(_ cells: [String]) { lines.append(cells.map(clipped)) }

    private func clipped(_ text: String) -> String {
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return line.count <= widest ? line : line.prefix(widest - 1) + "…"
    }

    var text: String {
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max()! }
        return lines.map { line in
            let padded = line.indices.map { i in
                i == line.count - 1 ? line[i] : line[i] + String(repeating: " ", count: widths[i] - line[i].count)
            }
            return padded.joined(separator: "  ") + "\n"
        }.joined()
    }
}
