import ConfigText
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
        guard let node = try YAMLText.compose(text, file: file) else { return }
        try apply(node, file: file)
    }

    /// Takes over a mapping of sections.
    package mutating func apply(_ node: Node, file: String) throws {
        guard let sections = node.mapping else { throw Self.error(file, node, "expected a mapping of sections") }
        for (key, section) in sections {
            let name = key.string ?? ""
            let known = Parameters.sections.map(\.name)
            guard known.contains(name) else {
                throw Self.error(file, key, "unknown section \"\(name)\"" + Nearest.hint(name, known))
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
                    "unknown section \"\(section)\"" + Nearest.hint(String(section), Parameters.sections.map(\.name))
                )
            }
            throw Self.error(
                file, node,
                "unknown parameter \"\(path)\""
                    + (siblings.isEmpty
                        ? "; did you mean \"\(namesakes.joined(separator: "\" or \""))\"?"
                        : Nearest.hint(path, siblings)))
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
        guard let node = try YAMLText.compose(text.isEmpty ? "\"\"" : text, file: source) else {
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

    package static func error(_ file: String, _ node: Node?, _ message: String) -> LecternError {
        .configuration(node?.mark.map { "\(file):\($0.line): \(message)" } ?? "\(file): \(message)")
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
