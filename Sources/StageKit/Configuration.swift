import Foundation
import Shards
import Yams

/// The whole configuration of a run: defaults, then `pipeline.yaml`, then the dataset file's `pipeline:` section, then
/// `--set`. YAML is read as nodes, so every error has a line.
package struct Configuration: Sendable {
    package private(set) var values: [String: Value]

    package init() {
        values = Dictionary(uniqueKeysWithValues: Parameters.all.map { ($0.path, $0.standard) })
    }

    /// Takes over all sections of a YAML document.
    package mutating func apply(yaml text: String, file: String) throws {
        guard let node = try Self.compose(text, file: file) else { return }
        try apply(node, file: file)
    }

    /// Takes over a mapping of sections.
    package mutating func apply(_ node: Node, file: String) throws {
        guard let sections = node.mapping else { throw Self.error(file, node, "expected a mapping of sections") }
        for (key, section) in sections {
            let name = key.string ?? ""
            let known = Parameters.sections.map(\.name)
            guard known.contains(name) else {
                throw Self.error(file, key, "unknown section \"\(name)\"" + Self.suggestion(name, known))
            }
            if section.null != nil { continue }
            guard let entries = section.mapping else {
                throw Self.error(file, section, "section \"\(name)\": expected a mapping of parameters")
            }
            for (key, value) in entries { try set(name + "." + (key.string ?? ""), Value(value), key, file) }
        }
    }

    private mutating func set(_ path: String, _ value: Value, _ node: Node?, _ file: String) throws {
        guard let parameter = Parameters.byPath[path] else {
            let section = path.prefix { $0 != "." }
            let siblings = Parameters.all.filter { $0.section == section }.map(\.path)
            let namesakes = Parameters.all.map(\.path).filter { $0.hasSuffix("." + path) }
            if siblings.isEmpty && namesakes.isEmpty {
                throw Self.error(
                    file, node,
                    "unknown section \"\(section)\"" + Self.suggestion(String(section), Parameters.sections.map(\.name))
                )
            }
            throw Self.error(
                file, node,
                "unknown parameter \"\(path)\""
                    + (siblings.isEmpty
                        ? "; did you mean \"\(namesakes.joined(separator: "\" or \""))\"?"
                        : Self.suggestion(path, siblings)))
        }
        guard let accepted = parameter.accept(value) else {
            let why = parameter.problem(value).map { ": \($0)" } ?? ", allowed is \(parameter.allowed)"
            throw Self.error(file, node, "\(path): found \(value.yaml)\(why)")
        }
        values[path] = accepted
    }

    /// One `path=value`, the value in YAML's flow syntax.
    /// - Parameter source: where it was said, for errors.
    package mutating func apply(assignment: String, source: String = "SET") throws {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
            throw LecternError.configuration("SET: \"\(assignment)\": expected section.name=value")
        }
        let path = String(assignment[..<equals])
        let text = String(assignment[assignment.index(after: equals)...])
        guard let node = try Self.compose(text.isEmpty ? "\"\"" : text, file: source) else {
            throw LecternError.configuration("SET: \"\(assignment)\": empty value")
        }
        try set(path, Value(node), nil, source)
    }

    /// The stage's own part: what reruns it when it changes.
    package func slice(_ stage: StageName, extra: [String: Value] = [:]) -> Slice {
        var entries = extra
        for parameter in Parameters.all where stage.concerns(parameter) {
            entries[parameter.path] = values[parameter.path]
        }
        return Slice(stage: stage, values: entries)
    }

    // MARK: YAML with places

    package static func compose(_ text: String, file: String) throws -> Node? {
        do {
            let node = try Yams.compose(yaml: text, .default, .default, .utf8)  // without it, the environment is asked
            var left = mostNodes
            if let node, !node.fits(&left) {
                throw LecternError.configuration("\(file): more than \(mostNodes) values (an alias that multiplies?)")
            }
            return node
        } catch let error as YamlError {
            let line = String(describing: error).split(separator: "\n").first.map(String.init) ?? "not YAML"
            throw LecternError.configuration("\(file): not YAML: \(line)")
        }
    }

    /// Anchors can turn a short text into any number of values.
    private static let mostNodes = 100_000

    package static func error(_ file: String, _ node: Node?, _ message: String) -> LecternError {
        .configuration(node?.mark.map { "\(file):\($0.line): \(message)" } ?? "\(file): \(message)")
    }

    /// "; did you mean …?" with the nearest known name.
    package static func suggestion(_ name: String, _ known: [String]) -> String {
        let nearest = known.min { (distance($0, name), $0) < (distance($1, name), $1) }
        guard let nearest, distance(nearest, name) <= max(2, name.count / 3) else {
            return "; known are " + known.joined(separator: ", ")
        }
        return "; did you mean \"\(nearest)\"?"
    }

    /// Levenshtein's edit distance.
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, min(row[j], row[j + 1]) + 1)
            }
        }
        return row[b.count]
    }
}

