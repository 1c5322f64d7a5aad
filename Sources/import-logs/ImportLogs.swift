// Reads   log files as data/<name>/dataset.yaml maps them (listed in config/inputs.txt)
// Writes  logs/: per shard watches, engagements, learners before T; courses and dictionaries once;
//         logs/after/: what follows T, with a manifest of its own; logs/rejected.csv.gz
// Memory  the catalogue, --spill-mib of records (beyond that, files), one shard per thread

import ArgumentParser
import Logs
import ShardKinds
import Shards
import StageKit

@main
struct ImportLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-logs",
        abstract: "Turns log files into the tables of a run, cut at T.",
        discussion: """
            CSV or TSV, plain or gzipped, as the run's dataset file maps it. Rows that cannot be used go to \
            logs/rejected.csv.gz. Files of events that were parsed before, by any run, come from a cache by the digest of \
            their bytes; the result is the same byte for byte. Memory: the catalogue, --spill-mib of records (beyond that, temporary files in the run \
            folder), and for each thread one shard, or the parsed rows of one file.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    @Option(name: .long, help: "MiB of records kept in memory before they go to temporary files.")
    var spillMib = 2048

    @Option(name: .long, help: "Folder of the cache of parsed files. Default: import-cache beside the run folder.")
    var cache: String?

    @Option(name: .long, help: "MiB that the cache may hold; least recently used files go first. 0: no cache.")
    var cacheMib = 16_384

    func validate() throws {
        if !(0...1_000_000_000).contains(cacheMib) {
            throw ValidationError("--cache-mib \(cacheMib): expected 0 to 1000000000")
        }
        if !(0...1_000_000).contains(spillMib) {
            throw ValidationError("--spill-mib \(spillMib): expected 0 to 1000000")
        }
    }

    func run() throws {
        try runStage(.importLogs, options) { stage in
            // Every rank reads all files; what is dealt is the writing.
            let spillFolder = stage.output.partialPath + "/spill-\(stage.ranks.rank)"
            try FileSystem.createFolder(spillFolder)
            let dataset = stage.slice.text("dataset")
            let mapping = try DatasetMapping(yaml: dataset, file: "config/import-logs.json")
            let cache = importCache(stage, Array(dataset.utf8))
            let inputs = try InputList.read(run: stage.run)
            try stage.requireMemory(recordBytes(inputs))
            let before = inputs.map { FileSystem.status($0.path)?.modified }
            var logs = try stage.step("open files") {
                try LogImport(mapping, inputs: inputs, settings(stage, spillFolder, cache), stage.workers)
            }
            try stage.step("read") {
                let progress = stage.progress("read", total: logs.fileCount, unit: "files")
                try logs.read { progress.advance() }
            }
            if let cache { stage.say("\(cache.hitCount) of \(logs.fileCount) files were parsed before") }
            let cut = try stage.step("cut") { try logs.cut() }
            for (input, time) in zip(inputs, before) where FileSystem.status(input.path)?.modified != time {
                throw LecternError.data(
                    "\(input.path): changed while it was read; deliver log files whole (write elsewhere, then rename), and "
                        + "run again")
            }
            describe(cut, in: stage)
            try stage.step("write shards") { try ShardWriter(cut, stage).write() }
            let rejected = Gzip.compress(logs.rejectedCSV())
            try stage.output.write(rejected, as: "rejected.csv.gz", listed: false)
            try FileSystem.removeAll(spillFolder)
        }
    }

    /// Records take about three times the bytes of gzipped files, up to what is kept before it goes to temporary files.
    private func recordBytes(_ inputs: [(table: String, path: String)]) -> Int {
        min(spillMib << 20, 3 * inputs.reduce(0) { $0 + (FileSystem.status($1.path)?.bytes ?? 0) })
    }

    private func importCache(_ stage: StageRun, _ dataset: [UInt8]) -> ImportCache? {
        if cacheMib == 0 { return nil }
        let log = stage.log
        return ImportCache(
            folder: cache ?? stage.run + "/../import-cache", limit: cacheMib << 20, mapping: dataset,
            warn: { log.warning("\($0)") })
    }

    private func settings(_ stage: StageRun, _ spillFolder: String, _ cache: ImportCache?) -> LogImport.Settings {
        let asOf: Int64? =
            switch stage.slice.value("run.as_of") {
            case .integer(let seconds): Int64(seconds)
            case .text(let text): Moment.parse(text)
            default: nil
            }
        return LogImport.Settings(
            asOf: asOf, maxGap: stage.slice.seconds("run.max_gap") ?? .max,
            shards: stage.slice.automaticInteger("run.shards"), maxRejected: stage.slice.number("import.max_rejected"),
            spillFolder: spillFolder, spillBytes: spillMib << 20, cache: cache)
    }

    /// The manifest of logs/ says nothing that depends on events at or after T; that of logs/after/ says the rest.
    private func describe(_ cut: LogCut, in stage: StageRun) {
        stage.manifest.asOf = cut.asOf
        stage.manifest.newestEvent = cut.newestEvent
        stage.manifest.catalogue = LogsShards.catalogueDigest(cut.catalogue.ids)
        stage.manifest.facts["shards"] = .integer(Int64(cut.shards))
        stage.count("learners", cut.learnerCount)
        stage.count("courses", cut.catalogue.count)
        stage.count("watches", cut.accounts[.watches]?.before ?? 0)
        stage.count("engagements", cut.accounts[.engagements]?.before ?? 0)
        if cut.publishedEarly > 0 { stage.count("courses watched before their publication", cut.publishedEarly) }
        var after = Manifest(
            stage: stage.name.rawValue, release: Lectern.release, config: stage.slice.digest, asOf: cut.asOf,
            newestEvent: cut.newestAfter)
        after.catalogue = stage.manifest.catalogue
        for table in LogTable.allCases {
            guard let account = cut.accounts[table] else { continue }
            let name = table.rawValue
            after.counts["\(name) read"] = account.read
            after.counts["\(name) before T"] = account.before
            after.counts["\(name) from T on"] = account.after
            after.counts["\(name) rejected"] = account.rejected
            stage.say(
                "\(name): \(account.read) rows read = \(account.before) before T + \(account.after) from T on + "
                    + "\(account.rejected) rejected")
        }
        stage.nested[LogsShards.afterFolder] = after
        stage.say("T \(Moment.text(cut.asOf)), newest event before it \(Moment.text(cut.newestEvent))")
    }
}

/// `config/inputs.txt`: `table<TAB>path<TAB>bytes<TAB>mtime_ns`, one line a file.
enum InputList {
    static func read(run: String) throws -> [(table: String, path: String)] {
        let path = run + "/config/inputs.txt"
        guard try FileSystem.entry(path) != nil else {
            throw LecternError.missing("\(path): not there; make import-logs writes it")
        }
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
        let files = try text.split(separator: "\n").enumerated().map { number, line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count == 4 else {
                throw LecternError.data("\(path):\(number + 1): expected table, path, bytes and time of change")
            }
            return (table: String(fields[0]), path: String(fields[1]))
        }
        if files.isEmpty { throw LecternError.missing("\(path): names no file; make import-logs writes it anew") }
        return files
    }
}
