import Shards
import Yams

/// YAML as nodes, so that every error has a line.
package enum YAMLText {
    /// Anchors can turn a short text into any number of values.
    private static let mostNodes = 100_000

    /// - Returns: nil: nothing in it.
    package static func compose(_ text: String, file: String) throws -> Node? {
        do {
            let node = try Yams.compose(yaml: text, .default, .default, .utf8)  // without it, the environment is asked
            var left = mostNodes
            if let node, !node.fits(&left) {
                throw LecternError.configuration("\(file): more than \(mostNodes) values (an alias that multiplies?)")
            }
            return node
        } catch let error as YamlError {
            throw LecternError.configuration(message(error, file))
        }
    }

    private static func message(_ error: YamlError, _ file: String) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return "\(file):\(mark.line): not YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            return "\(file):\(context.mark.line): key \"\(keys.first ?? "")\" stands more than once in one mapping"
        default:
            let line = String(describing: error).split(separator: "\n").first.map(String.init) ?? "not YAML"
            return "\(file): not YAML: \(line)"
        }
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
