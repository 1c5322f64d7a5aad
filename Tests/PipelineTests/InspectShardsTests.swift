// Proves what inspect-shards shows and finds, with the real executable on a run of two stages written here by hand.
// Expected text: by hand, from docs/inspect-shards.md, RFC 4180, PostgreSQL's COPY and JSON.

import Foundation
import Shards
import Testing

@Suite struct InspectShardsTests {
    /// Three courses, three learners in two shards, four watches, moments.
    private struct Run {
        let folder: String
        var path: String { folder + "/night" }

        init() throws {
            folder = NSTemporaryDirectory() + "lectern-inspect-\(UUID().uuidString)"
            try writeLogs()
            try writeWatched()
        }

        func remove() { try? FileSystem.removeAll(folder) }

        private func place(
            _ shard: ShardBuilder, _ name: String, _ output: StageOutput, _ manifest: Manifest
        ) throws {
            var shard = shard
            shard.metadata["lectern.version"] = manifest.release
            shard.metadata["stage"] = manifest.stage
            shard.metadata["config"] = manifest.config
            shard.metadata["as_of"] = String(manifest.asOf)
            if !manifest.catalogue.isEmpty { shard.metadata["catalogue"] = manifest.catalogue }
            if let parsed = ShardName.parse(name) {
                shard.metadata["shard"] = String(parsed.shard)
                shard.metadata["shards"] = String(parsed.shards)
            }
            try output.write(shard, as: name)
        }

        private func writeLogs() throws {
            let output = try StageOutput(run: path, stage: "logs")
            var manifest = Manifest(
                stage: "import-logs", release: "9.9.9", config: "aaaa", asOf: 1_000_000, newestEvent: 999_999)
            manifest.catalogue = "cccc"
            manifest.counts = ["watches read": 5]
            var courses = ShardBuilder(kind: "courses", rows: 3)
            courses.add("id", Ragged(["a", "b", "c"]))
            courses.add("title", Ragged(["Plain", "He said \"no\", twice", "Zwei\nZeilen\tüber\\alles"]))
            courses.add("retired_at", [Int64(0), 86_400, 0])
            courses.add("retired_at.valid", [false, true, false])
            courses.add("attribute.topic", [UInt32(1), 0, 1])
            courses.add("attribute.topic.valid", [true, true, false])
            courses.add("attribute.skills", Ragged(offsets: [0, 2, 2, 3], values: [UInt32(0), 2, 1]))
            try place(courses, "courses.safetensors.gz", output, manifest)
            for (column, values) in [("topic", ["Art", "Maths"]), ("skills", ["draw", "paint", "prove"])] {
                var dictionary = ShardBuilder(kind: "dictionary", rows: values.count)
                dictionary.add("value", Ragged(values))
                try place(dictionary, "dictionary-courses.\(column).safetensors.gz", output, manifest)
            }
            for (number, ids) in [["ann", "bob"], ["eve"]].enumerated() {
                var learners = ShardBuilder(kind: "learners", rows: ids.count)
                learners.add("id", Ragged(ids))
                try place(learners, ShardName.of("learners", number, of: 2), output, manifest)
                var watches = ShardBuilder(kind: "watches", rows: number == 0 ? 3 : 1)
                watches.add("learner", number == 0 ? [UInt32(0), 0, 1] : [0])
                watches.add("course", number == 0 ? [UInt32(0), 2, 1] : [1])
                watches.add("time", number == 0 ? [Int64(0), 60, 86_400] : [90_000])
                watches.add("seconds", number == 0 ? [Float(30), 0.5, 0] : [12])
                watches.add("seconds.valid", number == 0 ? [true, true, false] : [true])
                try place(watches, ShardName.of("watches", number, of: 2), output, manifest)
            }
            try output.write(Array("{}".utf8), as: "stats.json", listed: false)
            try output.commit(manifest)
        }

