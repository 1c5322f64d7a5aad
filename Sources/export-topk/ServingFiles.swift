import Foundation
import Platform
import Serving
import ServingSQLite
import ShardKinds
import Shards
import StageKit

/// Writes lists in the configured serving formats beside the shards: text formats gzipped, one file per shard of
/// learners; SQLite one file for all.
struct ServingFiles {
    let stage: StageRun
    let catalogue: Catalogue
    let formats: Set<String>
    private let redis: Redis
    private let sqlite: SQLiteLists?
    /// Files of lists per format: the learners' shards, default lists, related courses.
    private let files: Int

    private static let staging = "staging.sqlite"
    /// Whether all lists go into one file, which one rank must write.
    var isOneFile: Bool { formats.contains("sqlite") }

    init(_ inputs: ExportInputs) throws {
        (stage, catalogue, formats) = (inputs.stage, inputs.catalogue, inputs.settings.formats)
        files = inputs.shards + 2
        redis = Redis(version: Self.version(inputs.stage), secondsToLive: inputs.settings.redisSeconds)
        guard formats.contains("sqlite"), inputs.stage.ranks.isFirst else {
            sqlite = nil
            return
        }
        let staging = try stage.output.path(for: Self.staging)
        // Where SQLite sorts.
        setenv("SQLITE_TMPDIR", (staging as NSString).deletingLastPathComponent, 1)
        let path = try stage.output.path(for: SQLiteLists.fileName)
        sqlite = try Self.reporting { try SQLiteLists(path: path, staging: staging) }
    }

    /// Names this generation of lists: its date and what it was made from.
    private static func version(_ stage: StageRun) -> String {
        let made = stage.manifest.inputs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let digest = Digest.sha256(Array((made + [stage.slice.digest]).joined(separator: "\n").utf8))
        return "\(Moment.text(stage.manifest.asOf).prefix(10))-\(digest.prefix(8))"
    }

    /// - Parameters:
    ///   - keys: one per list; nil: everybody.
    ///   - shard: number and count, in the file's name; nil: one file.
    ///   - fits: what `because` means with reason `fits`.
    func write(
        _ top: TopLists, keys: [String?], _ kind: ListKind, name: String, shard: (Int, Int)?, fits: [String]
    ) throws {
        if formats.subtracting(["shards"]).isEmpty { return }
        let lists = ServedList.lists(top, keys: keys, courses: catalogue.ids, fits: fits)
        try write(lists, kind, name: name, shard: shard)
    }

    func write(related: RankedLists) throws {
        let lists = (0..<related.count).map { course in
            let range = related.range(course)
            return ServedList(
                key: catalogue.ids[course],
                entries: range.map { at in
                    ServedList.Entry(
                        course: catalogue.ids[Int(related.courses[at])], rank: at - range.lowerBound + 1,
                        score: related.scores[at], listScore: related.scores[at])
                })
        }
        try write(lists, .course, name: "related", shard: nil)
    }

    private func write(_ lists: [ServedList], _ kind: ListKind, name: String, shard: (Int, Int)?) throws {
        let stem = shard.map { String(ShardName.of(name, $0.0, of: $0.1).dropLast(ShardName.suffix.count)) } ?? name
        let entries = lists.reduce(0) { $0 + $1.entries.count }
        try text("jsonl", stem + JSONLines.suffix, rows: lists.count) { bytes in
            for list in lists { JSONLines.append(list, kind, to: &bytes) }
        }
        try text("tsv", stem + TabSeparated.suffix, rows: entries) { bytes in
            for list in lists { try TabSeparated.append(list, to: &bytes) }
        }
        try text("trec", stem + TREC.suffix, rows: entries) { bytes in
            for list in lists { try TREC.append(list, kind, to: &bytes) }
        }
        try text("redis", stem + Redis.suffix, rows: lists.count) { bytes in
            for list in lists { redis.append(list, kind, to: &bytes) }
            redis.end(stem, to: &bytes)
        }
        if let sqlite { try Self.reporting { try sqlite.append(lists, kind) } }
    }

    private func text(_ format: String, _ name: String, rows: Int, _ write: (inout [UInt8]) throws -> Void) throws {
        guard formats.contains(format) else { return }
        var bytes: [UInt8] = []
        try Self.reporting { try write(&bytes) }
        try stage.output.write(Gzip.compress(bytes), as: name, rows: rows)
    }

    /// What is written once all lists are: the pointer of Redis, the rows of SQLite in their order.
    func finish() throws {
        try text("redis", Redis.pointerFile, rows: 0) { redis.setPointer(files: files, to: &$0) }
        if formats.contains("redis") { stage.manifest.facts["redis_version"] = .text(redis.version) }
        guard let sqlite else { return }
        let rows = try Self.reporting {
            try sqlite.finish(
                courses: Array(zip(catalogue.ids, catalogue.titles)),
                about: [("as_of", Moment.text(stage.manifest.asOf)), ("release", Lectern.release)])
        }
        try FileSystem.removeAll(stage.output.path(for: Self.staging))
        try stage.output.adopt(SQLiteLists.fileName, rows: rows)
    }

    /// What a format cannot carry is the data's fault; what SQLite could not write is the disk's.
    private static func reporting<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as UnservableID {
            throw LecternError.data("\(error); leave \(error.format) out of export.formats, or rename it")
        } catch let error as SQLiteError {
            throw LecternError(.ioError, error.description)
        }
    }
}
