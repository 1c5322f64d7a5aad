import Shards

#if canImport(Glibc)
    import Glibc
#endif

// A trap is a bug of ours, or memory that the system refuses: it too ends with one line, the note in failed.json and the
// documented code. All is put into words beforehand: within a signal handler nothing may be allocated.

nonisolated(unsafe) private var line: UnsafeMutableBufferPointer<UInt8>?
nonisolated(unsafe) private var note: UnsafeMutableBufferPointer<UInt8>?
nonisolated(unsafe) private var notePath: UnsafeMutablePointer<CChar>?

enum Trap {
    /// - Parameter line: what goes to standard error.
    /// - Parameter note: what goes to `path`.
    static func explain(line text: String, note bytes: [UInt8], path: String?) {
        line = copy(Array(text.utf8))
        note = copy(bytes)
        notePath = path.map { strdup($0) }
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
            signal(number) { _ in
                if let line { _ = Glibc.write(2, line.baseAddress, line.count) }
                if let note, let notePath {
                    let descriptor = open(notePath, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
                    _ = Glibc.write(descriptor, note.baseAddress, note.count)
                }
                _exit(Shards.ExitCode.ourBug.rawValue)
            }
        }
    }

    /// Ends the process now: it waits neither for other threads nor for the disk.
    static func end(line: String, note: [UInt8], path: String?, _ code: Int32) -> Never {
        var line = line
        line.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
        if let path {
            let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
            note.withUnsafeBytes { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
        }
        _exit(code)
    }

    /// What libraries do at the end of a process is left out, but for writing what they hold: OpenBLAS waits for its
    /// threads, and one that gets no memory at its start asks for it for ever.
    static func endAtOnce() {
        on_exit(
            { code, _ in
                fflush(nil)
                _exit(code)
            }, nil)
    }

    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableBufferPointer<UInt8> {
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = buffer.initialize(from: bytes)
        return buffer
    }
}
