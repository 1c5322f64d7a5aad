#if canImport(Glibc)
    import Glibc
#endif

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

    private static let groups = ControlGroup.bounding()

    /// The machine's memory, or the smallest limit of a control group.
    private static let resident: Int = min(
        sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), groups.map(\.limit).min() ?? .max)

    /// What the control groups and the limit on addresses leave, bytes; nil: none bounds this process. OpenBLAS takes 32 MiB
    /// at a time, and where it gets none it asks for ever: addresses are at their end before.
    package static var left: Int? {
        let ofAddresses = addresses == .max ? nil : pages.map { addresses - $0[0] - (40 << 20) }
        return (groups.compactMap(\.left) + [ofAddresses].compactMap { $0 }).min()
    }

    /// What this process holds, bytes.
    package static var held: Int { pages?[1] ?? 0 }

    /// Addresses and memory in use, bytes.
    private static var pages: [Int]? {
        guard let bytes = try? FileSystem.read("/proc/self/statm") else { return nil }
        let pages = String(decoding: bytes, as: UTF8.self).split(separator: " ").prefix(2).compactMap { Int($0) }
        return pages.count == 2 ? pages.map { $0 * sysconf(Int32(_SC_PAGESIZE)) } : nil
    }

    /// In one line, for messages.
    package static var limits: String {
        let parts = [
            addresses == .max ? nil : "\(addresses >> 20) MiB of addresses", "\(resident >> 20) MiB of memory",
        ]
        return parts.compactMap { $0 }.joined(separator: " and ")
    }

    /// - Throws: `.ioError` if `bytes` more are not to be had.
    package static func require(_ bytes: Int, for what: String) throws {
        guard let used = pages else { return }
        if bytes > addresses - used[0] || bytes > resident - used[1] {
            throw LecternError(
                .ioError,
                "\(what): needs \(bytes >> 20) MiB more than the \(used[1] >> 20) MiB taken, this process may have \(limits): "
                    + "fewer THREADS, more run.shards or a higher limit")
        }
    }
}

/// A control group with a limit on memory that this process is in, itself or through groups above it.
private struct ControlGroup {
    let limit: Int
    private let usage: String
    private let statistics: String
    /// Page cache, which gives way: whatever else the group holds does not.
    private let reclaimable: [String]

    /// What it may still take, bytes. A thirty-second of the limit is kept: some of the page cache never gives way (what is
    /// read all the time), and while one thread ends a stage the others go on taking.
    var left: Int? {
        guard let used = Self.number(usage), let text = Self.text(statistics) else { return nil }
        let cache = text.split(separator: "\n").reduce(0) { sum, line in
            let fields = line.split(separator: " ")
            return fields.count == 2 && reclaimable.contains(String(fields[0])) ? sum + (Int(fields[1]) ?? 0) : sum
        }
        return limit - used + cache - limit / 32
    }

    /// Of versions 2 and 1.
    static func bounding() -> [ControlGroup] {
        (text("/proc/self/cgroup") ?? "").split(separator: "\n").flatMap { line -> [ControlGroup] in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3 else { return [] }
            let places =
                fields[1].isEmpty
                ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] : fields[1] == "memory" ? ["/sys/fs/cgroup/memory"] : []
            return above(fields[2]).flatMap { group in places.compactMap { ControlGroup($0 + group, fields[1].isEmpty) }
            }
        }
    }

    /// A group's path and those of the groups above it: `/a/b`, `/a`, ``.
    private static func above(_ path: String) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).map { names.prefix($0).map { "/" + $0 }.joined() }
    }

    private init?(_ folder: String, _ isVersion2: Bool) {
        guard let limit = Self.number(folder + (isVersion2 ? "/memory.max" : "/memory.limit_in_bytes")) else {
            return nil
        }
        self.limit = limit
        usage = folder + (isVersion2 ? "/memory.current" : "/memory.usage_in_bytes")
        statistics = folder + "/memory.stat"
        reclaimable = isVersion2 ? ["active_file", "inactive_file"] : ["total_active_file", "total_inactive_file"]
        // Version 1 says "none" with a number beyond all memory.
        if limit >= 1 << 60 { return nil }
    }

    private static func text(_ path: String) -> String? {
        (try? FileSystem.read(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func number(_ path: String) -> Int? { text(path).flatMap { Int($0.dropLast()) } }
}
