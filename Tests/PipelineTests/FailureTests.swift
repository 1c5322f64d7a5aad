// Proves that bad input gets one clear line, the documented exit code, and nothing half-written, with the real
// executables. Expected values: docs/operations.md's table of exit codes.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct FailureTests {
    /// Folders that only an unfinished stage leaves.
    private func leftovers(_ run: String) throws -> [String] {
        try FileSystem.list(run).filter { $0.hasSuffix(".partial") || $0.hasSuffix(".old") }
    }

    private func failure(_ outcome: Outcome, _ code: Int, _ words: String...) {
        #expect(outcome.code == 2, "make turns every failure into 2")
        #expect(outcome.errors.contains("Error \(code)"), "\(outcome.errors)")
        #expect(outcome.complaints.count == 1, "\(outcome.errors)")
        for word in words { #expect(outcome.complaints.first?.contains(word) == true, "\(word): \(outcome.errors)") }
    }

    /// Texts that YAML would type: what the dataset file says is what import-logs reads.
    @Test func textsOfTheDatasetFileStayAsTheyAreWritten() throws {
        let folder = NSTemporaryDirectory() + "lectern-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        defer { try? FileSystem.removeAll(folder) }
        func put(_ text: String, _ name: String) throws {
            try FileSystem.write(Array(text.utf8), to: "\(folder)/\(name)")
        }
        try put(
            """
            about: a test
            null_marks: [NULL, 007, no]
            watches: {files: w.csv, columns: {learner_id: l, course_id: c, started_at: t}}
            learners: {files: l.csv, columns: {learner_id: l, segment: s}}

            """, "dataset.yaml")
        try put("l,c,t\na,x,2024-01-01\nb,x,2024-01-02\n", "w.csv")
        try put("l,s\na,NULL\nb,7\n", "l.csv")
        let run = folder + "/run"
        let prepared = try tool(
            "prepare-run", "--run", run, "--config", root + "/pipeline.yaml", "--dataset", folder + "/dataset.yaml",
            "--data", folder)
        #expect(prepared.code == 0, "\(prepared.errors)")
        let done = try tool("import-logs", "--run", run)
        #expect(done.code == 0, "\(done.errors)")
        let segments = try Shard(contentsOf: run + "/logs/dictionary-learners.segment.safetensors.gz").strings("value")
            .strings
        #expect(segments == ["7"])
    }

    @Test func brokenConfiguration() throws {
        let place = try Workplace()
        defer { place.remove() }
        let path = place.folder + "/broken.yaml"
        try FileSystem.write(Array("filter:\n  quantil: 0.5\n".utf8), to: path)
        failure(try place.make("stages", "CONFIG=\(path)"), 78, "\(path):2", "filter.quantile")
        failure(try place.make("stages", "SET=ncf.epochs=many"), 78, "ncf.epochs", "many")
        #expect(try leftovers("\(place.out)/latest").isEmpty)
    }

    /// Whoever forgets DATASET must not replace a platform's run by one of the sample.
    @Test func aForgottenDatasetIsNoticed() throws {
        let place = try Workplace()
        defer { place.remove() }
        let run = place.out + "/latest"
        func prepare(_ dataset: String) throws -> Outcome {
            try tool(
                "prepare-run", "--run", run, "--config", root + "/pipeline.yaml", "--dataset",
                root + "/data/\(dataset)/dataset.yaml", "--data", place.data, "--set", "ncf.epochs=1 export.k=5")
        }
        // The sample may be replaced, by others it may not replace.
        for dataset in ["sample", "lectern", "lectern"] { #expect(try prepare(dataset).code == 0) }
        let before = try FileSystem.read(run + "/config/inputs.txt")
        let other = try prepare("sample")
        #expect(other.code == 78 && other.complaints.count == 1)
        for word in ["lectern/dataset.yaml", "DATASET=lectern", "DATA=\(place.data)", "make clean-run"] {
            #expect(other.errors.contains(word), "\(other.errors)")
        }
        #expect(try FileSystem.read(run + "/config/inputs.txt") == before)
        // What mends a damaged shard says the same variables.
        #expect(try tool("import-logs", "--run", run, "--threads", "1").code == 0)
        try FileSystem.removeAll(run + "/logs/courses.safetensors.gz")
        let damaged = try tool("inspect-shards", "verify", run)
        let variables =
            "DATASET=lectern DATA=\(place.data) CONFIG=\(root)/pipeline.yaml SET='ncf.epochs=1 export.k=5' OUT=\(place.out)"
        #expect(damaged.errors.contains("make import-logs \(variables) && make run \(variables)"), "\(damaged.errors)")
    }

    @Test func missingInput() throws {
        let place = try Workplace()
        defer { place.remove() }
        try FileSystem.removeAll(place.data + "/courses.csv")
        failure(try place.make("stages"), 66, "courses.csv")
    }

    @Test func malformedRows() throws {
        let place = try Workplace()
        defer { place.remove() }
        let bad = (0..<2000).map { "l\($0),c1,not a time,30,web\n" }.joined()
        try FileSystem.write(
            Array(("learner_id,course_id,started_at,watched_seconds,channel\n" + bad).utf8),
            to: place.data + "/watches-998.csv.gz")
        let outcome = try place.make("stages")
        failure(outcome, 65, "watches-998.csv.gz", "max_rejected")
        #expect(!FileSystem.exists("\(place.out)/latest/logs"))
        #expect(try leftovers("\(place.out)/latest").isEmpty)
        let note = String(decoding: try FileSystem.read("\(place.out)/latest/failed.json"), as: UTF8.self)
        #expect(note.contains("import-logs") && note.contains("65"))
    }

    @Test func truncatedShard() throws {
        let place = try Workplace()
        defer { place.remove() }
        #expect(try place.make("stages").code == 0)
        let run = "\(place.out)/latest"
        let shard = "\(run)/watched/watched-00003-of-00016.safetensors.gz"
        let bytes = try FileSystem.read(shard)
        try FileSystem.write(Array(bytes.dropLast(20)), to: shard)
        let before = try place.digests()
        let stage = try tool("build-cooccurrence", "--run", run)
        #expect(stage.code == 65 && stage.complaints.count == 1)
        #expect(stage.complaints.first?.contains("watched-00003-of-00016.safetensors.gz") == true)
        #expect(try leftovers(run).isEmpty)
        #expect(try place.digests() == before)
        // A flipped bit, which the size does not show.
        var flipped = bytes
        flipped[bytes.count / 2] ^= 4
        try FileSystem.write(flipped, to: shard)
        #expect(try tool("build-cooccurrence", "--run", run).code == 65)
        #expect(try tool("inspect-shards", "verify", run).code == 65)
    }

    /// A file system of 256 KiB, where root may mount one.
    @Test func fullDisk() throws {
        let place = try Workplace()
        defer { place.remove() }
        let small = place.folder + "/small"
        try FileSystem.createFolder(small)
        guard try execute(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small]).code == 0 else {
            print("fullDisk: skipped, no permission to mount a small file system")
            return
        }
        defer { _ = try? execute(["umount", small]) }
        let outcome = try place.make("stages", out: small)
        failure(outcome, 74, "No space left on device")
        #expect(try leftovers("\(small)/latest").isEmpty)
    }

    /// Where addresses are limited, OpenBLAS's threads may never come up; the end of a stage waited for them.
    @Test func endsWhereAddressesAreLimited() throws {
        let limited = ["timeout", "20", "prlimit", "--as=\(200 << 20)"]
        for stage in ["import-logs", "evaluate"] {
            let ended = try execute(limited + ["\(root)/bin/\(stage)", "--run", "/nonexistent"])
            #expect(ended.code == 66 && ended.complaints.count == 1, "\(ended.code): \(ended.errors)")
        }
    }

    @Test func usageAndHelp() throws {
        for name in PipelineTests.stages {
            #expect(try tool(name, "--no-such-option").code == 64)
            let help = try tool(name, "--help")
            #expect(help.code == 0 && help.output.contains("Memory:"), "\(name)")
            let missing = try tool(name, "--run", "/nonexistent/run")
            #expect(missing.code == 66 && missing.complaints.count == 1, "\(name): \(missing.errors)")
        }
    }
}
