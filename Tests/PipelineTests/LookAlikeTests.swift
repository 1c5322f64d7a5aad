// Proves that ids and values are compared by their bytes from import to publication: é as one character and as e with an
// accent are equal strings to Swift, but two learners, two courses, two values. Two of each are planted in a generated
// platform; the expected counts are those of the same platform with plain names.

import Foundation
import ShardKinds
import Shards
import Testing

private let (composed, decomposed) = ("\u{e9}", "e\u{301}")

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct LookAlikeTests {
    /// Renames learners, courses, segments, languages and skills in every file of the logs.
    private func rename(_ logs: String) throws {
        let names = [
            ("c00003", "caf\(composed)"), ("c00004", "caf\(decomposed)"), ("u0000005", "Ren\(composed)"),
            ("u0000006", "Ren\(decomposed)"), ("student", composed), ("enterprise", decomposed),
            ("Azure", composed + "lan"), ("Figma", decomposed + "lan"), ("en", composed), ("de", decomposed),
        ]
        let script = names.map { "s/\\b\($0)\\b/\($1)/g" }.joined(separator: "; ")
        let done = try execute([
            "bash", "-c",
            """
            cd '\(logs)' && for f in *.csv; do sed -i -e '\(script)' "$f"; done &&
            for f in *.csv.gz; do gzip -dc "$f" | sed -e '\(script)' | gzip -1c >"$f.new" && mv "$f.new" "$f"; done
            """,
        ])
        #expect(done.code == 0, "\(done.errors)")
    }

    private func counts(_ run: String, _ stage: String, _ folder: String) throws -> [String: Int] {
        try StageInput(run: run, stage: stage, folder: folder).manifest.counts
    }

    @Test func theyAreTwoFromImportToPublication() throws {
        let place = try Workplace()
        defer { place.remove() }
        let quick = "SET=ncf.epochs=1 filter.snapshots=2 export.formats=[shards,jsonl,tsv,redis,sqlite,trec] "
        let gates =
            "publish.min_lift_over_popular=-1 publish.min_coverage=0 publish.max_churn=1 publish.min_volume_ratio=0"
        let plain = try place.make("run", run: "plain", out: place.folder + "/plain", quick + gates)
        #expect(plain.code == 0, "\(plain.errors)")
        try rename(place.data)
        for relevance in ["1", "0.9"] {
            let done = try place.make("run", quick + gates + " export.relevance_share=\(relevance)")
            #expect(done.code == 0, "\(done.errors)")
        }
        let (before, now) = (place.folder + "/plain/plain", place.out + "/latest")
        for (stage, folder) in [("import-logs", "logs"), ("filter-watches", "watched"), ("export-topk", "topk")] {
            let (expected, found) = (try counts(before, stage, folder), try counts(now, stage, folder))
            for name in ["learners", "courses", "watches", "moments", "lists"] {
                #expect(found[name] == expected[name], "\(stage): \(name)")
            }
        }
        // The second publication was compared with the first: nobody is gone.
        let gone = try execute(["bash", "-c", "gzip -dc '\(place.out)'/current/delta/deleted.jsonl.gz | wc -l"])
        #expect(gone.output.trimmingCharacters(in: .whitespacesAndNewlines) == "0")
        try lookedUp(now)
    }

    /// Each learner gets the list of its own bytes, from SQLite and from shards.
    private func lookedUp(_ run: String) throws {
        struct Line: Decodable { var learner: String }
        for id in ["Ren\(composed)", "Ren\(decomposed)"] {
            for more in [[], ["--shards"]] {
                let done = try execute(
                    [root + "/bin/recommend", id, "--run", run, "--json"] + more)
                #expect(done.code == 0, "\(done.errors)")
                let line = try JSONDecoder().decode(Line.self, from: Data(done.output.utf8))
                #expect(bytes(line.learner) == bytes(id))
            }
        }
        let ids = try StageInput(run: run, stage: "export-topk", folder: "topk").shard(TopKShards.courses)
        let courses = try TopKShards.ids(ids).map(bytes)
        #expect(courses.contains(bytes("caf\(composed)")) && courses.contains(bytes("caf\(decomposed)")))
    }
}
