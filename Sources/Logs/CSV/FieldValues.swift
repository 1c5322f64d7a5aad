import Foundation

/// Numbers and lists in fields; nil where the text is none.
extension Field {
    /// A decimal number, with sign, point and exponent. Correctly rounded.
    package var number: Double? {
        var i = 0
        let negative = count > 0 && self[0] == UInt8(ascii: "-")
        if negative || (count > 0 && self[0] == UInt8(ascii: "+")) { i = 1 }
        var mantissa: UInt64 = 0
        var digits = 0
        var decimals = 0
        var point = false
        while i < count {
            let byte = self[i]
            if byte &- 48 < 10 {
                mantissa = mantissa &* 10 &+ UInt64(byte &- 48)
                digits += 1
                if point { decimals += 1 }
            } else if byte == UInt8(ascii: ".") && !point {
                point = true
            } else {
                return slowNumber
            }
            i += 1
        }
        // Up to 2^53 over up to 10^22: one rounding (Clinger, How to read floating point numbers accurately, 1990).
        if digits == 0 || digits > 15 { return digits == 0 ? nil : slowNumber }
        let value = Double(mantissa) / Self.powersOfTen[decimals]
        return negative ? -value : value
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    private var slowNumber: Double? {
        guard count <= 400,
            bytes.allSatisfy({ ($0 &- 48 < 10) || "+-.eE".utf8.contains($0) })
        else { return nil }
        return Double(string)
    }

    /// Calls `body` with each part between separators, without blanks around it; empty parts do not count.
    package func split(at separator: UInt8, _ body: (Field) throws -> Void) rethrows {
        var begin = 0
        for i in 0...count where i == count || self[i] == separator {
            let part = Field(start: start + begin, count: i - begin).trimmed
            if part.count > 0 { try body(part) }
            begin = i + 1
        }
    }

    /// The strings of `['a', "b's"]`, as Python prints a list; nil if the text is no such list.
    package var bracketedList: [[UInt8]]? {
        let text = trimmed
        guard text.count >= 2, text[0] == UInt8(ascii: "["), text[text.count - 1] == UInt8(ascii: "]") else {
            return nil
        }
        var values: [[UInt8]] = []
        var i = 1
        let end = text.count - 1
        func skipBlanks() { while i < end && text[i] == 0x20 { i += 1 } }
        skipBlanks()
        while i < end {
            let quote = text[i]
            guard quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { return nil }
            i += 1
            var value: [UInt8] = []
            while i < end && text[i] != quote {
                if text[i] == UInt8(ascii: "\\") && i + 1 < end { i += 1 }
                value.append(text[i])
                i += 1
            }
            guard i < end else { return nil }
            i += 1
            values.append(value)
            skipBlanks()
            if i == end { break }
            guard text[i] == UInt8(ascii: ",") else { return nil }
            i += 1
            skipBlanks()
        }
        return values
    }
}
