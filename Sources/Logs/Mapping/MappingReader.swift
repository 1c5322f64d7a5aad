import ConfigText
import Shards
import Yams

/// Reads a YAML mapping key by key; every error names file, line, key, what was found and what is allowed.
struct MappingReader {
    let file: String
    /// Where in the document: `watches: columns`.
    let path: String
    private let node: Node
    private let entries: [(key: String, node: Node, value: Node)]

    /// - Parameter known: the keys that may stand here; nil where the reader takes any.
    init(_ node: Node, file: String, path: String, known: [String]?) throws {
        (self.file, self.path, self.node) = (file, path, node)
        guard let mapping = node.mapping else {
            throw Self.error(file, node, path, "found \(Self.describe(node)), expected a mapping of keys")
        }
        entries = mapping.map { ($0.key.string ?? "", $0.key, $0.value) }
        guard let known else { return }
        for entry in entries where !known.contains(entry.key) {
            throw Self.error(file, entry.node, path, "unknown key \"\(entry.key)\"\(Nearest.hint(entry.key, known))")
        }
    }

    var keys: [String] { entries.map(\.key) }

    func value(_ key: String) -> Node? {
        entries.first { $0.key == key && $0.value.null == nil }?.value
    }

    func required(_ key: String) throws -> Node {
        guard let node = value(key) else { throw error(nil, "key \"\(key)\" is missing") }
        return node
    }

    /// A scalar of any type, as it is written.
    func text(_ key: String) throws -> String? {
        guard let node = value(key) else { return nil }
        guard let scalar = node.scalar else { throw error(key, "found \(Self.describe(node)), expected a text") }
        return scalar.string
    }

    func boolean(_ key: String) throws -> Bool? {
        guard let node = value(key) else { return nil }
        guard let value = node.bool else {
            throw error(key, "found \(Self.describe(node)), allowed are true and false")
        }
        return value
    }

    func number(_ key: String) throws -> Double? {
        guard let node = value(key) else { return nil }
        // With a colon Yams would read base 60, and overflow.
        guard let scalar = node.scalar, !scalar.string.contains(":"),
            let value = node.float ?? node.int.map(Double.init), value.isFinite
        else {
            throw error(key, "found \(Self.describe(node)), expected a number")
        }
        return value
    }

    /// One text or a list of texts.
    func texts(_ key: String) throws -> [String]? {
        guard let node = value(key) else { return nil }
        if let scalar = node.scalar { return [scalar.string] }
        guard let items = node.sequence else {
            throw error(key, "found \(Self.describe(node)), expected a text or a list of texts")
        }
        return try items.map {
            guard let scalar = $0.scalar else {
                throw error(key, "found \(Self.describe($0)) in the list, expected a text")
            }
            return scalar.string
        }
    }

    /// One of a few names.
    func choice<Value>(_ key: String, _ allowed: KeyValuePairs<String, Value>) throws -> Value? {
        guard let found = try text(key) else { return nil }
        guard let value = allowed.first(where: { $0.key == found })?.value else {
            throw error(key, "found \"\(found)\"\(Nearest.hint(found, allowed.map(\.key)))")
        }
        return value
    }

    /// An error at a key (or at the mapping itself).
    func error(_ key: String?, _ message: String) -> LecternError {
        let at = key.flatMap { key in entries.first { $0.key == key }?.value } ?? node
        let place = [path, key ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
        return Self.error(file, at, place, message)
    }

    static func error(_ file: String, _ node: Node, _ path: String, _ message: String) -> LecternError {
        let line = node.mark.map { ":\($0.line)" } ?? ""
        return .configuration("\(file)\(line): \(path.isEmpty ? "" : path + ": ")\(message)")
    }

    private static func describe(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): "\"\(scalar.string)\""
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .alias: "an alias"
        }
    }
}
