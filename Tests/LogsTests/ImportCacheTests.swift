// Proved: an import from the cache gives the same bytes as one without, whatever changed around the cached files; and
// no damage to the cache shows in the result. The expected bytes are those of an import without cache.

import Foundation
import Logs
import Shards
import Synchronization
import Testing

/// Two files of watches and one of engagements, with rows that cannot be used and courses that come late.
private let watchesA = """
    learner_id,course_id,started_at,watched_seconds,channel
    bea,c2,2024-02-28T10:00:00Z,30,app
    ann,c1,2024-02-29T23:59:59Z,60,web
    ann,c1,not a time,60,web
    ann,nowhere,2024-02-01,60,tv
    ann,c1,2024-01-01T00:00:00Z,,

    """
private let watchesB = #"""
    learner_id,course_id,started_at,watched_seconds,channel
    dan,c3,2024-03-02,12.5,web
    "quo,ted",c1,2024-02-01,1,"a ""b"""
    bea,c1,2024-02-03,-4,web

    """#
private let engagements = """
    learner_id,course_id,time,kind,channel
    bea,c1,2024-02-01,impression,mail
    eve,c2,2024-02-01,click,
    eve,nowhere,2024-02-01,click,mail

    """
private let courses = """
    course_id,title,language,published_at,retired_at,duration_seconds
    c1,First,en,2023-05-01,,600
    c2,Second,de,2024-05,2025-01-01,
    c3,Third,en,,2024-02-20,60

    """
/// 2024-03-01
private let asOf: Int64 = 1_709_251_200

private struct Cached {
    let folder = TemporaryFolder()
    let warnings = Messages()

    final class Messages: Sendable {
        let all = Mutex<[String]>([])
        var texts: [String] { all.withLock { $0 } }
    }

    func cache(mapping: String = ownMapping, limit: Int = 1 << 30) -> ImportCache {
        let warnings = warnings
        return ImportCache(folder: folder.path, limit: limit, mapping: Array(mapping.utf8)) { text in
            warnings.all.withLock { $0.append(text) }
        }
    }

    var entries: [String] { get throws { try FileSystem.list(folder.path).map { folder.path + "/" + $0 } } }
}

private func files(
    _ a: String = watchesA, _ b: String? = watchesB, _ catalogue: String = courses
) -> [(name: String, bytes: [UInt8])] {
    [("watches-a.csv", a), ("watches-b.csv", b ?? ""), ("engagements-a.csv", engagements), ("courses.csv", catalogue)]
        .filter { !$0.1.isEmpty }.map { ($0.0, Array($0.1.utf8)) }
}

private let mapping = ownMapping

/// Imports with the cache and without, compares every byte, and returns how many files the cache gave.
@discardableResult
private func compare(
    _ cached: Cached, _ files: [(name: String, bytes: [UInt8])], asOf: Int64 = asOf, threads: Int = 1,
    mapping: String = mapping
) throws -> Int {
    let cache = cached.cache(mapping: mapping)
    let with = try importLogs(mapping, files, asOf: asOf, shards: 2, threads: threads, cache: cache)
    let without = try importLogs(mapping, files, asOf: asOf, shards: 2)
    #expect(with.before == without.before)
    #expect(with.after == without.after)
    #expect(with.rejects == without.rejects)
    #expect(with.cut.accounts == without.cut.accounts)
    return cache.hitCount
}

@Suite struct ImportCacheTests {
    @Test(arguments: [1, 3])
    func cachedFilesGiveTheSameBytes(threads: Int) throws {
        let cached = Cached()
        #expect(try compare(cached, files(), threads: threads) == 0)
        #expect(try cached.entries.count == 3)
        #expect(try compare(cached, files(), threads: threads) == 3)
        // The unusable rows: a time, a course that is nowhere (twice), a negative watch time.
        let again = try importLogs(mapping, files(), asOf: asOf, cache: cached.cache(mapping: mapping))
        #expect(again.rejects.split(separator: "\n").count == 1 + 4)
        #expect(cached.warnings.texts.isEmpty)
    }

    @Test func changedLateAndWithdrawnFilesAreReadAlone() throws {
        let cached = Cached()
        try compare(cached, files(watchesA, nil))
        #expect(try compare(cached, files(watchesA, watchesB)) == 2, "a late file")
        #expect(try compare(cached, files(watchesA + "cid,c1,2024-02-05,7,web\n", watchesB)) == 2, "a changed file")
        #expect(try compare(cached, files(watchesA, nil)) == 2, "a withdrawn file")
    }

    /// The folder may be a disk that others use: what is no entry stays, however little room there is.
    @Test func whatIsNoEntryStays() throws {
        let cached = Cached()
        try compare(cached, files())
        for name in ["thesis", "other.partial", "import-x"] {
            try FileSystem.createFolder("\(cached.folder.path)/\(name)")
            try FileSystem.write([1], to: "\(cached.folder.path)/\(name)/file")
        }
        cached.cache(limit: 0).prune()
        #expect(try FileSystem.list(cached.folder.path).sorted() == ["import-x", "other.partial", "thesis"])
    }

    /// The catalogue and T are no part of an entry.
    @Test func catalogueAndTMayChange() throws {
        let cached = Cached()
        try compare(cached, files())
        let more = courses + "nowhere,Found,en,,,60\n"
        #expect(try compare(cached, files(watchesA, watchesB, more)) == 3)
        #expect(try compare(cached, files(), asOf: 1_708_000_000) == 3)
        #expect(try compare(cached, files(), asOf: 1_712_000_000) == 3)
        #expect(try compare(cached, files().filter { $0.name != "courses.csv" }) == 3)
    }

    @Test func anotherMappingHasEntriesOfItsOwn() throws {
        let cached = Cached()
        try compare(cached, files())
        #expect(try compare(cached, files(), mapping: mapping + "\n# changed\n") == 0)
        #expect(try compare(cached, files()) == 3)
    }

    @Test func damageIsFoundAndMended() throws {
        let cached = Cached()
        try compare(cached, files())
        var damaged = 0
        for entry in try cached.entries {
            for name in try FileSystem.list(entry) {
                let path = entry + "/" + name
                let good = try FileSystem.read(path)
                for at in stride(from: 0, to: good.count, by: 41) {
                    var bad = good
                    bad[at] ^= 0x10
                    try FileSystem.write(bad, to: path)
                    #expect(try compare(cached, files()) >= 2, "\(name), byte \(at)")
                    damaged += 1
                }
                try FileSystem.write(Array(good.dropLast(3)), to: path)
                #expect(try compare(cached, files()) == 2, "\(name) is cut")
                try FileSystem.removeAll(path)
                #expect(try compare(cached, files()) == 2, "\(name) is gone")
                #expect(try FileSystem.read(path) == good, "\(name) is mended")
            }
        }
        #expect(damaged > 60)
        // A sound file in the wrong place.
        let (one, other) = (try cached.entries[0], try cached.entries[1])
        try FileSystem.write(FileSystem.read(one + "/rows.safetensors.gz"), to: other + "/rows.safetensors.gz")
        #expect(try compare(cached, files()) == 2)
        #expect(cached.warnings.texts.contains { $0.contains("belongs to another entry") })
    }

    @Test func theLeastRecentlyUsedGoFirst() throws {
        let cached = Cached()
        try compare(cached, files())
        let sizes = try cached.entries.map { entry in
            try FileSystem.list(entry).reduce(0) { $0 + FileSystem.status(entry + "/" + $1)!.bytes }
        }
        let longAgo = timeval(tv_sec: 1_000, tv_usec: 0)
        for entry in try cached.entries { utimes(entry, [longAgo, longAgo]) }
        // Only the files that this import uses are new; all three entries need more than the limit.
        let limit = sizes.reduce(0, +) - 1
        let one = files().filter { $0.name != "watches-b.csv" }
        _ = try importLogs(mapping, one, asOf: asOf, cache: cached.cache(mapping: mapping, limit: limit))
        #expect(try cached.entries.count == 2)
        #expect(try compare(cached, one) == 2)
        _ = try importLogs(mapping, one, asOf: asOf, cache: cached.cache(mapping: mapping, limit: 0))
        #expect(try cached.entries.isEmpty)
    }

    /// A folder that somebody still writes stays; one whose writer is gone goes with the next import.
    @Test func whatWritersLeaveBehindGoes() throws {
        let cached = Cached()
        let key = cached.folder.path + "/" + String(repeating: "0", count: 64)
        let (left, busy) = (key + ".left.partial", key + ".busy.partial")
        for folder in [left, busy] {
            try FileSystem.createFolder(folder)
            try FileSystem.write([1], to: folder + "/rows.safetensors.gz")
        }
        let descriptor = open(busy, O_RDONLY | O_DIRECTORY)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        try compare(cached, files())
        #expect(try cached.entries.filter { $0.hasSuffix(".partial") } == [busy])
        close(descriptor)
        try compare(cached, files())
        #expect(try cached.entries.allSatisfy { !$0.hasSuffix(".partial") } && cached.entries.count == 3)
        #expect(cached.warnings.texts.isEmpty)
    }
}
