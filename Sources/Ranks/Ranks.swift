import FoundationEssentials
import Synchronization

#if MPI
    import CMPI
#endif

/// The processes that run one stage together: by an MPI launcher, if the package was built with the trait `MPI`; else
/// this process alone (rank 0 of 1). All ranks run the same program and meet in the same calls of `exchange` and
/// `share`, in the same order, each on its main thread.
///
/// A rank that fails calls `fail` in the place of its next meeting. Every rank then ends by `whenOneFails`: an error
/// needs no second way to travel, and nobody waits for a rank that has given up.
package final class Ranks: Sendable {
    package let rank: Int
    package let count: Int
    /// Name of this rank's machine.
    package let host: String
    /// Whether processes other than this one take part.
    package var areSeveral: Bool { count > 1 }
    package var isFirst: Bool { rank == 0 }

    /// What this rank has sent and how long it has waited for others.
    package struct Traffic: Codable, Sendable {
        package var meetings = 0
        package var bytesSent = 0
        package var secondsWaiting = 0.0
    }
    private let counted = Mutex(Traffic())
    private let ending = Mutex<(@Sendable (Failure) -> Never)?>(nil)

    package var traffic: Traffic { counted.withLock { $0 } }

    private init(rank: Int, count: Int, host: String) {
        (self.rank, self.count, self.host) = (rank, count, host)
    }

    /// This process alone.
    package static let one = Ranks(rank: 0, count: 1, host: "")

    /// What the launcher started; `one` without a launcher.
    package static let world: Ranks = {
        #if MPI
            if launched > 0 {
                var (rank, count): (Int32, Int32) = (0, 0)
                lmpi_start(&rank, &count)
                let host = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) {
                    lmpi_host($0.baseAddress!, 256)
                    return String(cString: $0.baseAddress!)
                }
                // Virtual nodes share a host name.
                let node = ProcessInfo.processInfo.environment["SLURMD_NODENAME"]
                return Ranks(rank: Int(rank), count: Int(count), host: node ?? host)
            }
        #endif
        return one
    }()

    /// How many processes an MPI launcher says it started, and which this one is; 0 and 0 without a launcher.
    package static let launched = number("OMPI_COMM_WORLD_SIZE") ?? underPMIx("SLURM_STEP_NUM_TASKS") ?? 0
    package static let launchedRank = number("OMPI_COMM_WORLD_RANK") ?? underPMIx("SLURM_PROCID") ?? 0

    /// `srun --mpi=pmix` starts ranks; srun for another purpose does not.
    private static func underPMIx(_ name: String) -> Int? { number("PMIX_RANK") == nil ? nil : number(name) }

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    // MARK: Meetings

    package struct Failure: Codable, Sendable {
        package var rank: Int
        package var host: String
        package var code: Int32
        package var message: String
    }

    /// - Parameter end: called on every rank with the failure of the lowest failing rank.
    package func whenOneFails(_ end: @escaping @Sendable (Failure) -> Never) { ending.withLock { $0 = end } }

    /// Every rank's bytes, in rank order.
    package func exchange(_ own: [UInt8]) -> [[UInt8]] {
        if count == 1 { return [own] }
        return gather(own, sizes: meet(own.count))
    }

    /// Tells all ranks that this one cannot go on.
    package func fail(code: Int32, message: String) -> Never {
        let own = Failure(rank: rank, host: host, code: code, message: message)
        if count > 1 { meetAfterFailure(own) }
        end(own)
    }

    /// Memory of which each rank has filled a part.
    package struct Block {
        let base: UnsafeMutableRawPointer
        /// Bytes from `base`, by rank.
        let parts: [Range<Int>]

        /// - Parameter parts: they must not overlap.
        package init(_ base: UnsafeMutableRawPointer, _ parts: [Range<Int>]) { (self.base, self.parts) = (base, parts) }
    }

    /// Fills every rank's memory with all ranks' parts; all ranks must name the same blocks.
    package func share(_ blocks: [Block]) {
        if count == 1 || blocks.isEmpty { return }
        let due = (0..<count).map { rank in blocks.reduce(0) { $0 + $1.parts[rank].count } }
        precondition(meet(due[rank]) == due, "ranks disagree about what they share")
        fill(blocks)
    }

    private func end(_ failure: Failure) -> Never {
        guard let end = ending.withLock({ $0 }) else { fatalError("rank \(failure.rank): \(failure.message)") }
        end(failure)
    }

    #if MPI
        /// Ends MPI; all ranks must.
        package func stop() { if count > 1 || Self.launched > 0 { lmpi_stop() } }

        /// Every rank's number; does not return if a rank has failed.
        private func meet(_ number: Int) -> [Int] {
            let numbers = exchange(number: number)
            if numbers.contains(where: { $0 < 0 }) { endTogether(nil, numbers) }
            return numbers
        }

        private func meetAfterFailure(_ failure: Failure) {
            let bytes = [UInt8](try! JSONEncoder().encode(failure))
            endTogether(bytes, exchange(number: -bytes.count))
        }

        private func endTogether(_ own: [UInt8]?, _ numbers: [Int]) -> Never {
            let failures = gather(own ?? [], sizes: numbers.map { max(0, -$0) })
            let first = failures.first { !$0.isEmpty }!
            end(try! JSONDecoder().decode(Failure.self, from: Data(first)))
        }

        private func exchange(number: Int) -> [Int] {
            var all = [Int64](repeating: 0, count: count)
            timed(bytes: 8 * (count - 1)) { lmpi_gather_number(Int64(number), &all) }
            return all.map { Int($0) }
        }

        private func gather(_ own: [UInt8], sizes: [Int]) -> [[UInt8]] {
            let starts = sizes.reduce(into: [0]) { $0.append($0.last! + $1) }
            let parts = sizes.indices.map { starts[$0]..<starts[$0 + 1] }
            var all = [UInt8](repeating: 0, count: max(1, starts.last!))
            all.replaceSubrange(parts[rank], with: own)
            all.withUnsafeMutableBytes { fill([Block($0.baseAddress!, parts)]) }
            return parts.map { Array(all[$0]) }
        }

        private func fill(_ blocks: [Block]) {
            let bases = blocks.map { Optional($0.base.assumingMemoryBound(to: CChar.self)) }
            let parts = blocks.flatMap(\.parts)
            let (starts, counts) = (parts.map { Int64($0.lowerBound) }, parts.map { Int64($0.count) })
            timed(bytes: blocks.reduce(0) { $0 + $1.parts[rank].count } * (count - 1)) {
                lmpi_share(Int32(blocks.count), bases, starts, counts)
            }
        }

        private func timed(bytes: Int, _ body: () -> Void) {
            let start = ProcessInfo.processInfo.systemUptime
            body()
            counted.withLock {
                $0.meetings += 1
                $0.bytesSent += bytes
                $0.secondsWaiting += ProcessInfo.processInfo.systemUptime - start
            }
        }
    #else
        package func stop() {}
        private func meet(_ number: Int) -> [Int] { [number] }
        private func meetAfterFailure(_ failure: Failure) {}
        private func gather(_ own: [UInt8], sizes: [Int]) -> [[UInt8]] { [own] }
        private func fill(_ blocks: [Block]) {}
    #endif
}
