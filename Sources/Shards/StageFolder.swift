import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The output of a stage while it is being written: `<stage>.partial/`, which `commit` turns into `<stage>/` in one
/// step. Killing the process at any moment leaves the old folder, the new one, or something `repair` mends.
package final class StageOutput: Sendable {
    package let run: String
    package let stage: String
    private let files = Mutex<[String: Manifest.File]>([:])
    private let silent: Mutex<Bool>

    package var partialPath: String { "\(run)/\(stage).partial" }

    /// Whether writing does nothing: another process writes what this one is told to.
    package var isSilent: Bool {
        get { silent.withLock { $0 } }
        set { silent.withLock { $0 = newValue } }
    }

    /// Mends what a killed run left, then starts an empty partial folder.
    package init(run: String, stage: String) throws {
        (self.run, self.stage) = (run, stage)
        silent = Mutex(false)
        try FileSystem.createFolder(run)
        try Self.repair(run: run, stage: stage)
        try FileSystem.createFolder(partialPath)
    }

    /// Joins an output that another process has begun and will commit; silent at first.
    package init(joining run: String, stage: String) {
        (self.run, self.stage) = (run, stage)
        silent = Mutex(true)
    }

    /// Writes a shard as `<name>` (ending in `.safetensors.gz`), flushed to disk. Safe from several threads.
    /// - Parameter stored: not compressed, only framed.
    package func write(_ shard: ShardBuilder, as name: String, stored: Bool = false) throws {
        if isSilent { return }
        let bytes = shard.encoded()
        guard bytes.count <= Shard.maximumBytes else {
            throw LecternError(
                .badData,
                "\(name): \(bytes.count) bytes, more than max_shard_bytes \(Shard.maximumBytes): use more shards")
        }
        let packed = Gzip.compress(bytes, stored: stored)
        try place(packed, name)
        record(
            name,
            Manifest.File(
                rows: shard.rows, bytes: packed.count, sha256: Digest.sha256(bytes), crc32: Gzip.checksum(packed)))
    }

    /// Writes any other file. Unlisted files (statistics) are exempt from byte equality and not in the manifest.
    package func write(_ bytes: [UInt8], as name: String, listed: Bool = true, rows: Int? = nil) throws {
        if isSilent { return }
        try place(bytes, name)
        if listed { record(name, Manifest.File(rows: rows, bytes: bytes.count, sha256: Digest.sha256(bytes))) }
    }

    /// For writers that stream: a path inside the partial folder. Call `adopt` when the file is complete.
    package func path(for name: String) throws -> String {
        let path = partialPath + "/" + name
        try FileSystem.createFolder(FileSystem.parent(of: path))
        return path
    }

    /// Flushes and lists a file that was written to `path(for:)`.
    package func adopt(_ name: String, rows: Int?) throws {
        let path = partialPath + "/" + name
        let descriptor = try FileSystem.open(path, O_RDONLY)
        defer { close(descriptor) }
        try FileSystem.sync(descriptor, path)
        var digest = Digest.Running()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var total = 0
        while true {
            let got = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, $0.count) }
            if got < 0 {
                if errno == EINTR { continue }
                throw FileSystem.fail(path, "read")
            }
            if got == 0 { break }
            buffer.withUnsafeBytes { digest.add(UnsafeRawBufferPointer(rebasing: $0[0..<got])) }
            total += got
        }
        record(name, Manifest.File(rows: rows, bytes: total, sha256: digest.finished()))
    }

    private func place(_ bytes: [UInt8], _ name: String) throws {
        try FileSystem.write(bytes, to: path(for: name))
    }

    private func record(_ name: String, _ file: Manifest.File) {
        files.withLock {
            precondition($0[name] == nil, "\(name) written twice")
            $0[name] = file
        }
    }

    /// Files listed so far.
    package var listed: [String: Manifest.File] { files.withLock { $0 } }

    /// Lists files that another process wrote.
    package func list(_ others: [String: Manifest.File]) { for (name, file) in others { record(name, file) } }

    /// Writes the manifest last and puts the folder in its place. Nothing after this may fail the stage.
    /// - Parameter nested: manifests of subfolders: what lies there is listed in them, not in the stage's own, so that
    ///   its digest does not depend on it.
    package func commit(_ manifest: Manifest, nested: [String: Manifest] = [:]) throws {
        var manifest = manifest
        manifest.outputs = listed
        for subfolder in Set(manifest.outputs.keys.map(FileSystem.parent))
        where !subfolder.isEmpty && nested[subfolder] == nil {
            try FileSystem.syncFolder(partialPath + "/" + subfolder)
        }
        for (subfolder, inner) in nested { try place(inner, in: subfolder, movingFrom: &manifest) }
        manifest.nested = Array(nested.keys)
        try FileSystem.write(manifest.encoded(), to: partialPath + "/" + Manifest.fileName)
        try FileSystem.syncFolder(partialPath)
        try putInPlace()
    }

    /// Old folder away, new folder in its place; if any of it fails, everything is put back as it was.
    private func putInPlace() throws {
        let folder = "\(run)/\(stage)"
        let old = folder + ".old"
        do {
            if try FileSystem.entry(folder) != nil { try FileSystem.rename(folder, old) }
            try FileSystem.rename(partialPath, folder)
            try FileSystem.syncFolder(run)
        } catch {
            if !FileSystem.exists(partialPath) { try? FileSystem.rename(folder, partialPath) }
            if FileSystem.exists(old) { try? FileSystem.rename(old, folder) }
            throw error
        }
        try? FileSystem.removeAll(old)
    }

    private func place(_ inner: Manifest, in subfolder: String, movingFrom outer: inout Manifest) throws {
        var inner = inner
        let prefix = subfolder + "/"
        for (name, file) in outer.outputs where name.hasPrefix(prefix) {
            inner.outputs[String(name.dropFirst(prefix.count))] = file
            outer.outputs[name] = nil
        }
        try place(inner.encoded(), prefix + Manifest.fileName)
        try FileSystem.syncFolder(partialPath + "/" + subfolder)
    }

    /// Throws the partial folder away.
    package func abandon() { try? FileSystem.removeAll(partialPath) }

    /// `<stage>/` missing and `.old/` there: rename it back; then delete `.old` and `.partial`.
    package static func repair(run: String, stage: String) throws {
        let folder = "\(run)/\(stage)"
        if try FileSystem.entry(folder) == nil, try FileSystem.entry(folder + ".old") != nil {
            try FileSystem.rename(folder + ".old", folder)
        }
        try FileSystem.removeAll(folder + ".old")
        try FileSystem.removeAll(folder + ".partial")
    }
}

