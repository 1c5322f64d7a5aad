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

/// Work of a stage that is dealt to its ranks (docs/cluster.md). Outside of `deal` every rank computes the same and
/// only the first writes; inside, each writes what belongs to its own items.
extension StageRun {
    /// `[body(0), body(1), …]` on every rank: each rank computes a contiguous range of the items on its threads.
    /// - Parameter alone: whether the first rank takes all items.
    package func deal<Result: Codable>(
        _ items: Int, alone: Bool = false, _ body: (Int) throws -> Result
    ) throws -> [Result] {
        if !ranks.areSeveral { return try workers.map(items, body) }
        let own = alone ? 0..<(ranks.isFirst ? items : 0) : allWorkers.own(items)
        let found = try dealing { try workers.map(own.count) { try body(own.lowerBound + $0) } }
        return try exchange(found).flatMap { $0 }
    }

    /// As `deal`, for what only writes.
    package func dealEach(_ items: Int, _ body: (Int) throws -> Void) throws {
        let own = allWorkers.own(items)
        try dealing { try workers.forEach(own.count) { try body(own.lowerBound + $0) } }
    }

    /// What `body` makes of each rank's range of the items, in rank order; with one rank, of all of them.
    package func dealRanges<Result: Codable>(_ items: Int, _ body: (Range<Int>) throws -> Result) throws -> [Result] {
        if !ranks.areSeveral { return [try body(0..<items)] }
        return try exchange(dealing { try body(allWorkers.own(items)) })
    }

    private func exchange<Value: Codable>(_ own: Value) throws -> [Value] {
        let encoder = PropertyListEncoder()
        encoder.outputFormat = .binary
        return try ranks.exchange([UInt8](try encoder.encode(own))).map {
            try PropertyListDecoder().decode(Value.self, from: Data($0))
        }
    }

    /// Threads and ranks, for algorithms that deal their work.
    package var allWorkers: Workers { Workers(count: workers.count, ranks: ranks) }

    private func dealing<Result>(_ body: () throws -> Result) rethrows -> Result {
        let wasSilent = output.isSilent
        output.isSilent = false
        defer { output.isSilent = wasSilent }
        return try body()
    }

    /// What a rank tells the first one at its end.
    struct Part: Codable {
        var host: String
        var files: [String: Manifest.File]
        var traffic: Ranks.Traffic
        /// Of all threads, user and system.
        var cpuSeconds: Double
        var peakMemory: Int

        var statistics: Value {
            .map([
                "host": .text(host), "files": .integer(files.count), "meetings": .integer(traffic.meetings),
                "bytes_sent": .integer(traffic.bytesSent), "seconds_waiting": .number(traffic.secondsWaiting),
                "cpu_seconds": .number(cpuSeconds), "peak_memory_bytes": .integer(peakMemory),
            ])
        }
    }

    /// By rank; the first one's files are listed already.
    func exchangeParts() -> [Part] {
        let world = Ranks.world
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        let own = Part(
            host: world.host, files: output.listed, traffic: world.traffic,
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), peakMemory: Self.peakMemory())
        if !world.areSeveral { return [own] }
        let all = world.exchange([UInt8](try! JSONEncoder().encode(own)))
        return all.map { try! JSONDecoder().decode(Part.self, from: Data($0)) }
    }
}

extension Ranks {
    /// The first meeting of a stage. Who computed a shard must not show: ranks on different kinds of processor would.
    func requireSameKernels() throws {
        let all = exchange(Array("\(Lectern.release) with OpenBLAS kernels \(BLAS.coreName)".utf8))
            .map { String(decoding: $0, as: UTF8.self) }
        if let other = all.firstIndex(where: { $0 != all[0] }) {
            throw LecternError.configuration(
                "rank 0 runs \(all[0]), rank \(other) \(all[other]): results would depend on who computed what; set "
                    + "OPENBLAS_CORETYPE for all")
        }
    }

    /// Runs `body`; an error of any rank ends all of them: the first reports it, all exit with its code.
    func endingTogether(_ stage: StageName, run: String, _ log: Logger, _ body: () throws -> Void) throws {
        if Self.launched > 1 && !areSeveral {
            throw LecternError(
                .usage,
                "started as \(Self.launched) ranks, but built without MPI; build with make build TRAITS=MPI, or leave LAUNCH "
                    + "empty")
        }
        if !areSeveral {
            defer { stop() }
            return try body()
        }
        whenOneFails { failure in
            if self.isFirst { reportFailure(failure, stage, run, log) }
            self.stop()
            exit(failure.code)
        }
        do {
            try body()
        } catch {
            let (code, message) = explained(error)
            fail(code: code.rawValue, message: message)
        }
        stop()
    }
}

private func reportFailure(_ failure: Ranks.Failure, _ stage: StageName, _ run: String, _ log: Logger) {
    let message = "rank \(failure.rank) on \(failure.host): \(failure.message)"
    log.error("\(message)")
    let code = Shards.ExitCode(rawValue: failure.code) ?? .ourBug
    if code == .locked { return }  // the run is another one's
    try? FileSystem.removeAll("\(run)/\(stage.folder).partial")
    FailureNote.write(run: run, stage: stage.rawValue, code: code, message: message)
}
