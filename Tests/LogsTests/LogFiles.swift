import Foundation
import LinearAlgebra
import Logs
import Platform
import ShardKinds
import Shards

/// The project's root, from this file's place in it.
let projectRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

/// A folder that goes when it is no longer used.
final class TemporaryFolder {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.path + "/lectern-logs-\(UUID().uuidString)"
        try! FileSystem.createFolder(path)
    }

    deinit { try? FileSystem.removeAll(path) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try FileSystem.write(bytes, to: path + "/" + name)
        return path + "/" + name
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }
}

/// What an import gives, shards as the bytes that would be written.
struct Imported {
    var cut: LogCut
    var rejects: String
    /// Everything that may depend only on what lies before T.
    var before: [String: [UInt8]]
    var after: [String: [UInt8]]

    func tables(_ shard: Int = 0) throws -> LogCut.ShardTables { try cut.shard(shard) }

    /// Watches before T of all shards, spelled out: `learner course time seconds channel`.
    func watchLines() throws -> [String] {
        let channels = cut.dictionaries["watches.channel"]!.values
        return try (0..<cut.shards).flatMap { shard in
            let tables = try cut.shard(shard)
            return (0..<tables.watches.count).map { i in
                let watches = tables.watches
                let channel = watches.channel[i] == .max ? "-" : channels[Int(watches.channel[i])]
                return "\(tables.learners.ids[Int(watches.learner[i])]) \(cut.catalogue.ids[Int(watches.course[i])]) "
                    + "\(watches.time[i]) \(watches.seconds[i]) \(channel)"
            }
        }.sorted()
    }
}

/// Imports files that are written to a folder for it.
/// - Parameter files: name and content, in the order in which they are listed as inputs.
func importLogs(
    _ mapping: String, _ files: [(name: String, bytes: [UInt8])], asOf: Int64? = nil, shards: Int? = 1,
    maxRejected: Double = 1, maxGap: Int64 = .max, threads: Int = 1, spillBytes: Int = 1 << 26,
    cache: ImportCache? = nil
) throws -> Imported {
    let folder = TemporaryFolder()
    for file in files { try folder.write(file.name, file.bytes) }
    let parsed = try DatasetMapping(yaml: mapping, file: "dataset.yaml")
    let listed = try parsed.inputFiles(dataFolder: folder.path)
    let inputs = files.flatMap { file in listed.filter { $0.path.hasSuffix("/" + file.name) } }
    let spill = TemporaryFolder()
    let settings = LogImport.Settings(
        asOf: asOf, maxGap: maxGap, shards: shards, maxRejected: maxRejected, spillFolder: spill.path,
        spillBytes: spillBytes, cache: cache)
    var logs = try LogImport(parsed, inputs: inputs, settings, Workers(count: threads))
    try logs.read()
    let cut = try logs.cut()
    var before = [LogsShards.courses: LogsShards.encode(cut.catalogue).encoded()]
    var after = [LogsShards.courses: LogsShards.encode(cut.catalogueAfter).encoded()]
    for (column, values) in cut.dictionaries {
        before[LogsShards.dictionary(column)] = LogsShards.encode(values).encoded()
    }
    before[LogsShards.generalSuppressions] = LogsShards.encode(cut.generalSuppressions).encoded()
    for shard in 0..<cut.shards {
        let tables = try cut.shard(shard)
        before[LogsShards.learners(shard, of: cut.shards)] = LogsShards.encode(tables.learners).encoded()
        before[LogsShards.watches(shard, of: cut.shards)] = LogsShards.encode(tables.watches).encoded()
        before[LogsShards.engagements(shard, of: cut.shards)] = LogsShards.encode(tables.engagements).encoded()
        before[LogsShards.suppressions(shard, of: cut.shards)] = LogsShards.encode(tables.suppressions).encoded()
        after[LogsShards.learners(shard, of: cut.shards)] = LogsShards.encode(tables.learnersAfter).encoded()
        after[LogsShards.watches(shard, of: cut.shards)] = LogsShards.encode(tables.watchesAfter).encoded()
        after[LogsShards.engagements(shard, of: cut.shards)] = LogsShards.encode(tables.engagementsAfter).encoded()
    }
    let rejects = String(decoding: logs.rejectedCSV(), as: UTF8.self).replacing(folder.path + "/", with: "")
    return Imported(cut: cut, rejects: rejects, before: before, after: after)
}

func importLogs(
    _ mapping: String, _ files: [(name: String, text: String)], asOf: Int64? = nil, shards: Int? = 1,
    maxRejected: Double = 1, maxGap: Int64 = .max
) throws -> Imported {
    try importLogs(
        mapping, files.map { ($0.name, Array($0.text.utf8)) }, asOf: asOf, shards: shards, maxRejected: maxRejected,
        maxGap: maxGap)
}

/// The mapping of data/lectern.
let ownMapping = try! String(contentsOfFile: projectRoot + "/data/lectern/dataset.yaml", encoding: .utf8)