extension Node {
    /// Counts the nodes down, aliases each time; false as soon as there are more than `left`.
    fileprivate func fits(_ left: inout Int) -> Bool {
        left -= 1
        guard left >= 0 else { return false }
        switch self {
        case .scalar, .alias: return true
        case .sequence(let items): return items.allSatisfy { $0.fits(&left) }
        case .mapping(let pairs): return pairs.allSatisfy { $0.key.fits(&left) && $0.value.fits(&left) }
        }
    }
}

/// A stage's part of the configuration, as it lies in `config/<stage>.json`. Getters trap on a wrong path or type:
/// `prepare-run` has checked every value.
package struct Slice: Sendable {
    package let stage: StageName
    package let values: [String: Value]
    /// SHA-256 of the file: stands in the stage's manifest.
    package let digest: String

    package init(stage: StageName, values: [String: Value]) {
        (self.stage, self.values) = (stage, values)
        digest = Digest.sha256(Value.map(values).jsonBytes())
    }

    package static func fileName(_ stage: StageName) -> String { "\(stage.rawValue).json" }

    /// Reads `config/<stage>.json`.
    package init(stage: StageName, path: String) throws {
        try self.init(stage: stage, bytes: FileSystem.read(path), path: path)
    }

    /// - Parameter path: for messages.
    package init(stage: StageName, bytes: [UInt8], path: String) throws {
        guard SelfCheck.holds(bytes), let value = try? JSONDecoder().decode(Value.self, from: Data(bytes)),
            case .map(let values) = value
        else {
            throw LecternError.configuration(
                "\(path): damaged or edited: its content does not match its check; change pipeline.yaml or SET, and run "
                    + "make all to write it anew")
        }
        var checked = values
        checked[SelfCheck.key] = nil
        for parameter in Parameters.all where stage.concerns(parameter) {
            guard let value = values[parameter.path], let accepted = parameter.accept(value) else {
                throw LecternError.configuration(
                    "\(path): \(parameter.path): missing or not allowed; run make all to write the slice anew")
            }
            checked[parameter.path] = accepted
        }
        self.init(stage: stage, values: checked)
    }

    package func bytes() -> [UInt8] { SelfCheck.sealed(Value.map(values).jsonBytes()) }

    package func value(_ path: String) -> Value {
        guard let value = values[path] else { preconditionFailure("\(path) is not in the slice of \(stage.rawValue)") }
        return value
    }

    package func integer(_ path: String) -> Int {
        guard case .integer(let value) = value(path) else { preconditionFailure("\(path) is no integer") }
        return value
    }

    /// nil for `auto`.
    package func automaticInteger(_ path: String) -> Int? {
        if case .integer(let value) = value(path) { value } else { nil }
    }

    package func number(_ path: String) -> Double {
        switch value(path) {
        case .number(let value): return value
        case .integer(let value): return Double(value)
        default: preconditionFailure("\(path) is no number")
        }
    }

    /// nil for `auto`.
    package func automaticNumber(_ path: String) -> Double? {
        if case .text = value(path) { nil } else { number(path) }
    }

    package func boolean(_ path: String) -> Bool {
        guard case .boolean(let value) = value(path) else { preconditionFailure("\(path) is no boolean") }
        return value
    }

    package func text(_ path: String) -> String {
        guard case .text(let value) = value(path) else { preconditionFailure("\(path) is no text") }
        return value
    }

    /// A duration in seconds; nil for `auto`.
    package func seconds(_ path: String) -> Int64? { Duration.seconds(text(path)) }

    package func texts(_ path: String) -> [String] {
        guard case .list(let items) = value(path) else { preconditionFailure("\(path) is no list") }
        return items.map { if case .text(let text) = $0 { text } else { $0.yaml } }
    }

    package func integers(_ path: String) -> [Int] {
        guard case .list(let items) = value(path) else { preconditionFailure("\(path) is no list") }
        return items.compactMap { if case .integer(let v) = $0 { v } else { nil } }
    }

    package func numbers(_ path: String) -> [Double] {
        guard case .list(let items) = value(path) else { preconditionFailure("\(path) is no list") }
        return items.compactMap {
            switch $0 {
            case .number(let v): v
            case .integer(let v): Double(v)
            default: nil
            }
        }
    }
}
