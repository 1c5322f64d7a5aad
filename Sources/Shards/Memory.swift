import Foundation

/// What this process may still take of the machine, so that a size is checked before it is allocated: whoever runs out
/// of memory under Linux is killed without a word.
package enum Memory {
    /// Its own limit (`ulimit -v`), on addresses.
    private static let addresses: Int = {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else {
            return .max
        }
        return Int(limit.rlim_cur)
    }()

    /// The machine's memory, or the smaller limit of the control group.
    private static let resident: Int = min(
        sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), groupLimit() ?? .max)

    /// In one line, for messages.
    package static var limits: String {
        let parts = [
            addresses == .max ? nil : "\(addresses >> 20) MiB of addresses", "\(resident >> 20) MiB of memory",
        ]
        return parts.compactMap { $0 }.joined(separator: " and ")
    }

    /// - Throws: `.ioError` if `bytes` more are not to be had.
    package static func require(_ bytes: Int, for what: String) throws {
        let pages = (try? FileSystem.read("/proc/self/statm")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        let used = pages.split(separator: " ").prefix(2).compactMap { Int($0) }.map {
            $0 * sysconf(Int32(_SC_PAGESIZE))
        }
        guard used.count == 2 else { return }
        if bytes > addresses - used[0] || bytes > resident - used[1] {
            throw LecternError(
                .ioError,
                "\(what): needs \(bytes >> 20) MiB more than the \(used[1] >> 20) MiB taken, this process may have \(limits): "
                    + "fewer THREADS, more run.shards or a higher limit")
        }
    }

    /// Version 2 or 1 of control groups; nil: none that says.
    private static func groupLimit() -> Int? {
        guard let bytes = try? FileSystem.read("/proc/self/cgroup") else { return nil }
        let limits = String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line -> Int? in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3 else { return nil }
            let files =
                fields[1].isEmpty
                ? ["/sys/fs/cgroup\(fields[2])/memory.max", "/sys/fs/cgroup/unified\(fields[2])/memory.max"]
                : fields[1] == "memory" ? ["/sys/fs/cgroup/memory\(fields[2])/memory.limit_in_bytes"] : []
            return files.compactMap { path in
                (try? FileSystem.read(path)).flatMap { Int(String(decoding: $0.dropLast(), as: UTF8.self)) }
            }.min()
        }
        return limits.min()
    }
}
