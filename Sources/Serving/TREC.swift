/// Run files as trec_eval and ir_measures read them (docs/serving.md): `topic Q0 document rank score tag`, one entry a
/// line. Those programs sort by score and break ties in their own ways, so the score written is the list score made
/// strictly decreasing, by the next smaller 32-bit number where it is not.
package enum TREC {
    package static let suffix = ".trec.gz"
    package static let tag = "lectern"

    /// - Throws: `UnservableID` for an id that is empty or has white space or control characters: fields are divided by
    ///   blanks, and there is no escape.
    package static func append(_ list: ServedList, _ kind: ListKind, to bytes: inout [UInt8]) throws {
        if list.entries.isEmpty { return }
        let topic = try topic(list.key, kind)
        var last = Float.infinity
        for entry in list.entries {
            last = min(entry.listScore, last.nextDown)
            try check(entry.course)
            bytes += "\(topic) Q0 \(entry.course) \(entry.rank) \(last) \(tag)\n".utf8
        }
    }

    /// Default lists are topics `default` and `default/<segment>`.
    private static func topic(_ key: String?, _ kind: ListKind) throws -> String {
        if let key { try check(key) }
        if kind == .segment { return "default" + (key.map { "/" + $0 } ?? "") }
        return key ?? "default"
    }

    private static func check(_ id: String) throws {
        if id.isEmpty { throw UnservableID(id: id, format: "trec", reason: "it is empty") }
        for scalar in id.unicodeScalars
        where scalar.properties.isWhitespace || scalar.properties.generalCategory == .control {
            throw UnservableID(
                id: id, format: "trec", reason: "it contains white space or control characters, which divide fields")
        }
    }
}
