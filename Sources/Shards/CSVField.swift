/// A field of a CSV file that is written.
package enum CSVField {
    /// As RFC 4180 has it: in quotes if it holds a comma, a quote or a line break. By bytes: what joins with a quote into one
    /// character is no reason not to double it.
    package static func quoted(_ text: String) -> String {
        let quote = UInt8(ascii: "\"")
        if !text.utf8.contains(where: { $0 == quote || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d }) { return text }
        let doubled = text.utf8.flatMap { $0 == quote ? [quote, quote] : [$0] }
        return "\"" + String(decoding: doubled, as: UTF8.self) + "\""
    }
}
