/// A piece of HTML. Texts that are interpolated are escaped, pieces are not:
///
///     HTML("<td>\(title)</td>")
package struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    package private(set) var text: String

    package init(stringLiteral text: String) { self.text = text }
    package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }
    /// Text, escaped.
    package init(_ text: String) { self.text = Self.escaped(text) }
    /// Markup made elsewhere in this module.
    init(markup: String) { text = markup }

    package struct StringInterpolation: StringInterpolationProtocol, Sendable {
        var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
        package mutating func appendLiteral(_ literal: String) { text += literal }
        package mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
        package mutating func appendInterpolation(_ value: Int) { text += String(value) }
        package mutating func appendInterpolation(_ value: HTML) { text += value.text }
        package mutating func appendInterpolation(_ values: [HTML]) { for value in values { text += value.text } }
    }

    package static func + (left: HTML, right: HTML) -> HTML { HTML(markup: left.text + right.text) }
    package static func += (left: inout HTML, right: HTML) { left.text += right.text }

    package var isEmpty: Bool { text.isEmpty }

    /// For text and for attributes in double quotes. Control characters that HTML cannot hold become U+FFFD.
    static func escaped(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "\u{0}"..<"\u{9}", "\u{b}", "\u{c}", "\u{e}"..<" ", "\u{7f}"..<"\u{a0}": out += "\u{fffd}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension [HTML] {
    package func joined(_ separator: HTML = "") -> HTML {
        var all: HTML = ""
        for (at, piece) in enumerated() { all += at == 0 ? piece : separator + piece }
        return all
    }
}
