import Platform
import Serving
import ShardKinds
import Shards
import StageKit

/// Writes lists in the configured serving formats, gzipped, beside the shards.
struct ServingFiles {
    let stage: StageRun
    let courses: [String]
    let formats: Set<String>

    init(_ inputs: ExportInputs) {
        (stage, courses, formats) = (inputs.stage, inputs.catalogue.ids, inputs.settings.formats)
    }

    /// - Parameters:
    ///   - keys: one per list; nil: everybody.
    ///   - shard: number and count, in the file's name; nil: one file.
    ///   - fits: what `because` means with reason `fits`.
    func write(
        _ top: TopLists, keys: [String?], _ kind: ListKind, name: String, shard: (Int, Int)?, fits: [String]
    ) throws {
        let lists = ServedList.lists(top, keys: keys, courses: courses, fits: fits)
        try write(lists, kind, name: name, shard: shard)
    }

    func write(related: RankedLists) throws {
        let lists = (0..<related.count).map { course in
            let range = related.range(course)
            return ServedList(
                key: courses[course],
                entries: range.map { at in
                    ServedList.Entry(
                        course: courses[Int(related.courses[at])], rank: at - range.lowerBound + 1,
                        score: related.scores[at], listScore: related.scores[at])
                })
        }
        try write(lists, .course, name: "related", shard: nil)
    }

    private func write(_ lists: [ServedList], _ kind: ListKind, name: String, shard: (Int, Int)?) throws {
        let stem = shard.map { String(ShardName.of(name, $0.0, of: $0.1).dropLast(ShardName.suffix.count)) } ?? name
        if formats.contains("jsonl") {
            var bytes: [UInt8] = []
            for list in lists { JSONLines.append(list, kind, to: &bytes) }
            try stage.output.write(Gzip.compress(bytes), as: stem + JSONLines.suffix, rows: lists.count)
        }
        if formats.contains("tsv") {
            var bytes: [UInt8] = []
            do {
                for list in lists { try TabSeparated.append(list, to: &bytes) }
            } catch let error as UnservableID {
                throw LecternError.data("\(stem)\(TabSeparated.suffix): \(error); leave tsv out of export.formats")
            }
            let rows = lists.reduce(0) { $0 + $1.entries.count }
            try stage.output.write(Gzip.compress(bytes), as: stem + TabSeparated.suffix, rows: rows)
        }
    }
}
