#if canImport(Glibc)
    import Glibc
#endif

/// POSIX calls with errors that name the file; everything that reaches the disk goes through here.
package enum FileSystem {
    package static func fail(_ path: String, _ action: String, creating: Bool = false) -> LecternError {
        let code = errno
        let why = String(cString: strerror(code))
        if code == ENOENT && !creating { return .missing("\(path): cannot \(action): \(why)") }
        let creation = creating && [EACCES, ENOENT, ENOTDIR, EROFS, EEXIST, EISDIR, EPERM].contains(code)
        return LecternError(creation ? .cannotCreate : .ioError, "\(path): cannot \(action): \(why)")
    }

    /// open(2), tried again where a signal interrupts it.
    package static func open(
        _ path: String, _ flags: Int32, to action: String = "open", creating: Bool = false
    ) throws -> Int32 {
        while true {
            let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return descriptor }
            if errno != EINTR { throw fail(path, action, creating: creating) }
        }
    }

    /// A new empty file under a name that nobody else has, for reading and writing.
    package static func createTemporary(in folder: String) throws -> (descriptor: Int32, path: String) {
        while true {
            var name = Array("\(folder)/scratch-XXXXXX".utf8CString)
            let descriptor = name.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
            if descriptor >= 0 {
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                return (descriptor, String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            if errno != EINTR { throw fail("\(folder)/scratch-XXXXXX", "create", creating: true) }
        }
    }

    /// fsync(2), tried again where a signal interrupts it.
    package static func sync(_ descriptor: Int32, _ path: String) throws {
        while fsync(descriptor) != 0 {
            if errno != EINTR { throw fail(path, "sync") }
        }
    }

    /// What lies at a path.
    package struct Entry: Sendable {
        package let isFolder: Bool
        /// No folder, pipe or device.
        package let isFile: Bool
        package let bytes: Int
    }

    /// nil only if nothing is there: a disk that does not answer says nothing about that.
    package static func entry(_ path: String) throws -> Entry? {
        var info = stat()
        if stat(path, &info) != 0 { return try nothing(path) }
        let type = info.st_mode & S_IFMT
        return Entry(isFolder: type == S_IFDIR, isFile: type == S_IFREG, bytes: Int(info.st_size))
    }

    private static func nothing(_ path: String) throws -> Entry? {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw fail(path, "look at")
    }

    // Where nothing depends on it: what cannot be told is taken as not there.

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Size in bytes and modification time in nanoseconds; nil if the file is not there.
    package static func status(_ path: String) -> (bytes: Int, modified: Int64)? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        return (Int(info.st_size), Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec))
    }

    /// Sets the modification time, seconds since 1970 UTC.
    package static func setModified(_ path: String, seconds: Int) throws {
        let time = timespec(tv_sec: seconds, tv_nsec: 0)
        if utimensat(AT_FDCWD, path, [time, time], 0) != 0 { throw fail(path, "set the time of") }
    }

    /// Names in a folder, sorted by bytes.
    package static func list(_ path: String) throws -> [String] {
        guard let folder = opendir(path) else { throw fail(path, "list folder") }
        defer { closedir(folder) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw fail(path, "list folder") }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// What lies before the last name of a path: `a/b` of `a/b/c` and `a/b/c/`, `/` of `/a`, nothing of `a`.
    package static func parent(of path: String) -> String {
        (path.hasPrefix("/") ? "/" : "") + path.split(separator: "/").dropLast().joined(separator: "/")
    }

    package static func createFolder(_ path: String) throws {
        if isFolder(path) { return }
        let parent = Self.parent(of: path)
        if !parent.isEmpty && parent != path { try createFolder(parent) }
        if mkdir(path, 0o777) != 0 && errno != EEXIST { throw fail(path, "create folder", creating: true) }
    }

    /// Removes a file or a whole folder; nothing there is fine.
    package static func removeAll(_ path: String) throws {
        var info = stat()
        if lstat(path, &info) != 0 {
            _ = try nothing(path)
            return
        }
        if info.st_mode & S_IFMT == S_IFDIR {
            for name in try list(path) { try removeAll(path + "/" + name) }
            if rmdir(path) != 0 { throw fail(path, "remove folder") }
        } else if unlink(path) != 0 {
            throw fail(path, "remove")
        }
    }

    package static func rename(_ from: String, _ to: String) throws {
        if Glibc.rename(from, to) != 0 { throw fail(from, "rename to \(to)") }
    }

    /// Flushes a folder's entries to disk.
    package static func syncFolder(_ path: String) throws {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY, to: "open folder")
        defer { close(descriptor) }
        try sync(descriptor, path)
    }

    /// A whole file.
    /// - Parameter limit: a larger file is refused before anything is allocated.
    package static func read(_ path: String, atMost limit: Int = .max) throws -> [UInt8] {
        let descriptor = try open(path, O_RDONLY)
        defer { close(descriptor) }
        var info = stat()
        if fstat(descriptor, &info) != 0 { throw fail(path, "stat") }
        if info.st_mode & S_IFMT == S_IFDIR { throw LecternError.missing("\(path): is a folder, expected a file") }
        guard Int(info.st_size) <= limit else {
            throw LecternError.data("\(path): \(info.st_size) bytes, expected at most \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: max(Int(info.st_size), 1 << 12))
        var count = 0
        while true {
            if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if got < 0 {
                if errno == EINTR { continue }
                throw fail(path, "read")
            }
            if got == 0 { break }
            count += got
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Writes a whole new file and flushes it to disk.
    package static func write(_ bytes: [UInt8], to path: String, flushed: Bool = true) throws {
        let descriptor = try open(path, O_WRONLY | O_CREAT | O_TRUNC, to: "create", creating: true)
        var closed = false
        defer { if !closed { close(descriptor) } }
        try bytes.withUnsafeBytes { try writeAll(descriptor, $0, path) }
        if flushed { try sync(descriptor, path) }
        closed = true
        if close(descriptor) != 0 && errno != EINTR { throw fail(path, "close") }
    }

    package static func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ path: String) throws {
        var at = 0
        while at < bytes.count {
            let put = Glibc.write(descriptor, bytes.baseAddress! + at, bytes.count - at)
            if put < 0 {
                if errno == EINTR { continue }
                throw fail(path, "write")
            }
            at += put
        }
    }

    /// Replaces a file's content in one step: a reader sees the old or the new, never a part.
    package static func replace(_ path: String, with bytes: [UInt8]) throws {
        let temporary = path + ".partial"
        do {
            try write(bytes, to: temporary)
            try rename(temporary, path)
        } catch {
            try? removeAll(temporary)
            throw error
        }
        let folder = parent(of: path)
        try syncFolder(folder.isEmpty ? "." : folder)
    }
}
