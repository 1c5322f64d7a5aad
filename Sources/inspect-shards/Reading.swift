import ArgumentParser
import CommandKit
import Foundation
import ShardKinds
import Shards
import StageKit

/// Where to look.
struct PathArgument: ParsableArguments {
    @Argument(help: "A shard, all shards of one name, a stage folder or a run.")
    var path = "out/latest"
}

/// `ls`: files with rows, sizes and digests, as the manifests have them.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "Lists files with rows, bytes on disk and digests.")

    @OptionGroup var place: PathArgument
    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            let path = ShardGroup.trimmed(place.path)
            var table = TextTable(["rows", "bytes", "sha256", "file"])
            if FileSystem.isFolder(path) && !FileSystem.exists("\(path)/\(Manifest.fileName)") {
                let run = try RunFolder(path)
                if run.stages.isEmpty { return try listUnmanaged(path, &table) }
                for stage in run.stages { try list("\(path)/\(stage.folder)", &table) }
            } else if FileSystem.isFolder(path) {
                try list(path, &table)
            } else {
                return try listUnmanaged(path, &table)
            }
            try Terminal.write(table.text)
        }
    }

    private func list(_ folder: String, _ table: inout TextTable) throws {
        let (manifest, _) = try Manifest.read(stageFolder: folder)
        for (name, file) in manifest.outputs.sorted(by: { $0.key < $1.key }) {
            table.add([
                file.rows.map(String.init) ?? "", String(file.bytes), String(file.sha256.prefix(12)),
                "\(folder)/\(name)",
            ])
        }
    }

    /// Shards without a manifest: what other programs wrote.
    private func listUnmanaged(_ path: String, _ table: inout TextTable) throws {
        for file in try ShardGroup.find(path).flatMap(\.files) {
            let shard = try Shard(contentsOf: file)
            let bytes = FileSystem.status(file)?.bytes ?? 0
            table.add([String(shard.rows), String(bytes), String(shard.digest.prefix(12)), file])
        }
        try Terminal.write(table.text)
    }
}

/// `schema`: header and columns.
struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the header and the columns of a shard (of a folder: of the first shard of each name).")

    @OptionGroup var place: PathArgument
    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            for group in try ShardGroup.find(place.path) {
                let shard = try Shard(contentsOf: group.files[0])
                if try !Terminal.write(Self.describe(shard, files: group.files.count) + "\n") { return }
            }
        }
    }

    static func describe(_ shard: Shard, files: Int) -> String {
        var text = "\(shard.name)" + (files > 1 ? " (and \(files - 1) like it)" : "") + "\n"
        for (key, value) in shard.metadata.sorted(by: { $0.key < $1.key }) {
            let time = ["as_of", "newest_event", "time"].contains(key) ? Int64(value).map(Moment.text) : nil
            text += "  \(key): \(value)" + (time.map { " (\($0))" } ?? "") + "\n"
        }
        var table = TextTable(["  column", "type", "form"])
        for column in shard.columns where !Table.isHelper(column.name, of: shard) {
            table.add(["  " + column.name, column.type.rawValue, form(column, of: shard)])
        }
        return text + table.text
    }

    private static func form(_ column: Shard.Column, of shard: Shard) -> String {
        if column.shape.count == 2 { return "matrix \(column.shape[0]) × \(column.shape[1])" }
        var form = "value"
        if shard.has(column.name + ".offsets") { form = column.type == .u8 ? "string" : "list" }
        return form + (shard.has(column.name + ".valid") ? " or null" : "")
    }
}

/// `head`: the first rows, for people.
struct Head: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the first rows of a shard (of a folder: of the first shard of each name that has rows).")

    @OptionGroup var place: PathArgument
    @Option(name: .shortAndLong, help: "Number of rows.")
    var rows = 10
    @Option(help: "Columns, split by commas.")
    var columns: String?
    @Flag(help: "Leave codes as numbers.")
    var raw = false
    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if rows < 0 { throw ValidationError("--rows is \(rows), expected 0 or more") }
    }

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            for group in try ShardGroup.find(place.path) {
                var shard = try Shard(contentsOf: group.files[0])
                for file in group.files.dropFirst() where shard.rows == 0 { shard = try Shard(contentsOf: file) }
                let table = try Table(
                    shard, columns: columns.map(commaList), names: raw ? nil : Names(forShard: shard.name))
                var text = TextTable(table.columns.map(\.name), widest: 40)
                for row in 0..<min(rows, table.rows) {
                    text.add(table.columns.map { table.cell(row, $0).shortened(5).plain })
                }
                let title = "\(shard.name): \(shard.kind), \(shard.rows) rows\n"
                if try !Terminal.write(title + text.text + "\n") { return }
            }
        }
    }
}

func commaList(_ text: String) -> [String] {
    text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
}

/// `cat`: all rows, for programs.
struct Cat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes all rows as CSV, TSV or JSON Lines, with ids and dictionary values spelled out.",
        discussion: "Several shards of one name come in order of their numbers. Memory: one shard.")

    @OptionGroup var place: PathArgument
    @Option(help: "csv, tsv (as PostgreSQL's COPY reads it) or jsonl.")
    var format = RowFormat.csv
    @Option(help: "Columns, split by commas.")
    var columns: String?
    @Flag(help: "Leave codes as numbers.")
    var raw = false
    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            let group = try ShardGroup.one(place.path)
            let names = raw ? nil : try Names(forShard: group.files[0])
            var header: [String]?
            for file in group.files {
                let table = try Table(Shard(contentsOf: file), columns: columns.map(commaList), names: names)
                let labels = table.columns.map(\.name)
                if let header, header != labels {
                    throw LecternError.data(
                        "\(file): columns \(labels.joined(separator: ", ")), the files before it have "
                            + header.joined(separator: ", "))
                }
                if header == nil, try !Terminal.write(format.header(labels)) { return }
                header = labels
                if try !write(table, labels) { return }
            }
        }
    }

    /// - Returns: false when the reader has gone away.
    private func write(_ table: Table, _ labels: [String]) throws -> Bool {
        var text = ""
        for row in 0..<table.rows {
            text += format.row(labels, table.columns.map { table.cell(row, $0) })
            if text.utf8.count > 1 << 16 {
                if try !Terminal.write(text) { return false }
                text.removeAll(keepingCapacity: true)
            }
        }
        return try Terminal.write(text)
    }
}
