import ArgumentParser
import CommandKit
import DenseAlgebra
import Foundation
import LinearAlgebra
import Logging
import Ranks
import Shards

#if canImport(Glibc)
    import Glibc
#endif

/// One run of one stage: its inputs, its output while it is being written, what its manifest will say.
package final class StageRun {
    package let name: StageName
    package let run: String
    package let slice: Slice
    /// The threads of this process.
    package let workers: Workers
    /// Those that share this stage's work; this process alone if the stage is not dealt.
    package let ranks: Ranks
    package let log: Logger
    package let output: StageOutput
    /// Filled in by the stage: as_of, newest_event, catalogue (taken from the inputs), counts, facts.
    package var manifest: Manifest
    /// Manifests of subfolders whose files the stage's own does not list (`logs/after/`).
    package var nested: [String: Manifest] = [:]
    /// What can go once the output is in its place (checkpoints): paths, removed if possible.
    package var removedAfterCommit: [String] = []
    private var opened: [StageName: StageInput] = [:]
    private var timings: [(String, Double)] = []
    private let start = ProcessInfo.processInfo.systemUptime

    init(_ name: StageName, _ options: StageOptions, _ log: Logger) throws {
        self.name = name
        run = options.run
        self.log = log
        workers = Workers(count: options.threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount))
        ranks = name.isDealt ? .world : .one
        BLAS.useOneThread()
        slice = try Slice(stage: name, path: options.config ?? "\(run)/config/\(Slice.fileName(name))")
        output =
            Ranks.world.isFirst
            ? try StageOutput(run: run, stage: name.folder) : StageOutput(joining: run, stage: name.folder)
        manifest = Manifest(
            stage: name.rawValue, release: Lectern.release, config: slice.digest, asOf: 0, newestEvent: 0)
        log.debug("OpenBLAS kernels: \(BLAS.coreName)")
    }

    /// Opens an input stage. Checks that nothing in it comes from T or later and that all inputs opened so far are
    /// of one generation.
    package func input(_ stage: StageName) throws -> StageInput {
        if let known = opened[stage] { return known }
        precondition(name.inputs.contains(stage), "\(name) does not declare \(stage) as an input")
        let input: StageInput
        do {
            input = try StageInput(run: run, stage: stage.rawValue, folder: stage.folder)
        } catch let error as LecternError where error.code == .inputMissing {
            throw LecternError.missing(
                "\(run)/\(stage.folder)/manifest.json: not there; make \(stage.rawValue) makes it")
        }
        let made = input.manifest
        guard made.newestEvent < made.asOf else {
            throw LecternError.data(
                "\(input.folder)/manifest.json: newest_event \(Moment.text(made.newestEvent)) is not before as_of "
                    + "\(Moment.text(made.asOf)): it saw what it must not see; make \(stage.rawValue) rebuilds it")
        }
        for (other, known) in opened {
            try Self.agree(input, stage, known, other)
        }
        opened[stage] = input
        manifest.inputs[stage.folder] = input.digest
        manifest.asOf = made.asOf
        manifest.newestEvent = max(manifest.newestEvent, made.newestEvent)
        if !made.catalogue.isEmpty { manifest.catalogue = made.catalogue }
        return input
    }

    /// Both were made from the same generation of everything they share, and of each other.
    package static func agree(_ a: StageInput, _ aStage: StageName, _ b: StageInput, _ bStage: StageName) throws {
        var pairs: [(String, String?, String?)] = a.manifest.inputs.keys.map {
            ($0, a.manifest.inputs[$0], b.manifest.inputs[$0])
        }
        pairs.append((bStage.folder, a.manifest.inputs[bStage.folder], b.digest))
        pairs.append((aStage.folder, b.manifest.inputs[aStage.folder], a.digest))
        for (folder, left, right) in pairs.sorted(by: { $0.0 < $1.0 }) {
            if let left, let right, left != right {
                throw LecternError.data(
                    "\(a.folder) and \(b.folder) were made from different generations of \(folder)/; "
                        + "make all brings them together")
            }
        }
    }

    /// Writes a shard with the run's standard metadata.
    package func write(_ shard: ShardBuilder, as file: String, shardNumber: (Int, of: Int)? = nil) throws {
        var shard = shard
        let manifest = nested.first { file.hasPrefix($0.key + "/") }?.value ?? manifest
        shard.metadata["lectern.version"] = Lectern.release
        shard.metadata["stage"] = name.rawValue
        shard.metadata["as_of"] = String(manifest.asOf)
        shard.metadata["newest_event"] = String(manifest.newestEvent)
        shard.metadata["config"] = slice.digest
        if !manifest.catalogue.isEmpty { shard.metadata["catalogue"] = manifest.catalogue }
        if let parsed = shardNumber.map({ ($0.0, $0.of) }) ?? ShardName.parse(file).map({ ($0.shard, $0.shards) }) {
            shard.metadata["shard"] = String(parsed.0)
            shard.metadata["shards"] = String(parsed.1)
        }
        try output.write(shard, as: file)
    }

    /// Runs a named step and notes its seconds for `stats.json`.
    package func step<Result>(_ label: String, _ body: () throws -> Result) rethrows -> Result {
        let start = ProcessInfo.processInfo.systemUptime
        let result = try body()
        timings.append((label, ProcessInfo.processInfo.systemUptime - start))
        log.debug("\(label): \(Self.seconds(timings.last!.1))")
        return result
    }

    /// A line of talk on standard error.
    package func say(_ text: String) { log.info("\(text)") }
    package func warn(_ text: String) { log.warning("\(text)") }

    package func progress(_ label: String, total: Int, unit: String) -> Progress {
        Progress(label, total: total, unit: unit, log: log)
    }

    /// Adds to a count of the manifest and the summary ("read", "kept", "dropped: bot").
    package func count(_ key: String, _ value: Int) { manifest.counts[key, default: 0] += value }

    /// Sizes are checked before they are allocated: whoever runs out of memory under Linux is killed without a word.
    /// - Throws: `.ioError` if `bytes` more are not to be had, naming what lowers them.
    package func requireMemory(_ bytes: Int) throws { try name.requireMemory(bytes) }

    fileprivate func endIfMemoryRunsOut(_ talk: TalkOptions) {
        let (name, run) = (name, Ranks.world.isFirst ? run : nil)
        MemoryWatch.begin { held in
            let message =
                "\(name.rawValue): needs more than the \(held >> 20) MiB taken, this process may have \(Memory.limits): "
                + "\(name.lowersMemory); so do fewer THREADS, more run.shards, or give it a higher limit"
            // The other threads are at work, and take more: what they wrote stays until the next start, as after a kill.
            endNow(name.rawValue, talk, run: run, .ioError, message)
        }
    }

    func finish() throws {
        let parts = exchangeParts()
        if Ranks.world.isFirst { try commit(parts) }
        _ = Ranks.world.exchange([])
    }

    private func commit(_ parts: [Part]) throws {
        for part in parts.dropFirst() { output.list(part.files) }
        let seconds = ProcessInfo.processInfo.systemUptime - start
        let peak = Self.peakMemory()
        var stats: [String: Value] = [
            "seconds": .number(seconds), "cpu_seconds": .number(parts.reduce(0) { $0 + $1.cpuSeconds }),
            "peak_memory_bytes": .integer(peak), "threads": .integer(workers.count), "blas_core": .text(BLAS.coreName),
        ]
        stats["steps"] = .list(timings.map { .map(["name": .text($0.0), "seconds": .number($0.1)]) })
        if parts.count > 1 { stats["ranks"] = .list(parts.map(\.statistics)) }
        try output.write(Value.map(stats).jsonBytes(), as: "stats.json", listed: false)
        try output.commit(manifest, nested: nested)
        for path in removedAfterCommit { try? FileSystem.removeAll(path) }
        let counts = manifest.counts.keys.sorted().map { "\($0) \(manifest.counts[$0]!)" }.joined(separator: ", ")
        let together = parts.count > 1 ? ", \(parts.count) ranks" : ""
        log.info("done: \(counts); \(Self.seconds(seconds)), peak memory \(peak >> 20) MiB\(together)")
    }

    static func seconds(_ value: Double) -> String { String(format: "%.1f s", value) }

    /// Largest resident size of this process so far, bytes.
    static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

