import Foundation
import Yams

/// A configuration value, as YAML and JSON both have it.
package indirect enum Value: Codable, Sendable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([Value])
    case map([String: Value])

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let v = try? value.decode(Bool.self) {
            self = .boolean(v)
        } else if let v = try? value.decode(Int.self) {
            self = .integer(v)
        } else if let v = try? value.decode(Double.self) {
            self = .number(v)
        } else if let v = try? value.decode(String.self) {
            self = .text(v)
        } else if let v = try? value.decode([Value].self) {
            self = .list(v)
        } else {
            self = .map(try value.decode([String: Value].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let v): try container.encode(v)
        case .integer(let v): try container.encode(v)
        case .number(let v): try container.encode(v)
        case .text(let v): try container.encode(v)
        case .list(let v): try container.encode(v)
        case .map(let v): try container.encode(v)
        }
    }

    /// From a YAML node; quoted scalars stay text, and so do `.nan` and `.inf`, which JSON cannot say, and
    /// what has a colon: 12:30 is no number of base 60 to anybody, and a large one would overflow Yams.
    package init(_ node: Node) {
        switch node {
        case .sequence(let sequence): self = .list(sequence.map(Value.init))
        case .mapping(let mapping):
            self = .map(
                Dictionary(mapping.map { ($0.key.string ?? "", Value($0.value)) }, uniquingKeysWith: { $1 }))
        case .scalar(let scalar):
            if scalar.style == .doubleQuoted || scalar.style == .singleQuoted {
                self = .text(scalar.string)
            } else if node.null != nil {
                self = .null
            } else if let v = node.bool {
                self = .boolean(v)
            } else if scalar.string.contains(":") {
                self = .text(scalar.string)
            } else if let v = Self.integer(scalar.string) {
                self = .integer(v)
            } else if node.int == nil, let v = node.float, v.isFinite {
                self = .number(v)
            } else {
                self = .text(scalar.string)
            }
        case .alias: self = .null
        }
    }

    /// Plain decimals alone: 010 is eight to YAML 1.1 and ten to people.
    private static func integer(_ text: String) -> Int? {
        let digits =
            text.utf8.first == UInt8(ascii: "-") || text.utf8.first == UInt8(ascii: "+")
            ? text.utf8.dropFirst() : text.utf8[...]
        guard digits.allSatisfy({ (48...57).contains($0) }), digits.count == 1 || digits.first != 48 else { return nil }
        return Int(text)
    }

    /// As it would be written in YAML (flow style), for messages and the shipped file.
    package var yaml: String {
        switch self {
        case .null: "null"
        case .boolean(let v): v ? "true" : "false"
        case .integer(let v): String(v)
        case .number(let v): v == v.rounded() && abs(v) < 1e15 ? String(Int(v)) : "\(v)"
        case .text(let v): v.isEmpty || v.contains(where: { ":#{}[],\"'".contains($0) }) ? "\"\(v)\"" : v
        case .list(let v): "[" + v.map(\.yaml).joined(separator: ", ") + "]"
        case .map(let v):
            "{" + v.keys.sorted().map { "\($0): \(v[$0]!.yaml)" }.joined(separator: ", ") + "}"
        }
    }

    package func jsonBytes() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try! encoder.encode(self)) + [0x0a]
    }
}
