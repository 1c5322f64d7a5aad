import Foundation
import Shards

/// A folder that appears whole or not at all: files go to `<folder>.partial`, which is renamed at the end.
struct GeneratorOutput {
    let folder: String
    var partial: String { folder + ".partial" }
    /// Its presence says that a folder was made by the generator, and may be replaced by it.
    static let mark = "truth/model.json"

    /// Starts an empty partial folder.
    /// - Throws: `.cannotCreate` if `folder` holds what the generator did not make.
    init(folder: String) throws {
        var folder = folder
        while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
        self.folder = folder
        if let entry = try FileSystem.entry(folder) {
            let isOurs = try FileSystem.entry(folder + "/" + Self.mark) != nil
            let isEmpty = try entry.isFolder && FileSystem.list(folder).isEmpty
            if !isOurs && !isEmpty {
                throw LecternError(
                    .cannotCreate,
                    "\(folder): exists and was not made by generate-logs, so it is not replaced; name a new folder")
            }
        }
        try FileSystem.removeAll(partial)
        try FileSystem.createFolder(partial + "/truth")
    }

    /// Puts the finished folder in the place of an earlier one.
    func commit() throws {
        let old = folder + ".old"
        try FileSystem.syncFolder(partial + "/truth")
        try FileSystem.syncFolder(partial)
        try FileSystem.removeAll(old)
        if try FileSystem.entry(folder) != nil { try FileSystem.rename(folder, old) }
        try FileSystem.rename(partial, folder)
        let parent = (folder as NSString).deletingLastPathComponent
        try FileSystem.syncFolder(parent.isEmpty ? "." : parent)
        try FileSystem.removeAll(old)
    }

    func discard() { try? FileSystem.removeAll(partial) }
}

/// One file, written from the front. Closed when it goes, after `finish` or an error.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    private var member: GzipMember?

    /// - Parameter path: ending in `.gz` for a gzip member, any other for plain bytes.
    init(path: String) throws {
        self.path = path
        descriptor = try FileSystem.open(path, O_WRONLY | O_CREAT | O_TRUNC, to: "create", creating: true)
        member = path.hasSuffix(".gz") ? GzipMember() : nil
        if member != nil { try GzipMember.header.withUnsafeBytes { try write($0) } }
    }

    deinit { close(descriptor) }

    func write(_ block: DeflatedBlock) throws {
        member!.add(block)
        try block.bytes.withUnsafeBytes { try write($0) }
    }

    /// Plain bytes for a plain file; compressed as a block of their own for another.
    func write(text: String) throws {
        var rows = RowBytes(capacity: text.utf8.count)
        rows.append(text)
        try write(rows: rows)
    }

    func write(rows: borrowing RowBytes) throws {
        if member != nil { return try write(DeflatedBlock(rows)) }
        try write(UnsafeRawBufferPointer(start: rows.base, count: rows.count))
    }

    /// A whole file at once.
    static func write(_ rows: borrowing RowBytes, to path: String) throws {
        let file = try OutputFile(path: path)
        try file.write(rows: rows)
        try file.finish()
    }

    /// Ends the gzip member and waits until the bytes are on the disk.
    func finish() throws {
        if let member { try member.trailer.withUnsafeBytes { try write($0) } }
        try FileSystem.sync(descriptor, path)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        try FileSystem.writeAll(descriptor, bytes, path)
    }
}