/// What every stage takes on the smallest data, bytes.
private let leastMemory = 48 << 20

/// Runs a stage from lock to summary, and ends the process with the documented exit code: the only place that does.
/// Of several ranks the first holds the lock, commits and talks.
package func runStage(_ name: StageName, _ options: StageOptions, _ body: (StageRun) throws -> Void) throws {
    let ranks = Ranks.world
    let isFirst = Ranks.launchedRank == 0
    try reportingErrors(name.rawValue, options.talk, run: isFirst ? options.run : nil, isMute: !isFirst) { log in
        try ranks.endingTogether(name, run: options.run, log) {
            let lock = isFirst ? try RunLock(run: options.run, underLauncher: ranks.areSeveral) : nil
            try name.requireMemory(leastMemory)
            // The others join an output that the first has begun.
            if !isFirst { try ranks.requireSameKernels() }
            let stage = try StageRun(name, options, log)
            if isFirst { try ranks.requireSameKernels() }
            stage.endIfMemoryRunsOut(options.talk)
            do {
                if isFirst || name.isDealt { try body(stage) }
                try stage.finish()
            } catch {
                if isFirst { stage.output.abandon() }
                throw (error as? LecternError).map { $0.withRemedy(run: options.run) } ?? error
            }
            if isFirst { FailureNote.clear(run: options.run, stage: name.rawValue) }
            _ = consume lock
        }
    }
}
