#if canImport(Glibc)
    import Glibc
#endif

/// One writer per run folder: an exclusive `flock` on `<run>/.lock`.
///
/// Under make the lock is held by `flock … make`, whose open descriptor every stage inherits; such a stage finds that
/// descriptor among its own and is already the holder. A stage started by hand opens and locks the file itself. A launcher
/// of ranks closes descriptors but keeps one itself: then make names the file that it has locked in its environment.
package struct RunLock: ~Copyable {
    private let descriptor: Int32
    private let owned: Bool

    /// Names the file locked by the make that a launcher of ranks was started by.
    package static let variable = "LECTERN_LOCK"

    /// - Parameter underLauncher: whether the lock may be held by the make above a launcher.
    /// - Parameter patience: seconds to wait for another process to be done; `waiting` is called once before.
    /// - Throws: `.locked` if another process works on the run.
    package init(
        run: String, underLauncher: Bool = false, patience: Int = 0, waiting: () -> Void = {}
    ) throws {
        let path = run + "/.lock"
        guard try FileSystem.entry(run)?.isFolder == true else {
            throw LecternError.missing("\(run): no such run folder; make all creates it (or name another with --run)")
        }
        if let inherited = Self.inherited(path), flock(inherited, LOCK_EX | LOCK_NB) == 0 {
            (descriptor, owned) = (inherited, false)
            return
        }
        let opened = try FileSystem.open(path, O_RDWR | O_CREAT, to: "create", creating: true)
        var isLocked = flock(opened, LOCK_EX | LOCK_NB) == 0
        if !isLocked && errno == EWOULDBLOCK && patience > 0 {
            waiting()
            for _ in 0..<10 * patience where !isLocked {
                usleep(100_000)
                isLocked = flock(opened, LOCK_EX | LOCK_NB) == 0
            }
        }
        if !isLocked {
            let code = errno
            close(opened)
            errno = code
            if code != EWOULDBLOCK { throw FileSystem.fail(path, "lock") }
            if underLauncher, Self.isNamed(path) {
                (descriptor, owned) = (-1, false)
                return
            }
            throw LecternError(
                .locked, "\(path): another run of Lectern is working here; wait for it (make status tells who)")
        }
        (descriptor, owned) = (opened, true)
    }

    private static func inherited(_ path: String) -> Int32? {
        var wanted = stat()
        guard stat(path, &wanted) == 0, let names = try? FileSystem.list("/proc/self/fd") else { return nil }
        for candidate in names.compactMap({ Int32($0) }) where candidate > 2 {
            var info = stat()
            if fstat(candidate, &info) == 0, info.st_ino == wanted.st_ino, info.st_dev == wanted.st_dev {
                return candidate
            }
        }
        return nil
    }

    private static func isNamed(_ path: String) -> Bool {
        guard let name = getenv(variable).map({ String(cString: $0) }) else { return false }
        var (wanted, named) = (stat(), stat())
        return stat(path, &wanted) == 0 && stat(name, &named) == 0 && wanted.st_ino == named.st_ino
            && wanted.st_dev == named.st_dev
    }

    deinit { if owned { close(descriptor) } }
}
