import ConfigText
import Foundation
import Shards
import Yams

/// `data/<name>/dataset.yaml`: how the files of a dataset become the pipeline's tables (docs/datasets.md). JSON is
/// YAML too, so the copy in a stage's slice of the configuration is read by the same initialiser.
package struct DatasetMapping {
    /// One sentence or more for people.
    package let about: String
    package let sources: [SourceMapping]
    /// Recommended parameters, by section as in `pipeline.yaml`; unchecked.
    package let pipeline: Yams.Node?
    /// Recommended cuts and windows of backtests; unchecked.
    package let backtest: Yams.Node?

    /// - Parameters:
    ///   - text: the document.
    ///   - file: how it is called in messages.
    /// - Throws: `.configuration` with file, line, key, what was found and what is allowed.
    package init(yaml text: String, file: String) throws {
        let tables = LogTable.allCases.map(\.rawValue)
        let root = try MappingReader(
            Self.compose(text, file), file: file, path: "",
            known: ["about"] + SourceDefaults.keys + tables + ["pipeline", "backtest"])
        about = try root.text("about") ?? ""
        pipeline = root.value("pipeline")
        backtest = root.value("backtest")
        let defaults = try SourceDefaults(root, inherited: SourceDefaults())
        var sources: [SourceMapping] = []
        for table in LogTable.allCases {
            guard let node = root.value(table.rawValue) else { continue }
            for (index, item) in (node.sequence.map(Array.init) ?? [node]).enumerated() {
                sources.append(try SourceMapping(item, table, index: index, file: file, defaults))
            }
        }
        guard sources.contains(where: { $0.table == .watches }) else {
            throw root.error(nil, "table \"watches\" is missing: without it there is nothing to learn from")
        }
        self.sources = sources
        try checkAttributes(root)
    }

    private static func compose(_ text: String, _ file: String) throws -> Node {
        if let node = try YAMLText.compose(text, file: file) { return node }
        throw LecternError.configuration("\(file): empty, expected the tables of a dataset (docs/datasets.md)")
    }

    /// An attribute must be of one type in all sources of its table.
    private func checkAttributes(_ root: MappingReader) throws {
        var kinds: [String: String] = [:]
        for source in sources {
            for column in source.columns where column.isAttribute {
                let name = "\(source.table.rawValue).\(column.target)"
                let kind = column.conversion.attributeKind
                if let known = kinds[name], known != kind {
                    throw root.error(
                        source.table.rawValue,
                        "column \"\(column.target)\" is a \(known) in one source, a \(kind) in another")
                }
                kinds[name] = kind
            }
        }
    }

    /// Whether some events are test pairs without a time of their own: then T must be `TimeForm.heldOutFrom`.
    package var holdsOut: Bool {
        sources.contains { $0.columns.contains { $0.conversion == .time(.heldOut) } }
    }

    package func sources(_ table: LogTable) -> [SourceMapping] { sources.filter { $0.table == table } }
    package func source(label: String) -> SourceMapping? { sources.first { $0.label == label } }

    /// The files that the patterns match, by source and name, in byte order.
    /// - Returns: `table` is the source's label: `watches`, `watches.2` …
    /// - Throws: `.inputMissing` naming pattern and folder where a required one matches nothing.
    package func inputFiles(dataFolder: String) throws -> [(table: String, path: String)] {
        guard try FileSystem.entry(dataFolder)?.isFolder == true else {
            throw LecternError.missing("\(dataFolder): no such folder; DATA must name the one that holds the logs")
        }
        var files: [(table: String, path: String)] = []
        for source in sources {
            var paths: Set<String> = []
            for pattern in source.files {
                let matched = try FilePattern(pattern).matches(in: dataFolder)
                if matched.isEmpty && !source.optional {
                    throw LecternError.missing(
                        "\(dataFolder): no file matches \"\(pattern)\" (table \(source.table.rawValue)); DATA must name "
                            + "the folder that holds it, or the dataset file say optional: true")
                }
                paths.formUnion(matched)
            }
            files += paths.map { (source.label, $0) }
        }
        return files.sorted {
            $0.table == $1.table
                ? $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
                : $0.table.utf8.lexicographicallyPrecedes($1.table.utf8)
        }
    }
}

/// A relative path in which `*` stands for any characters within one folder or file name.
package struct FilePattern: Sendable {
    private let parts: [String]

    package init(_ pattern: String) { parts = pattern.split(separator: "/").map(String.init) }

    /// Files under a folder, as `<folder>/<relative path>`.
    /// - Throws: for a matching name that is a folder (but for `*`, which means all files), or whose file cannot be looked
    ///   at: it may hold what the run needs.
    package func matches(in folder: String) throws -> [String] {
        var candidates = [folder.hasSuffix("/") ? String(folder.dropLast()) : folder]
        for (index, part) in parts.enumerated() {
            let last = index == parts.count - 1
            var next: [String] = []
            for candidate in candidates {
                let isPattern = part.contains("*")
                let names = isPattern ? try FileSystem.list(candidate) : [part]
                for name in names where Self.match(Array(part.utf8)[...], Array(name.utf8)[...]) {
                    let path = candidate + "/" + name
                    guard let entry = try FileSystem.entry(path) else {
                        if !isPattern { continue }
                        throw LecternError.missing(
                            "\(path): its name is there, it is not: a link to a place that is not mounted?")
                    }
                    if last && entry.isFolder {
                        if part == "*" { continue }
                        throw LecternError.missing(
                            "\(path): is a folder, expected a file; for files within it, add /* to the pattern")
                    }
                    if last && !entry.isFile {
                        throw LecternError.missing("\(path): is a pipe or a device, expected a file")
                    }
                    if last || entry.isFolder { next.append(path) }
                }
            }
            candidates = next
        }
        return parts.isEmpty ? [] : candidates
    }

    static func match(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == UInt8(ascii: "*") {
            // A leading dot is matched only by a dot: hidden and partial files are no input.
            if name.first == UInt8(ascii: ".") && name.startIndex == 0 { return false }
            return (name.startIndex...name.endIndex).contains { match(pattern.dropFirst(), name[$0...]) }
        }
        return name.first == first && match(pattern.dropFirst(), name.dropFirst())
    }
}
