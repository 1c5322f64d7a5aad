/// A long table, one entry a line, as PostgreSQL's `COPY … FROM` reads it in text format (docs/serving.md):
///
///     key  rank  course  score  list_score  reason  because  rung
///
/// Tabs between, `\N` for nothing; backslash, tab, line feed, carriage return, backspace, form feed and vertical tab
/// are escaped with a backslash. An empty list has no line.
package enum TabSeparated {
    package static let suffix = ".tsv.gz"
    package static let columns = ["key", "rank", "course", "score", "list_score", "reason", "because", "rung"]

    /// - Throws: `UnservableID` for a text with a NUL character, which PostgreSQL's text type does not hold.
    package static func append(_ list: ServedList, to bytes: inout [UInt8]) throws {
        var key: [UInt8] = []
        var rung: [UInt8] = []
        try append(list.key, to: &key)
        try append(list.rung, to: &rung)
        for entry in list.entries {
            bytes += key
            bytes += "\t\(entry.rank)\t".utf8
            try append(entry.course, to: &bytes)
            bytes += "\t\(entry.score)\t\(entry.listScore)\t".utf8
            try append(entry.reason, to: &bytes)
            bytes.append(UInt8(ascii: "\t"))
            try append(entry.because, to: &bytes)
            bytes.append(UInt8(ascii: "\t"))
            bytes += rung
            bytes.append(UInt8(ascii: "\n"))
        }
    }

    private static func append(_ text: String?, to bytes: inout [UInt8]) throws {
        guard let text else {
            bytes += "\\N".utf8
            return
        }
        for byte in text.utf8 {
            switch byte {
            case 0: throw UnservableID(id: text, format: "tsv", reason: "it contains a NUL character")
            case 0x08: bytes += "\\b".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0a: bytes += "\\n".utf8
            case 0x0b: bytes += "\\v".utf8
            case 0x0c: bytes += "\\f".utf8
            case 0x0d: bytes += "\\r".utf8
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            default: bytes.append(byte)
            }
        }
    }
}
