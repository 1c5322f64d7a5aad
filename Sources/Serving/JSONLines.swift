/// JSON Lines: one list a line (docs/serving.md).
///
///     {"learner":"l1","rung":"towers","courses":[{"id":"c7","rank":1,"score":0.25,"reason":"watched","because":"c3"}]}
package enum JSONLines {
    package static let suffix = ".jsonl.gz"

    package static func append(_ list: ServedList, _ kind: ListKind, to bytes: inout [UInt8]) {
        bytes += "{\"\(kind.rawValue)\":".utf8
        append(optional: list.key, to: &bytes)
        if let rung = list.rung {
            bytes += ",\"rung\":".utf8
            append(rung, to: &bytes)
        }
        if let short = list.short {
            bytes += ",\"short\":".utf8
            append(short, to: &bytes)
        }
        bytes += ",\"courses\":[".utf8
        for (i, entry) in list.entries.enumerated() {
            if i > 0 { bytes.append(UInt8(ascii: ",")) }
            append(entry, to: &bytes)
        }
        bytes += "]}\n".utf8
    }

    /// A line with nothing but whom it is about.
    package static func append(key: String, _ kind: ListKind, to bytes: inout [UInt8]) {
        bytes += "{\"\(kind.rawValue)\":".utf8
        append(key, to: &bytes)
        bytes += "}\n".utf8
    }

    private static func append(_ entry: ServedList.Entry, to bytes: inout [UInt8]) {
        bytes += "{\"id\":".utf8
        append(entry.course, to: &bytes)
        bytes += ",\"rank\":\(entry.rank),\"score\":\(entry.score)".utf8
        if entry.listScore != entry.score { bytes += ",\"list_score\":\(entry.listScore)".utf8 }
        if let reason = entry.reason {
            bytes += ",\"reason\":".utf8
            append(reason, to: &bytes)
            bytes += ",\"because\":".utf8
            append(optional: entry.because, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private static func append(optional text: String?, to bytes: inout [UInt8]) {
        if let text { append(text, to: &bytes) } else { bytes += "null".utf8 }
    }

    /// A JSON string (RFC 8259): quotes, backslashes and control characters escaped, all else as UTF-8.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20, 0x7f: bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
