import Foundation
import Shards
import Synchronization

/// Parsed event files by the digest of their bytes: a file that was read before, by any run, is not parsed again; one
/// that was changed, came late or is gone affects nothing but itself (docs/operations.md).
///
///     <folder>/<key>/rows.safetensors.gz, learners…, courses…, channels…, kinds…, rejects…
///
/// An entry is a function of its file and the dataset mapping alone, so that no catalogue and no T can make it stale,
/// and it is written to a folder of its own that is then renamed: several runs may share the cache. Whatever is wrong
/// with an entry (damage, a half-written or foreign file) is found by the shards' checksums; then the entry goes and
/// the file is parsed. Least recently used entries go first when the cache outgrows its limit.
package final class ImportCache: Sendable {
    private let folder: String
    private let limit: Int
    private let mapping: String
    private let warn: @Sendable (String) -> Void
    private let hits = Atomic<Int>(0)
    /// Files as they were when their keys were made.
    private let seen = Mutex<[String: Int64]>([:])
    /// Files that were taken from the cache so far.
    package var hitCount: Int { hits.load(ordering: .relaxed) }

    /// Changes with what an entry means, and with how rows are parsed.
    private static let version = "2"
    private static let names = ["rows", "learners", "courses", "channels", "kinds", "rejects"]

    /// - Parameters:
    ///   - limit: bytes.
    ///   - mapping: the dataset file; another mapping has entries of its own.
    ///   - warn: told of damage and of what could not be written, none of which fails an import.
    package init(folder: String, limit: Int, mapping: [UInt8], warn: @escaping @Sendable (String) -> Void) {
        (self.folder, self.limit, self.warn) = (folder, limit, warn)
        self.mapping = Digest.sha256(mapping)
    }

    /// Names the entry of a file: reads it once, at the speed of SHA-256.
    func key(of path: String, table: String) throws -> String {
        seen.withLock { $0[path] = FileSystem.status(path)?.modified }
        let digest = try Digest.sha256(file: path)
        return Digest.sha256(Array("\(Self.version)\n\(table)\n\(mapping)\n\(digest)".utf8))
    }

    private func path(_ key: String) -> String { "\(folder)/\(key)" }

    func has(_ key: String) -> Bool { FileSystem.isFolder(path(key)) }

    /// nil where the entry is damaged; then it is removed.
    func load(_ key: String) -> CachedEvents? {
        do {
            let events = try CachedEvents { name in
                let shard = try Shard(contentsOf: "\(path(key))/\(name).safetensors.gz")
                guard shard.metadata["key"] == key else {
                    throw LecternError.data("\(shard.name): belongs to another entry")
                }
                return shard
            }
            utimes(path(key), nil)
            hits.wrappingAdd(1, ordering: .relaxed)
            return events
        } catch {
            warn("import cache: \((error as? LecternError)?.message ?? "\(error)"): the file is parsed again")
            try? FileSystem.removeAll(path(key))
            return nil
        }
    }

    /// - Parameter source: the file. Where it has changed since its key was made, its rows may be others than the key's.
    func store(_ events: CachedEvents, as key: String, of source: String) {
        if seen.withLock({ $0[source] }) != FileSystem.status(source)?.modified { return }
        // Two inputs may have the same bytes, and two processes the same number on two hosts.
        let partial = "\(path(key)).\(UUID().uuidString).partial"
        do {
            try FileSystem.createFolder(partial)
            // Locked while its writer lives: `prune` knows by that what is left over.
            let descriptor = try FileSystem.open(partial, O_RDONLY | O_DIRECTORY)
            defer { close(descriptor) }
            _ = flock(descriptor, LOCK_EX | LOCK_NB)
            for (name, shard) in events.shards {
                var shard = shard
                shard.metadata["key"] = key
                // Not flushed: what a power failure leaves is damage, and found.
                try FileSystem.write(
                    Gzip.compress(shard.encoded()), to: "\(partial)/\(name).safetensors.gz", flushed: false)
            }
            // Whoever was faster has written the same.
            if has(key) { try FileSystem.removeAll(partial) } else { try FileSystem.rename(partial, path(key)) }
        } catch {
            warn("import cache: \((error as? LecternError)?.message ?? "\(error)"): goes on without")
            try? FileSystem.removeAll(partial)
        }
    }

    /// Removes what processes that are gone left half-written, and the least recently used entries beyond the limit.
    package func prune() {
        guard let names = try? FileSystem.list(folder) else { return }
        var entries: [(path: String, bytes: Int, used: Int64)] = []
        // The folder may be a disk on which others keep theirs: nothing but entries is touched.
        for name in names where Self.isEntry(name.prefix { $0 != "." }) {
            guard let (_, used) = FileSystem.status(path(name)) else { continue }
            if name.hasSuffix(".partial") {
                if isAbandoned(path(name)) { try? FileSystem.removeAll(path(name)) }
                continue
            }
            let bytes = Self.names.reduce(0) {
                $0 + (FileSystem.status("\(path(name))/\($1).safetensors.gz")?.bytes ?? 0)
            }
            entries.append((path(name), bytes, used))
        }
        var total = entries.reduce(0) { $0 + $1.bytes }
        for entry in entries.sorted(by: { ($0.used, $0.path) < ($1.used, $1.path) }) where total > limit {
            try? FileSystem.removeAll(entry.path)
            total -= entry.bytes
        }
    }

    /// A key: 64 hexadecimal digits.
    private static func isEntry(_ name: Substring) -> Bool {
        name.utf8.count == 64 && name.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Whether nobody writes there any more.
    private func isAbandoned(_ partial: String) -> Bool {
        guard let descriptor = try? FileSystem.open(partial, O_RDONLY | O_DIRECTORY) else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }
}
