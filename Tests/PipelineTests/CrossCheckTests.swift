// Proves that prepare-run finds at once what else a stage would find hours later: values that do not agree with each
// other, or with the columns that the dataset file states. And that what it cannot know it leaves alone.

import Foundation
import Shards
import Testing

@Suite struct CrossCheckTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "lectern-checks-\(UUID().uuidString)"
        let dataset = """
            about: a test
            watches: {files: w.csv, columns: {learner_id: l, course_id: c, started_at: t}}
            learners:
              files: l.csv
              columns:
                learner_id: l
                segment: s
                years: {column: y, as: number}
                skills: {column: k, as: list}
            courses:
              files: c.csv
              columns:
                course_id: c
                title: t
                language: g
                duration_seconds: d
                topic: o
                skills: {column: k, as: list}

            """
        try FileSystem.createFolder(folder)
        try FileSystem.write(Array(dataset.utf8), to: folder + "/dataset.yaml")
        // The same, but whatever else the headers of learners and courses name.
        let open = dataset.replacingOccurrences(of: "  columns:", with: "  other_columns: by_header\n  columns:")
        try FileSystem.write(Array(open.utf8), to: folder + "/open.yaml")
        for name in ["w", "l", "c"] { try FileSystem.write([], to: "\(folder)/\(name).csv") }
    }

    private func prepare(_ set: String, _ dataset: String = "dataset", _ more: String...) throws -> Outcome {
        let arguments = [
            "--run", folder + "/out/\(dataset == "dataset" ? "run" : dataset)", "--config", root + "/pipeline.yaml",
            "--dataset",
            "\(folder)/\(dataset).yaml",
            "--data", folder, "--set", set,
        ]
        return try execute([root + "/bin/prepare-run"] + arguments + more)
    }

    @Test func mistakesShowAtOnce() throws {
        defer { try? FileSystem.removeAll(folder) }
        let mistakes: [(set: String, words: [String])] = [
            ("export.require={nosuch: [a]}", ["export.require", "nosuch", "dataset.yaml", "topic"]),
            ("export.bar={title: [a]}", ["export.bar", "title"]),
            ("export.max_per={duration_seconds: 2}", ["export.max_per", "duration_seconds"]),
            ("export.languages=learner", ["export.languages", "language", "learners"]),
            ("export.k=21 blend.candidates=20", ["export.k", "21", "blend.candidates"]),
            ("export.related=51", ["export.related", "50"]),
            ("blend.prior=[1, 2]", ["blend.prior", "[1, 2]", "ncf, glmix, recent"]),
            ("evaluate.cutoffs=[5, 10]", ["evaluate.table_cutoff", "20", "[5, 10]"]),
            (
                "run.as_of=2024-01-01 evaluate.window=2024-01-01",
                ["evaluate.window", "2024-01-01T00:00:00Z is not after run.as_of"]
            ),
            ("glmix.features=[learner.nosuch]", ["glmix.features", "learner.nosuch", "years"]),
            ("glmix.features=[\"course.topic buckets 4\"]", ["course.topic", "category", "number"]),
            ("glmix.features=[\"learner.skills text 64\"]", ["learner.skills", "list", "text"]),
            ("glmix.features=[course.title]", ["course.title", "text"]),
            ("glmix.features=[\"cross learner.segment course.none\"]", ["cross learner.segment", "none"]),
            ("glmix.features=[\"match learner.years course.topic\"]", ["match learner.years", "number"]),
            (
                "glmix.features=[learner.years, \"learner.years buckets 8\"]",
                ["\"learner.years\"", "\"learner.years buckets 8\""]
            ),
            (
                "glmix.features=[\"cross learner.years course.topic\", \"learner.years buckets 8\"]",
                ["\"cross learner.years course.topic\"", "before the cross"]
            ),
            ("glmix.coordinates=[{name: g}, {name: h, by: nosuch}]", ["glmix.coordinates", "h by nosuch"]),
            ("glmix.coordinates=[{name: h, by: skills}]", ["h by skills", "list", "category"]),
            ("glmix.coordinates=[{name: g}, {name: h, by: none}]", ["g and h", "by: none"]),
            ("glmix.prior=nosuch", ["glmix.prior", "nosuch", folder + "/out"]),
            ("glmix.prior=run", ["glmix.prior", "another run"]),
        ]
        for (set, words) in mistakes {
            let outcome = try prepare(set)
            #expect(outcome.code == 78 && outcome.complaints.count == 1, "\(set): \(outcome.errors)")
            for word in words { #expect(outcome.errors.contains(word), "\(set): \(outcome.errors)") }
        }
        #expect(!FileSystem.exists(folder + "/out/run/config/train-glmix.json"))
    }

    @Test func whatIsRightOrUnknownIsTaken() throws {
        defer { try? FileSystem.removeAll(folder) }
        let right = [
            "export.require={topic: [a]} export.bar={skills: [b]} export.max_per={language: 2} export.languages=history",
            "export.k=20 blend.candidates=20 export.related=50 evaluate.cutoffs=[5] evaluate.table_cutoff=5",
            "run.as_of=2024-01-01 evaluate.window=2024-01-02",
            "glmix.features=[learner.segment, learner.segment, \"learner.years buckets 4\", course.duration_seconds, "
                + "\"course.title text 64\", \"cross learner.years course.topic\", \"match learner.skills course.skills\"]",
            "glmix.coordinates=[{name: g}, {name: s, by: segment}, {name: l, by: learner}]",
        ]
        for set in right {
            let outcome = try prepare(set)
            #expect(outcome.code == 0, "\(set): \(outcome.errors)")
        }
        // Headers may name it; a column that the file states is known all the same.
        let open = "export.require={nosuch: [a]} export.languages=learner glmix.features=[learner.nosuch]"
        #expect(try prepare(open, "open").code == 0)
        #expect(try prepare("export.max_per={duration_seconds: 2}", "open").code == 0)
        #expect(try prepare("glmix.features=[\"course.topic buckets 4\"]", "open").code == 78)
        // Examples have groupings of their own.
        #expect(try prepare("glmix.coordinates=[{name: h, by: nosuch}]", "dataset", "--examples").code == 0)
    }

    /// The prior's generation is part of what GLMix is trained from; what is published is looked up when it runs.
    @Test func anotherPriorIsAnotherTraining() throws {
        defer { try? FileSystem.removeAll(folder) }
        func train(_ run: String, _ text: String) throws {
            let output = try StageOutput(run: "\(folder)/out/\(run)", stage: "glmix")
            try output.write(Array(text.utf8), as: "model.txt")
            try output.commit(Manifest(stage: "train-glmix", release: "test", config: "", asOf: 9, newestEvent: 8))
        }
        func slice(_ set: String) throws -> [UInt8] {
            let outcome = try prepare(set)
            #expect(outcome.code == 0, "\(set): \(outcome.errors)")
            return try FileSystem.read(folder + "/out/run/config/train-glmix.json")
        }
        for run in ["early", "current"] { try train(run, "first") }
        let (first, again) = (try slice("glmix.prior=early"), try slice("glmix.prior=early"))
        let (path, current) = (try slice("glmix.prior=\(folder)/out/early"), try slice("glmix.prior=current"))
        #expect(first == again)
        for run in ["early", "current"] { try train(run, "second") }
        #expect(try slice("glmix.prior=early") != first)
        #expect(try slice("glmix.prior=\(folder)/out/early") != path)
        #expect(try slice("glmix.prior=current") == current)

        let both = try prepare("glmix.prior=early glmix.tune=3")
        #expect(both.code == 78 && both.errors.contains("glmix.tune and glmix.prior exclude each other"))
    }
}
