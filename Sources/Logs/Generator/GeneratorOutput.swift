import Foundation

package enum GeneratorError: Error, Equatable {
    /// The options cannot be used (exit 64).
    case options(String)
    /// The output folder cannot be made or may not be replaced (exit 73).
    case cannotCreate(path: String, reason: String)
    /// Writing failed, a full disk included (exit 74).
    case cannotWrite(path: String, reason: String)
}

/// A folder that appears whole or not at all: files go to `<folder>.partial`, which is renamed at the end.
struct GeneratorOutput {
    let folder: String
    var partial: String { folder + ".partial" }
    /// Its presence says that a folder was made by the generator, and may be replaced by it.
    static let mark = "truth/model.json"

    init(folder: String) throws {
        var folder = folder
        while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
        self.folder = folder
        let files = FileManager.default
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: folder, isDirectory: &isFolder) {
            let entries = isFolder.boolValue ? (try? files.contentsOfDirectory(atPath: folder)) : nil
            let ours = files.fileExists(atPath: folder + "/" + Self.mark)
            if entries == nil || !(entries!.isEmpty || ours) {
                throw GeneratorError.cannotCreate(
                    path: folder, reason: "exists and was not made by generate-logs; name a new folder")
            }
        }
        do {
            if files.fileExists(atPath: partial) { try files.removeItem(atPath: partial) }
            try files.createDirectory(atPath: partial + "/truth", withIntermediateDirectories: true)
        } catch {
            throw GeneratorError.cannotCreate(path: partial, reason: error.localizedDescription)
        }
    }

    /// Puts the finished folder in place of an earlier one.
    func commit() throws {
        let files = FileManager.default
        let old = folder + ".old"
        do {
            if files.fileExists(atPath: old) { try files.removeItem(atPath: old) }
            if files.fileExists(atPath: folder) { try files.moveItem(atPath: folder, toPath: old) }
            try files.moveItem(atPath: partial, toPath: folder)
            if files.fileExists(atPath: old) { try files.removeItem(atPath: old) }
        } catch {
            throw GeneratorError.cannotWrite(path: folder, reason: error.localizedDescription)
        }
    }

    func discard() { try? FileManager.default.removeItem(atPath: partial) }
}

/// One file, written from the front. Closed by `finish`, or when it goes after an error.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    private var member: GzipMember?

    /// - Parameter path: ending in `.gz` for a gzip member, any other for plain bytes.
    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        member = path.hasSuffix(".gz") ? GzipMember() : nil
        if descriptor < 0 { throw GeneratorError.cannotCreate(path: path, reason: String(cString: strerror(errno))) }
        if member != nil { try GzipMember.header.withUnsafeBufferPointer { try write($0) } }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func write(_ block: DeflatedBlock) throws {
        member!.add(block)
        try block.bytes.withUnsafeBufferPointer { try write($0) }
    }

    /// Plain bytes for a plain file; compressed as a block of their own for another.
    func write(text: String) throws {
        var text = text
        if member != nil { return try write(text.withUTF8 { DeflatedBlock($0) }) }
        try text.withUTF8 { try write($0) }
    }

    func write(rows: borrowing RowBytes) throws {
        if member != nil { return try write(DeflatedBlock(rows)) }
        try write(UnsafeBufferPointer(start: rows.base, count: rows.count))
    }

    /// A whole file at once.
    static func write(_ rows: borrowing RowBytes, to path: String) throws {
        let file = try OutputFile(path: path)
        try file.write(rows: rows)
        try file.finish()
    }

    /// Ends the gzip member and waits until the bytes are on the disk.
    func finish() throws {
        if let member { try member.trailer.withUnsafeBufferPointer { try write($0) } }
        if fsync(descriptor) != 0 { throw failure() }
    }

    private func write(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeBufferPointer(rebasing: rest)
            let count = Foundation.write(descriptor, part.baseAddress, part.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { throw failure() }
            rest = rest.dropFirst(count)
        }
    }

    private func failure() -> GeneratorError { .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
}
