// Proves on the real executables that filter-watches learns nothing from what must not be learnt from, that its windows
// come from the thresholds of the run, and that its advice can be followed. Expected values: by hand, from the logs.

import Foundation
import Shards
import Testing

@Suite struct FilterWatchesTests {
    private struct Case {
        let folder = NSTemporaryDirectory() + "lectern-\(UUID().uuidString)"
        var run: String { folder + "/run" }

        init(_ files: [String: String]) throws {
            try FileSystem.createFolder(folder)
            let mapping = """
                about: a test
                watches: {files: w.csv, columns: {learner_id: l, course_id: c, started_at: {column: t, as: epoch_seconds}, watched_seconds: s}}
                engagements:
                  files: e.csv
                  optional: true
                  columns: {learner_id: l, course_id: c, time: {column: t, as: epoch_seconds}, kind: {constant: click}, label: {constant: positive}}
                suppressions: {files: s.csv, optional: true, columns: {learner_id: l, course_id: c, scope: o}}

                """
            try put(mapping, "dataset.yaml")
            for (name, text) in files { try put(text, name) }
        }

        func put(_ text: String, _ name: String) throws {
            try FileSystem.write(Array(text.utf8), to: "\(folder)/\(name)")
        }

        func remove() { try? FileSystem.removeAll(folder) }

        func filter(_ set: String = "") throws -> Outcome {
            let prepared = try tool(
                "prepare-run", "--run", run, "--config", root + "/pipeline.yaml", "--dataset",
                folder + "/dataset.yaml", "--data", folder, "--set", set)
            if prepared.code != 0 { return prepared }
            let imported = try tool("import-logs", "--run", run)
            return imported.code == 0 ? try tool("filter-watches", "--run", run, "--threads", "1") : imported
        }

        /// `learner course`, by id.
        func moments() throws -> Set<String> {
            let courses = try Shard(contentsOf: run + "/logs/courses.safetensors.gz").strings("id").strings
            var found: Set<String> = []
            for name in try FileSystem.list(run + "/watched") where name.hasPrefix("watched-") {
                let shard = try Shard(contentsOf: "\(run)/watched/\(name)")
                let learners = try Shard(
                    contentsOf: "\(run)/logs/learners" + name.dropFirst("watched".count)
                ).strings("id").strings
                let rows = try shard.ragged("course", as: UInt32.self)
                for (row, id) in learners.enumerated() {
                    for at in rows.offsets[row]..<rows.offsets[row + 1] {
                        found.insert("\(id) \(courses[Int(rows.values[Int(at)])])")
                    }
                }
            }
            return found
        }
    }

    private let day = 86_400
    private let start = 1_700_000_000

    /// Learners a to f watch courses c0 to c3 for an hour each, on 100 days.
    private var watches: String {
        var text = "l,c,t,s\n"
        for (i, learner) in ["a", "b", "c", "d", "e", "f"].enumerated() {
            for course in 0..<4 { text += "\(learner),c\(course),\(start + (i * 3 + course * 25) * day),3600\n" }
        }
        return text
    }

    @Test func whatIsKeptFromTrainingIsNotLearntFrom() throws {
        let engagements = "l,c,t\na,c1,\(start)\nb,c1,\(start)\nb,c2,\(start)\nb,c3,\(start)\nd,c0,\(start)\n"
        let place = try Case([
            "w.csv": watches, "e.csv": engagements, "s.csv": "l,c,o\na,,train\n,c3,both\nb,c2,train\nd,,recommend\n",
        ])
        defer { place.remove() }
        let done = try place.filter("filter.quantile=0 filter.min_fraction=0 filter.label_window=28d")
        #expect(done.code == 0, "\(done.errors)")
        var expected: Set<String> = []
        for learner in ["b", "c", "d", "e", "f"] { for course in 0..<3 { expected.insert("\(learner) c\(course)") } }
        expected.remove("b c2")
        #expect(try place.moments() == expected)
        let trained = try tool("train-glmix", "--run", place.run, "--threads", "1")
        #expect(trained.code == 0, "\(trained.errors)")
        let manifest = try Manifest.read(stageFolder: place.run + "/glmix").manifest
        #expect(manifest.counts["refit: engagements read"] == 2)  // b c1 and d c0
    }

    @Test func botsAreListed() throws {
        let more = (0..<30).map { "bot,c\($0),\(start + $0 * day),3600\n" }.joined()
        let place = try Case(["w.csv": watches + more])
        defer { place.remove() }
        #expect(try place.filter("filter.max_courses_per_learner=4").code == 0)
        let bots = try Shard(contentsOf: place.run + "/watched/bots.safetensors.gz").strings("id").strings
        #expect(bots == ["bot"])
        #expect(try !place.moments().contains { $0.hasPrefix("bot ") })
    }

    /// Logs of 36 hours: the label window that the message names must fit.
    @Test func theWindowThatWouldFitDoesFit() throws {
        var text = "l,c,t,s\n"
        for i in 0..<36 { text += "l\(i % 6),c\(i),\(start + i * 3600),600\n" }
        let place = try Case(["w.csv": text])
        defer { place.remove() }
        let refused = try place.filter("filter.quantile=0 filter.label_window=28d")
        #expect(refused.code == 65, "\(refused.errors)")
        let window = refused.errors.split(separator: "filter.label_window ").last?.prefix { $0 != " " } ?? ""
        let done = try place.filter("filter.quantile=0 filter.label_window=\(window)")
        #expect(done.code == 0, "\(window): \(done.errors)")
    }

    /// Early watches of 50 s pass by the thresholds of all that precedes T, where a flood of short ones has come, but not by
    /// those from before t_v: no snapshot may lie there.
    @Test func snapshotsBeginWithTheMomentsThatThereAre() throws {
        var text = "l,c,t,s\n"
        for i in 0..<20 { text += "early\(i),c\(i % 5),\(start + i * day),50\n" }
        for i in 0..<400 { text += "l\(i % 40),c\(i % 23),\(start + 200 * day + i * day / 4),1000\n" }
        for i in 0..<2000 { text += "late\(i % 50),c\(i % 31),\(start + 300 * day + i * day / 100),10\n" }
        let place = try Case(["w.csv": text])
        defer { place.remove() }
        let done = try place.filter("filter.min_seconds=0 filter.min_fraction=0 filter.label_window=21d")
        #expect(done.code == 0, "\(done.errors)")
        let manifest = try Manifest.read(stageFolder: place.run + "/watched").manifest
        guard case .integers(let times)? = manifest.facts["fit_snapshots"] else {
            Issue.record("no fit_snapshots: \(manifest.facts)")
            return
        }
        #expect(!times.isEmpty && times.allSatisfy { $0 >= start + 200 * day }, "\(times)")
    }

    @Test func namesAndPipesThatCannotBeInput() throws {
        let place = try Case(["w.csv": watches])
        defer { place.remove() }
        try place.put("l,c,t\n", "e.csv")
        mkfifo(place.folder + "/s.csv", 0o600)
        let pipe = try place.filter()
        #expect(
            pipe.code == 66 && pipe.complaints.count == 1 && pipe.errors.contains("s.csv: is a pipe"), "\(pipe.errors)")
    }
}
