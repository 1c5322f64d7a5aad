import Foundation
import ShardKinds
import Shards

/// What the numbers in a column mean.
enum CodeTable: Hashable {
    case courses
    /// Rows of the learners shard with the same number.
    case learners
    /// Values of `logs/dictionary-<name>`.
    case dictionary(String)
}

/// Spells out course numbers, learner numbers and dictionary codes, from the `logs/` of the run that a shard lies in.
///
/// What a column means is said by the shard's header, `codes.<column>` = `courses`, `learners` or the name of a
/// dictionary (`courses.language`), and what a row is by `row` = `course` or `learner`; where the header is silent, by
/// the conventions of docs/shards.md.
final class Names {
    private let logs: StageInput?
    private var tables: [String: Ragged<UInt8>] = [:]

    /// - Parameter path: of a shard.
    init(forShard path: String) throws {
        var folder = (path as NSString).deletingLastPathComponent
        var found: StageInput?
        for _ in 0..<4 {
            let run = folder.isEmpty ? "." : folder
            if FileSystem.exists("\(run)/logs/\(Manifest.fileName)") {
                found = try StageInput(run: run, stage: "import-logs", folder: "logs")
                break
            }
            if folder.isEmpty || folder == "/" { break }
            folder = (folder as NSString).deletingLastPathComponent
        }
        logs = found
    }

    /// Names by number for a column of a shard; nil if its values are no codes or the names are not to be had.
    func names(of column: String, in shard: Shard) throws -> Ragged<UInt8>? {
        guard shard[column]?.type == .u32, let table = Self.table(of: column, in: shard) else { return nil }
        return try names(table, for: shard)
    }

    /// Names of the rows, where a row is a learner or a course and no column says which.
    func rowNames(of shard: Shard) throws -> (label: String, names: Ragged<UInt8>)? {
        if shard.has("id") || shard.has("learner") || shard.columns.isEmpty { return nil }
        if let row = shard.metadata["row"] {
            guard let table: CodeTable = row == "course" ? .courses : row == "learner" ? .learners : nil,
                let names = try names(table, for: shard), names.count == shard.rows
            else { return nil }
            return (row, names)
        }
        if shard.metadata["shard"] != nil, let names = try names(.learners, for: shard), names.count == shard.rows {
            return ("learner", names)
        }
        let ofCourses = ["similarity", "wide"].contains(shard.kind)
        if ofCourses, let names = try names(.courses, for: shard), names.count == shard.rows {
            return ("course", names)
        }
        return nil
    }

    private static let courseColumns: Set<String> = ["course", "courses", "neighbour", "candidate"]

    private static func table(of column: String, in shard: Shard) -> CodeTable? {
        if let said = shard.metadata["codes." + column] {
            return said == "courses" ? .courses : said == "learners" ? .learners : .dictionary(said)
        }
        if courseColumns.contains(column) || column.hasSuffix(".course") { return .courses }
        if column == "learner" { return .learners }
        if column.hasPrefix("attribute.") && ["courses", "learners"].contains(shard.kind) {
            return .dictionary("\(shard.kind).\(column.dropFirst("attribute.".count))")
        }
        if ["kind", "channel"].contains(column) && ["engagements", "watches"].contains(shard.kind) {
            return .dictionary("\(shard.kind).\(column)")
        }
        return nil
    }

    private func names(_ table: CodeTable, for shard: Shard) throws -> Ragged<UInt8>? {
        guard let logs else { return nil }
        switch table {
        case .courses:
            if shard.metadata["catalogue"] != nil { try shard.requireCatalogue(logs.manifest.catalogue) }
            return try load(LogsShards.courses, column: "id")
        case .learners:
            guard let number = shard.integer("shard"), let shards = shard.integer("shards") else { return nil }
            let file = LogsShards.learners(Int(number), of: Int(shards))
            // What follows T has learners of its own.
            if shard.name.contains("/logs/after/") {
                return try load(LogsShards.after(file), column: "id") ?? load(file, column: "id")
            }
            return try load(file, column: "id")
        case .dictionary(let name):
            return try load(LogsShards.dictionary(name), column: "value")
        }
    }

    private func load(_ file: String, column: String) throws -> Ragged<UInt8>? {
        if let known = tables[file] { return known }
        guard let logs, logs.has(file) else { return nil }
        let strings = try logs.shard(file).strings(column)
        // Learners of one shard are not needed once the next is looked at.
        if tables.count > 64 { tables.removeAll() }
        tables[file] = strings
        return strings
    }
}