        private func writeWatched() throws {
            let output = try StageOutput(run: path, stage: "watched")
            var manifest = Manifest(
                stage: "filter-watches", release: "9.9.9", config: "bbbb", asOf: 1_000_000, newestEvent: 999_999)
            manifest.catalogue = "cccc"
            manifest.inputs["logs"] = try Manifest.read(stageFolder: path + "/logs").digest
            for number in 0..<2 {
                var moments = ShardBuilder(kind: "watched", rows: number == 0 ? 2 : 1)
                let offsets = number == 0 ? [Int64(0), 2, 2] : [0, 1]
                moments.add("course", Ragged(offsets: offsets, values: number == 0 ? [UInt32(2), 0] : [1]))
                moments.add("time", Ragged(offsets: offsets, values: number == 0 ? [Int64(0), 60] : [90_000]))
                try place(moments, ShardName.of("watched", number, of: 2), output, manifest)
            }
            try output.commit(manifest)
        }

        /// What a model alone would recommend to the learners of the first shard.
        func writeBlended() throws {
            let output = try StageOutput(run: path, stage: "blended")
            var manifest = Manifest(
                stage: "blend", release: "9.9.9", config: "dddd", asOf: 1_000_000, newestEvent: 999_999)
            manifest.catalogue = "cccc"
            var single = ShardBuilder(kind: "single", rows: 2)
            single.add("glmix.course", Ragged(offsets: [Int64(0), 2, 2], values: [UInt32(2), 0]))
            try place(single, ShardName.of("single", 0, of: 2), output, manifest)
            try output.commit(manifest)
        }
    }

    private func inspect(_ arguments: String...) throws -> Outcome {
        try execute([root + "/bin/inspect-shards"] + arguments)
    }

    // MARK: cat

    @Test func catSpellsOutIdsAndTimesOfAllShards() throws {
        let run = try Run()
        defer { run.remove() }
        let outcome = try inspect("cat", run.path + "/logs/watches")
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(
            outcome.output == """
                learner,course,time,seconds
                ann,a,1970-01-01T00:00:00Z,30.0
                ann,c,1970-01-01T00:01:00Z,0.5
                bob,b,1970-01-02T00:00:00Z,
                eve,b,1970-01-02T01:00:00Z,12.0

                """)
        let raw = try inspect("cat", "--raw", "--columns", "course,learner", run.path + "/logs/watches")
        #expect(raw.output == "course,learner\n0,0\n2,0\n1,1\n1,0\n")
    }

