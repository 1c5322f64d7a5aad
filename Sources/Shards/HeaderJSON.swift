/// The JSON that a safetensors header consists of, and no other: one object whose values are `__metadata__` (string
/// to string) or tensors (`dtype`, `shape`, `data_offsets`). Strict where Python's reader is not: duplicate and
/// unknown fields are refused.
struct HeaderJSON {
    struct Tensor {
        var name: String
        var type: ElementType
        var shape: [Int]
        var begin: Int
        var end: Int
    }

    private(set) var metadata: [String: String] = [:]
    private(set) var tensors: [Tensor] = []

    private let bytes: [UInt8]
    private var at = 0
    private let file: String

    init(_ bytes: [UInt8], file: String) throws {
        self.bytes = bytes
        self.file = file
        try parse()
    }

    private func error(_ what: String) -> LecternError {
        .data("\(file): header, offset \(8 + at): \(what)")
    }

    private mutating func parse() throws {
        var names = Set<String>()
        try object { parser, key in
            guard names.insert(key).inserted else { throw parser.error("duplicate field \"\(key)\"") }
            if key == "__metadata__" {
                try parser.object { parser, name in
                    guard parser.metadata[name] == nil else { throw parser.error("duplicate metadata \"\(name)\"") }
                    parser.metadata[name] = try parser.string()
                }
            } else {
                parser.tensors.append(try parser.tensor(key))
            }
        }
        while at < bytes.count {
            guard bytes[at] == 0x20 else { throw error("unexpected byte after the header") }
            at += 1
        }
    }

    private mutating func tensor(_ name: String) throws -> Tensor {
        var type: ElementType?
        var shape: [Int]?
        var range: [Int]?
        try object { parser, field in
            switch field {
            case "dtype" where type == nil:
                let found = try parser.string()
                guard let known = ElementType(rawValue: found) else {
                    throw parser.error("tensor \"\(name)\": type \(found) is not one of the profile's")
                }
                type = known
            case "shape" where shape == nil: shape = try parser.integers()
            case "data_offsets" where range == nil: range = try parser.integers()
            default: throw parser.error("tensor \"\(name)\": unknown or repeated field \"\(field)\"")
            }
        }
        guard let type, let shape, let range, range.count == 2 else {
            throw error("tensor \"\(name)\": dtype, shape and two data_offsets are required")
        }
        return Tensor(name: name, type: type, shape: shape, begin: range[0], end: range[1])
    }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    }

    private mutating func expect(_ character: Character) throws {
        skipSpace()
        guard at < bytes.count, bytes[at] == character.asciiValue! else { throw error("expected '\(character)'") }
        at += 1
    }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == character.asciiValue! else { return false }
        at += 1
        return true
    }

    private mutating func object(_ member: (inout HeaderJSON, String) throws -> Void) throws {
        try expect("{")
        if take("}") { return }
        repeat {
            let key = try string()
            try expect(":")
            try member(&self, key)
        } while take(",")
        try expect("}")
    }

    private mutating func integers() throws -> [Int] {
        try expect("[")
        var values: [Int] = []
        if take("]") { return values }
        repeat {
            skipSpace()
            let start = at
            var value = 0
            while at < bytes.count, (0x30...0x39).contains(bytes[at]), at - start < 16 {
                value = value * 10 + Int(bytes[at] - 0x30)
                at += 1
            }
            guard at > start, at - start < 16 else { throw error("expected a non-negative integer") }
            values.append(value)
        } while take(",")
        try expect("]")
        return values
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case 0x22:
                guard let string = String(validating: text, as: UTF8.self) else { throw error("string is not UTF-8") }
                return string
            case 0x5c: try escape(into: &text)
            case 0..<0x20: throw error("control character in a string")
            default: text.append(byte)
            }
        }
        throw error("unterminated string")
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard at < bytes.count else { throw error("unterminated string") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case 0x22, 0x5c, 0x2f: text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var unit = try hexUnit()
            if (0xd800..<0xdc00).contains(unit), at + 1 < bytes.count, bytes[at] == 0x5c, bytes[at + 1] == 0x75 {
                at += 2
                let low = try hexUnit()
                guard (0xdc00..<0xe000).contains(low) else { throw error("lone surrogate") }
                unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw error("lone surrogate") }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw error("unknown escape")
        }
    }

    private mutating func hexUnit() throws -> UInt32 {
        guard at + 4 <= bytes.count,
            let digits = String(validating: bytes[at..<at + 4], as: UTF8.self),
            digits.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) }),
            let value = UInt32(digits, radix: 16)
        else { throw error("bad \\u escape") }
        at += 4
        return value
    }

    /// A JSON string literal.
    static func quoted(_ text: String) -> [UInt8] {
        var out: [UInt8] = [0x22]
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: out += [0x5c, byte]
            case 0..<0x20: out += Array("\\u00".utf8) + Array((byte < 16 ? "0" : "1").utf8) + hexDigit(byte & 15)
            default: out.append(byte)
            }
        }
        return out + [0x22]
    }

    private static func hexDigit(_ value: UInt8) -> [UInt8] { Array(String(value, radix: 16).utf8) }
}
