import Foundation
import Shards
import Synchronization

/// Records of one kind by partition of the learners: in memory up to a budget, then in files. Records of a partition
/// come in no particular order; whoever reads them must not care.
final class Spill: Sendable {
    let partitions: Int
    private let prefix: String
    private let budget: SpillBudget
    private let slots: [Slot]

    private struct Partition {
        var chunks: [[UInt8]] = []
        var fileBytes = 0
    }

    private final class Slot: Sendable {
        let content = Mutex(Partition())
    }

    /// - Parameter prefix: path of the spill files, without number.
    init(partitions: Int, prefix: String, budget: SpillBudget) {
        (self.partitions, self.prefix, self.budget) = (partitions, prefix, budget)
        slots = (0..<partitions).map { _ in Slot() }
    }

    private func path(_ partition: Int) -> String { "\(prefix)-\(partition)" }

    func append(_ chunk: UnsafeRawBufferPointer, to partition: Int) throws {
        if chunk.isEmpty { return }
        let inMemory = budget.take(chunk.count)
        try slots[partition].content.withLock {
            if inMemory {
                $0.chunks.append(Array(chunk))
            } else {
                try Self.append(chunk, toFile: path(partition))
                $0.fileBytes += chunk.count
            }
        }
    }

    private static func append(_ chunk: UnsafeRawBufferPointer, toFile path: String) throws {
        let descriptor = try FileSystem.open(path, O_WRONLY | O_CREAT | O_APPEND, to: "create", creating: true)
        defer { close(descriptor) }
        try FileSystem.writeAll(descriptor, chunk, path)
    }

    /// Calls `body` with pieces that hold whole records.
    func read(_ partition: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let (chunks, fileBytes) = slots[partition].content.withLock { ($0.chunks, $0.fileBytes) }
        for chunk in chunks { try chunk.withUnsafeBytes(body) }
        if fileBytes > 0 {
            let bytes = try FileSystem.read(path(partition))
            guard bytes.count == fileBytes else {
                throw LecternError(.ioError, "\(path(partition)): \(bytes.count) bytes, \(fileBytes) were written")
            }
            try bytes.withUnsafeBytes(body)
        }
    }
}

/// How many bytes of records may stay in memory.
final class SpillBudget: Sendable {
    private let left: Atomic<Int>

    init(bytes: Int) { left = Atomic(bytes) }

    func take(_ bytes: Int) -> Bool {
        if left.load(ordering: .relaxed) < bytes { return false }
        return left.wrappingSubtract(bytes, ordering: .relaxed).oldValue >= bytes
    }
}

/// One thread's buffers in front of a spill.
final class SpillWriter {
    private let spill: Spill
    private let capacity: Int
    private let buffers: [UnsafeMutableRawPointer]
    @exclusivity(unchecked) private var used: [Int]

    init(_ spill: Spill) {
        self.spill = spill
        capacity = max(1 << 13, min(1 << 16, (1 << 23) / spill.partitions))
        let capacity = capacity
        buffers = (0..<spill.partitions).map { _ in .allocate(byteCount: capacity, alignment: 16) }
        used = [Int](repeating: 0, count: spill.partitions)
    }

    deinit { for buffer in buffers { buffer.deallocate() } }

    /// Appends one record of exactly `bytes` bytes, which `fill` writes.
    @inline(__always)
    func append(to partition: Int, bytes: Int, _ fill: (UnsafeMutableRawPointer) -> Void) throws {
        if used[partition] + bytes > capacity { try flush(partition) }
        if bytes > capacity {
            let single = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
            defer { single.deallocate() }
            fill(single)
            try spill.append(UnsafeRawBufferPointer(start: single, count: bytes), to: partition)
            return
        }
        fill(buffers[partition] + used[partition])
        used[partition] += bytes
    }

    private func flush(_ partition: Int) throws {
        try spill.append(UnsafeRawBufferPointer(start: buffers[partition], count: used[partition]), to: partition)
        used[partition] = 0
    }

    func finish() throws { for partition in buffers.indices { try flush(partition) } }
}
