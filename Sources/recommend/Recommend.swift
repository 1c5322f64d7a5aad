import ArgumentParser
import CommandKit
import Platform
import Serving
import ServingSQLite
import ShardKinds
import Shards

#if canImport(Glibc)
    import Glibc
#endif

// A program of its own, and without StageKit: the dynamic loader takes longer over OpenBLAS and Foundation than a lookup
// takes (docs/benchmarks.md).

/// Looks one learner's list up, as a serving layer would: from `topk.sqlite` where it was exported, else from the one
/// shard that has the learner.
@main
struct Recommend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recommend", abstract: "Prints one learner's list with scores, reasons and rung.",
        discussion: """
            Reads topk/ alone (titles from logs/ where it is there), so it works on a run and on what was published. \
            A learner unknown to the run gets the default list.
            Memory: one shard of lists, or next to nothing with topk.sqlite.
            """, version: Lectern.release)

    @Argument(help: "The learner's id.")
    var learner: String

    @Option(name: .customLong("run"), help: "The run folder, or a publication.")
    var runFolder = "out/latest"

    @Flag(name: .long, help: "One line of JSON instead of a table.")
    var json = false

    @Flag(name: .long, help: "Read the shards even where topk.sqlite is there.")
    var shards = false

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("recommend", talk) { _ in
            let found = try FoundList(learner, run: runFolder, useSQLite: !shards)
            if json {
                var bytes: [UInt8] = []
                JSONLines.append(found.list, found.kind, to: &bytes)
                _ = try Terminal.write(String(decoding: bytes, as: UTF8.self))
            } else {
                _ = try Terminal.write(found.text)
            }
        }
    }
}

/// A list and the titles that go with it.
private struct FoundList {
    let list: ServedList
    let kind: ListKind
    /// By the bytes of course ids: Swift's strings are equal if they look alike.
    let titles: [[UInt8]: String]

    init(_ learner: String, run: String, useSQLite: Bool) throws {
        let topk = try StageInput(run: run, stage: "export-topk", folder: "topk")
        if useSQLite && topk.has(SQLiteLists.fileName) {
            let path = "\(topk.folder)/\(SQLiteLists.fileName)"
            do {
                if let found = try SQLiteReader(path: path).list(learner) {
                    (list, titles, kind) = (found.list, found.titles, .learner)
                    return
                }
            } catch let error as SQLiteError {
                throw LecternError.data("\(error); run make export-topk")
            }
        } else if let found = try Self.inShard(learner, topk) {
            (list, kind) = (found, .learner)
            titles = try Self.titles(run, of: found)
            return
        }
        let unknown = try Self.unknown(topk)
        (list, kind) = (unknown, .segment)
        titles = try Self.titles(run, of: unknown)
    }

    private static func inShard(_ learner: String, _ topk: StageInput) throws -> ServedList? {
        let count = topk.names("topk").count
        let number = LearnerHash.shard(LearnerHash.of(learner.utf8), of: count)
        let shard = try topk.shard(TopKShards.topk(number, of: count))
        guard let row = position(learner, in: try shard.strings("id")) else { return nil }
        let fits = try LogsShards.dictionary(topk.shard(TopKShards.fits(number, of: count))).values
        return try served(TopKShards.lists(shard), row, key: learner, topk, fits: fits)
    }

    /// Of an id among ids that ascend by their bytes.
    private static func position(_ id: String, in ids: Ragged<UInt8>) -> Int? {
        let wanted = Array(id.utf8)
        func bytes(_ row: Int) -> ArraySlice<UInt8> { ids.values[Int(ids.offsets[row])..<Int(ids.offsets[row + 1])] }
        var (low, high) = (0, ids.offsets.count - 1)
        let end = high
        while low < high {
            let middle = (low + high) / 2
            if bytes(middle).lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
        }
        return low < end && bytes(low).elementsEqual(wanted) ? low : nil
    }

    private static func unknown(_ topk: StageInput) throws -> ServedList {
        try served(TopKShards.lists(topk.shard(TopKShards.defaults)), 0, key: nil, topk, fits: [])
    }

    private static func served(
        _ top: TopLists, _ row: Int, key: String?, _ topk: StageInput, fits: [String]
    ) throws -> ServedList {
        let courses = try TopKShards.ids(topk.shard(TopKShards.courses))
        return ServedList.list(top, row, key: key, courses: courses, fits: fits)
    }

    /// Titles of the courses that a list names. Where logs/ was not published, ids must do.
    private static func titles(_ run: String, of list: ServedList) throws -> [[UInt8]: String] {
        guard FileSystem.exists("\(run)/logs/\(LogsShards.courses)") else { return [:] }
        let logs = try StageInput(run: run, stage: "import-logs", folder: "logs")
        let courses = try logs.shard(LogsShards.courses)
        let (ids, titles) = (try courses.strings("id"), try courses.strings("title"))
        var found: [[UInt8]: String] = [:]
        for id in list.entries.flatMap({ [$0.course] + ($0.because.map { [$0] } ?? []) }) {
            if let row = position(id, in: ids) { found[Array(id.utf8)] = titles.string(row) }
        }
        return found
    }

    var text: String {
        var text: String
        if let key = list.key {
            text = "\(key): \(list.entries.count) courses, rung \(list.rung ?? "")"
        } else {
            text = "not a learner of this run: the default list of \(list.entries.count) courses"
        }
        text += (list.short.map { ", short because of \($0)" } ?? "") + "\n"
        let shown = list.entries.map { name($0.course) }
        let width = shown.map(\.count).max() ?? 0
        for (entry, title) in zip(list.entries, shown) {
            let rank = String(entry.rank)
            text += String(repeating: " ", count: max(0, 4 - rank.count)) + rank + "  "
            text += fixed(entry.score) + "  " + title
            text += String(repeating: " ", count: width - title.count) + "  " + reason(entry) + "\n"
        }
        return text
    }

    private func name(_ course: String) -> String {
        let title = titles[Array(course.utf8)] ?? ""
        let text = title.isEmpty ? course : "\(course)  \(title)"
        return text.count > 70 ? text.prefix(69) + "…" : text
    }

    private func reason(_ entry: ServedList.Entry) -> String {
        switch entry.reason {
        case Reason.watched.label: "because you watched \(entry.because.map(name) ?? "")"
        case Reason.fits.label: "fits your \(entry.because ?? "")"
        case Reason.popularInSegment.label: "popular in your segment"
        default: "popular now"
        }
    }
}

/// With four decimals, eight wide.
private func fixed(_ number: Float) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
        _ = withVaList([Double(number)]) { vsnprintf(text.baseAddress!, text.count, "%8.4f", $0) }
        return String(cString: text.baseAddress!)
    }
}