/// A finished stage folder, read by a later stage: every shard's size and digest are checked against the manifest.
package struct StageInput: Sendable {
    package let folder: String
    package let manifest: Manifest
    /// Names this generation in the reader's own manifest.
    package let digest: String

    /// - Throws: `.inputMissing` with the make command that produces it.
    package init(run: String, stage: String, folder name: String) throws {
        folder = "\(run)/\(name)"
        guard try FileSystem.entry(folder + "/" + Manifest.fileName) != nil else {
            throw LecternError.missing(
                "\(folder)/\(Manifest.fileName): not there; run make \(stage) RUN=\(run.split(separator: "/").last ?? "")"
            )
        }
        (manifest, digest) = try Manifest.read(stageFolder: folder)
    }

    package func has(_ name: String) -> Bool { manifest.outputs[name] != nil }

    package func shard(_ name: String) throws -> Shard {
        let path = folder + "/" + name
        guard let entry = manifest.outputs[name] else {
            throw LecternError.data("\(path): not listed in \(folder)/\(Manifest.fileName)")
        }
        let size = FileSystem.status(path)?.bytes
        let bytes = try size == nil || size == entry.bytes ? FileSystem.read(path, atMost: entry.bytes) : []
        guard bytes.count == entry.bytes else {
            throw LecternError.data(
                "\(path): \(size ?? bytes.count) bytes, the manifest says \(entry.bytes): \(Self.remedy(manifest.stage))"
            )
        }
        return try Self.checked(bytes, entry, path: path, stage: manifest.stage)
    }

    /// Decodes a shard and holds it against what the manifest says of it.
    package static func checked(
        _ bytes: [UInt8], _ entry: Manifest.File, path: String, stage: String
    ) throws -> Shard {
        let shard = try Shard(gzipped: bytes, name: path)
        if let expected = entry.crc32, Gzip.checksum(bytes) != expected {
            throw LecternError.data("\(path): CRC-32 differs from the manifest's: \(remedy(stage))")
        }
        guard shard.digest == entry.sha256 else {
            throw LecternError.data("\(path): SHA-256 differs from the manifest's: \(remedy(stage))")
        }
        return shard
    }

    private static func remedy(_ stage: String) -> String { "damaged or swapped; run make \(stage)" }

    /// Names of the shards of one kind: `<prefix>-00000-of-00016.safetensors.gz`, in shard order.
    package func names(_ prefix: String) -> [String] {
        manifest.outputs.keys.filter { ShardName.parse($0)?.prefix == prefix }.sorted()
    }
}

/// `<prefix>-NNNNN-of-NNNNN.safetensors.gz`
package enum ShardName {
    package static let suffix = ".safetensors.gz"

    package static func of(_ prefix: String, _ shard: Int, of shards: Int) -> String {
        func padded(_ value: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "\(prefix)-\(padded(shard))-of-\(padded(shards))\(suffix)"
    }

    package static func parse(_ name: String) -> (prefix: String, shard: Int, shards: Int)? {
        guard name.hasSuffix(suffix) else { return nil }
        let parts = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of", let shards = Int(parts[parts.count - 1]),
            let shard = Int(parts[parts.count - 3])
        else { return nil }
        return (parts.dropLast(3).joined(separator: "-"), shard, shards)
    }
}