    @Test func catNamesRowsThatBelongToLearners() throws {
        let run = try Run()
        defer { run.remove() }
        let outcome = try inspect("cat", run.path + "/watched", "--format", "jsonl")
        #expect(
            outcome.output == """
                {"learner": "ann", "course": ["c", "a"], "time": ["1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"]}
                {"learner": "bob", "course": [], "time": []}
                {"learner": "eve", "course": ["b"], "time": ["1970-01-02T01:00:00Z"]}

                """)
    }

    @Test func catSpellsOutTheListsOfEachModel() throws {
        let run = try Run()
        defer { run.remove() }
        try run.writeBlended()
        let outcome = try inspect("cat", run.path + "/blended/single")
        #expect(outcome.output == "learner,glmix.course\nann,c|a\nbob,\n", "\(outcome.errors)")
    }

    @Test func catEscapesForEachFormat() throws {
        let run = try Run()
        defer { run.remove() }
        let path = run.path + "/logs/courses.safetensors.gz"
        #expect(
            try inspect("cat", path, "--columns", "id,title,retired_at,attribute.topic,attribute.skills").output == """
                id,title,retired_at,attribute.topic,attribute.skills
                a,Plain,,Maths,draw|prove
                b,"He said ""no"", twice",1970-01-02T00:00:00Z,Art,
                c,"Zwei
                Zeilen\tüber\\alles",,,paint

                """)
        #expect(
            try inspect("cat", path, "--columns", "title,attribute.topic", "--format", "tsv").output == """
                title\tattribute.topic
                Plain\tMaths
                He said "no", twice\tArt
                Zwei\\nZeilen\\tüber\\\\alles\t\\N

                """)
        let lines = try inspect("cat", path, "--format", "jsonl").output.split(separator: "\n")
        let last = try JSONSerialization.jsonObject(with: Data(lines[2].utf8)) as? [String: Any]
        #expect(last?["title"] as? String == "Zwei\nZeilen\tüber\\alles")
        #expect(last?["attribute.topic"] is NSNull)
        #expect(last?["attribute.skills"] as? [String] == ["paint"])
    }

    @Test func catEndsQuietlyWhenItsReaderGoes() throws {
        let folder = NSTemporaryDirectory() + "lectern-inspect-\(UUID().uuidString)"
        defer { try? FileSystem.removeAll(folder) }
        try FileSystem.createFolder(folder)
        var shard = ShardBuilder(kind: "numbers", rows: 500_000)
        shard.add("number", (0..<500_000).map { Int64($0) })
        let path = folder + "/numbers.safetensors"
        try FileSystem.write(shard.encoded(), to: path)
        // gzip -n writes flags 0 and time 0: a shard made by somebody else.
        #expect(try execute(["gzip", "-n", path]).code == 0)
        let command = "set -o pipefail; \(root)/bin/inspect-shards cat \(path).gz | head -n 2"
        let outcome = try execute(["bash", "-c", command])
        #expect(outcome.output == "number\n0\n")
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.code) \(outcome.errors)")
    }

    @Test func unknownColumnsAndPathsAreNamed() throws {
        let run = try Run()
        defer { run.remove() }
        let column = try inspect("cat", run.path + "/logs/watches", "--columns", "minutes")
        #expect(column.code == 64 && column.complaints.count == 1)
        #expect(column.errors.contains("no column \"minutes\"; there are learner, course, time, seconds"))
        let several = try inspect("cat", run.path + "/logs")
        #expect(several.code == 64 && several.errors.contains("/logs/watches"))
        let path = try inspect("head", run.path + "/nowhere")
        #expect(path.code == 66 && path.errors.contains("nowhere"))
    }

    // MARK: ls, schema, head, stats

    @Test func listsWhatTheManifestsSay() throws {
        let run = try Run()
        defer { run.remove() }
        let lines = try inspect("ls", run.path).output.split(separator: "\n").map(String.init)
        #expect(lines.count == 10)
        #expect(lines[1].hasPrefix("3 ") && lines[1].hasSuffix("/logs/courses.safetensors.gz"))
        #expect(lines[9].hasSuffix("/watched/watched-00001-of-00002.safetensors.gz"))
    }

    @Test func schemaShowsFormsAndHeader() throws {
        let run = try Run()
        defer { run.remove() }
        let text = try inspect("schema", run.path + "/logs/courses.safetensors.gz").output
        func form(_ column: String) -> [Substring] {
            text.split(separator: "\n").first { $0.hasPrefix("  \(column) ") }?.split(separator: " ") ?? []
        }
        #expect(form("title") == ["title", "U8", "string"])
        #expect(form("attribute.topic") == ["attribute.topic", "U32", "value", "or", "null"])
        #expect(form("attribute.skills") == ["attribute.skills", "U32", "list"])
        #expect(text.contains("  as_of: 1000000 (1970-01-12T13:46:40Z)\n"))
        #expect(text.contains("  kind: courses\n"))
    }

    @Test func headShowsTheFirstRowsOfEachName() throws {
        let run = try Run()
        defer { run.remove() }
        let lines = try inspect("head", "--rows", "1", run.path + "/logs/watches").output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[1].split(separator: " ") == ["learner", "course", "time", "seconds"])
        #expect(lines[2].split(separator: " ") == ["ann", "a", "1970-01-01T00:00:00Z", "30.0"])
        let all = try inspect("head", run.path).output
        #expect(all.contains("watched-00000-of-00002") && all.contains("dictionary-courses.topic"))
    }

    @Test func statsAreThoseOfAllShards() throws {
        let run = try Run()
        defer { run.remove() }
        let text = try inspect("stats", run.path + "/logs/watches").output
        // Seconds 30, .5 and 12, one null; sorted .5, 12, 30.
        #expect(text.contains("watches: 2 files, 4 rows\n"))
        #expect(text.contains("seconds\n  count 3, nulls 1, min 0.5, max 30, mean 14.167\n"))
        #expect(text.contains("  5 % 0.5, 25 % 0.5, 50 % 12, 75 % 30, 95 % 30\n"))
        #expect(text.contains("course\n  count 4, nulls 0, distinct 3\n  most: b 50.0 %, a 25.0 %, c 25.0 %\n"))
        #expect(text.contains("min 1970-01-01T00:00:00Z, max 1970-01-02T01:00:00Z"))
        let moments = try inspect("stats", run.path + "/watched").output
        #expect(moments.contains("course\n  lists 3, entries a list 0 to 2, mean 1\n"))
    }

    // MARK: verify

    @Test func verifyAcceptsWhatWasWritten() throws {
        let run = try Run()
        defer { run.remove() }
        let outcome = try inspect("verify", run.path)
        #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome.output)")
        #expect(outcome.errors.contains("9 files in 2 stages"))
    }

    @Test func verifyFindsEveryFlippedBit() throws {
        let run = try Run()
        defer { run.remove() }
        let path = run.path + "/watched/watched-00001-of-00002.safetensors.gz"
        let good = try FileSystem.read(path)
        for bit in stride(from: 0, to: good.count * 8, by: 37) {
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            try FileSystem.write(bad, to: path)
            let outcome = try inspect("verify", run.path)
            #expect(outcome.code == 65, "bit \(bit)")
            #expect(outcome.output.split(separator: "\n").count == 1 && outcome.output.hasPrefix(path + ": "))
            #expect(outcome.errors.contains("make filter-watches OUT=\(run.folder) RUN=night"))
        }
    }

    @Test func verifyNamesEachDamageAndTheEarliestStage() throws {
        let run = try Run()
        defer { run.remove() }
        let learners = run.path + "/logs/learners-00000-of-00002.safetensors.gz"
        let moments = run.path + "/watched/watched-00000-of-00002.safetensors.gz"
        try FileSystem.removeAll(learners)
        try FileSystem.write(Array(FileSystem.read(moments).dropLast(9)), to: moments)
        try FileSystem.write([1, 2, 3], to: run.path + "/watched/notes.txt")
        let outcome = try inspect("verify", run.path)
        #expect(outcome.code == 65 && outcome.complaints.count == 1)
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        #expect(lines[0] == learners + ": is missing")
        #expect(lines[1].hasPrefix(moments + ": ") && lines[1].contains("the manifest says"))
        #expect(lines[2] == run.path + "/watched/notes.txt: no manifest lists it; remove it")
        #expect(outcome.errors.contains("make import-logs "))
    }

    @Test func verifyFindsSwappedShardsAndForeignGenerations() throws {
        let run = try Run()
        let other = try Run()
        defer {
            run.remove()
            other.remove()
        }
        // A shard with valid content in another's place.
        let swapped = run.path + "/watched/watched-00000-of-00002.safetensors.gz"
        try FileSystem.write(
            FileSystem.read(run.path + "/watched/watched-00001-of-00002.safetensors.gz"), to: swapped)
        #expect(try inspect("verify", run.path).output.hasPrefix(swapped + ": "))
        // A manifest that was made from other logs.
        let logs = other.path + "/logs"
        var manifest = try Manifest.read(stageFolder: logs).manifest
        manifest.counts["watches read"] = 6
        try FileSystem.write(manifest.encoded(), to: logs + "/manifest.json")
        let outcome = try inspect("verify", other.path)
        #expect(outcome.code == 65)
        #expect(outcome.output == other.path + "/watched/manifest.json: made from another generation of logs/\n")
    }

    // MARK: lineage, diff

    @Test func lineageGoesUpToTheLogs() throws {
        let run = try Run()
        defer { run.remove() }
        let lines = try inspect("lineage", run.path + "/watched").output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("watched/ generation ") && lines[0].contains("by filter-watches 9.9.9"))
        #expect(lines[1].hasPrefix("  logs/ generation ") && lines[1].contains("by import-logs 9.9.9"))
        #expect(lines[2] == "    watches read 5")
    }

    @Test func diffTellsColumnsAndRows() throws {
        let run = try Run()
        defer { run.remove() }
        let (a, b) = (run.path + "/logs/watches-00000-of-00002.safetensors.gz", run.folder + "/b.safetensors.gz")
        #expect(try inspect("diff", a, a).code == 0)
        #expect(try inspect("diff", run.path, run.path).output.isEmpty)
        let shard = try Shard(contentsOf: a)
        var changed = ShardBuilder(kind: "watches", rows: 3)
        changed.metadata = shard.metadata
        changed.add("learner", try shard.values("learner", as: UInt32.self))
        changed.add("course", [UInt32(0), 1, 1])
        changed.add("time", [Int64(5), 60, 86_407])
        changed.add("seconds", try shard.values("seconds", as: Float.self))
        try FileSystem.write(Gzip.compress(changed.encoded()), to: b)
        let outcome = try inspect("diff", a, b)
        #expect(outcome.code == 1)
        #expect(
            outcome.output == """
                column course: 1 of 3 values differ, first at 1 (2 | 1), by up to 1.0
                column seconds.valid: only in the first
                column time: 2 of 3 values differ, first at 0 (0 | 5), by up to 7.0

                """)
    }

    @Test func diffSeesEveryByteAndEveryFile() throws {
        let run = try Run()
        let other = try Run()
        defer {
            run.remove()
            other.remove()
        }
        func shard(_ name: String, _ large: Int64, _ zero: Double) throws -> String {
            var shard = ShardBuilder(kind: "test", rows: 1)
            shard.add("large", [large])
            shard.add("zero", [zero])
            try FileSystem.write(Gzip.compress(shard.encoded()), to: "\(run.folder)/\(name)")
            return "\(run.folder)/\(name)"
        }
        // As doubles 2⁵³ and 2⁵³ + 1 are one number.
        let a = try shard("a.safetensors.gz", 9_007_199_254_740_992, 0)
        let b = try shard("b.safetensors.gz", 9_007_199_254_740_993, -0.0)
        let lines = try inspect("diff", a, b).output.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        #expect(
            lines[0].hasPrefix("column large: 1 of 1 values differ, first at 0 (9007199254740992 | 9007199254740993)"))
        #expect(lines[1].hasPrefix("column zero: the bytes differ"))

        // A file that is no shard.
        for (place, bytes) in [(run, [UInt8](arrayLiteral: 1)), (other, [2])] {
            let logs = place.path + "/logs"
            var manifest = try Manifest.read(stageFolder: logs).manifest
            try FileSystem.write(bytes, to: logs + "/extra.json")
            manifest.outputs["extra.json"] = Manifest.File(rows: nil, bytes: 1, sha256: Digest.sha256(bytes))
            try FileSystem.write(manifest.encoded(), to: logs + "/manifest.json")
        }
        let folders = try inspect("diff", run.path, other.path)
        #expect(folders.code == 1 && folders.output == "logs/extra.json: differs\n", "\(folders.output)")
    }

    @Test func timesThatAreNoneAreShownAsTheyAre() throws {
        let folder = NSTemporaryDirectory() + "lectern-inspect-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        defer { try? FileSystem.removeAll(folder) }
        var shard = ShardBuilder(kind: "test", rows: 3)
        shard.metadata["as_of"] = String(Int64.min)
        shard.add("time", [Int64.min, -62_135_596_800, 0])
        // The quote and the accent are one character.
        shard.add("title", Ragged(["He said \"\u{301}yes\", ok", "", ""]))
        let path = folder + "/a.safetensors.gz"
        try FileSystem.write(Gzip.compress(shard.encoded()), to: path)
        let text = try inspect("cat", path, "--format", "csv")
        #expect(text.code == 0, "\(text.errors)")
        #expect(
            text.output.utf8.elementsEqual(
                """
                title,time
                "He said ""\u{301}yes"", ok",-9223372036854775808
                ,0001-01-01T00:00:00Z
                ,1970-01-01T00:00:00Z

                """.utf8), "\(text.output)")
        for command in ["head", "schema"] { #expect(try inspect(command, path).code == 0, "\(command)") }
    }
}
