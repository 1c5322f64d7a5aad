// Proved: every shipped dataset file is read, from YAML and from its JSON copy; each mistake in one is an error that
// names line, key, what was found and what is allowed; patterns find files. Expectations are written by hand.

import Foundation
import Logs
import Shards
import Testing

@Suite struct MappingTests {
    @Test(arguments: ["sample", "lectern", "mars", "movielens-100k", "recbole"])
    func shippedFilesAreRead(name: String) throws {
        let path = "\(projectRoot)/data/\(name)/dataset.yaml"
        let mapping = try DatasetMapping(yaml: String(contentsOfFile: path, encoding: .utf8), file: path)
        #expect(!mapping.sources(.watches).isEmpty)
        #expect(!mapping.about.isEmpty)
    }

    @Test func aTableMayHaveSeveralSources() throws {
        let path = "\(projectRoot)/data/mars/dataset.yaml"
        let mapping = try DatasetMapping(yaml: String(contentsOfFile: path, encoding: .utf8), file: path)
        #expect(mapping.sources(.watches).map(\.label) == ["watches", "watches.2"])
        let explicit = try #require(mapping.source(label: "watches.2"))
        #expect(explicit.files == ["explicit_ratings_en.csv"] && explicit.nullMarks == ["N/A"])
        let share = try #require(explicit.columns.first { $0.target == "watched_seconds" })
        #expect(share.conversion == .watchTime(.share(0.01)) && share.origin == .column("watch_percentage"))
        // Totals over all time would tell of what follows T.
        #expect(!mapping.sources.contains { $0.columns.contains { $0.origin == .column("nb_views") } })
    }

    @Test func jsonIsReadLikeYAML() throws {
        let yaml = try DatasetMapping(yaml: minimal, file: "x")
        let json = try DatasetMapping(
            yaml: """
                {"watches": {"files": "w.csv", "columns":
                  {"course_id": "c", "learner_id": "l", "started_at": {"as": "epoch_seconds", "column": "t"}}}}
                """, file: "x")
        let (a, b) = (yaml.sources[0], json.sources[0])
        #expect(Set(a.columns.map { "\($0)" }) == Set(b.columns.map { "\($0)" }))
        #expect((a.files, a.delimiter, a.quoted) == (b.files, b.delimiter, b.quoted))
    }

    private let minimal = """
        watches:
          files: w.csv
          columns:
            learner_id: l
            course_id: c
            started_at: {column: t, as: epoch_seconds}
        """

    /// A replacement in a good document, and what the error must say.
    static let mistakes: [(find: String, put: String, expected: [String])] = [
        ("watches:", "watchs:", ["d.yaml:1", "unknown key \"watchs\"", "did you mean \"watches\"?"]),
        ("files:", "file:", ["d.yaml:2", "watches", "unknown key \"file\"", "\"files\""]),
        ("  files: w.csv\n", "", ["watches: files", "relative to the data folder"]),
        ("w.csv", "/tmp/w.csv", ["d.yaml:2", "relative to the data folder"]),
        ("w.csv", "../w.csv", ["d.yaml:2", "relative to the data folder"]),
        ("files: w.csv", "files: w.csv\n  delimiter: ab", ["d.yaml:3", "\"ab\"", "comma, tab"]),
        ("files: w.csv", "files: w.csv\n  quotes: no", ["d.yaml:3", "rfc4180, none"]),
        ("files: w.csv", "files: w.csv\n  optional: maybe", ["d.yaml:3", "\"maybe\"", "true and false"]),
        ("files: w.csv", "files: w.csv\n  other_columns: by_header", ["d.yaml:3", "only learners and courses"]),
        ("learner_id: l", "learner: l", ["d.yaml:4", "unknown key \"learner\"", "allowed are learner_id, "]),
        ("    learner_id: l\n", "", ["columns", "\"learner_id\" is missing"]),
        ("epoch_seconds", "epoch_second", ["d.yaml:6", "\"epoch_second\"", "did you mean \"epoch_seconds\"?"]),
        ("{column: t, as: epoch_seconds}", "{as: year}", ["d.yaml:6", "started_at", "column:", "constant:"]),
        ("{column: t, as: epoch_seconds}", "{column: t, constant: 3}", ["d.yaml:6", "either column:"]),
        ("{column: t, as: epoch_seconds}", "{column: t, separator: x}", ["d.yaml:6", "unknown key \"separator\""]),
        ("{column: t, as: epoch_seconds}", "[t]", ["d.yaml:6", "a list", "a mapping"]),
        ("learner_id: l", "learner_id: {column: l, as: text}", ["d.yaml:4", "only one form"]),
        ("learner_id: l", "learner_id: l\n    watched_seconds: {column: w, as: hours}", ["d.yaml:5", "percent"]),
        ("watches:", "pipeline:", ["table \"watches\" is missing"]),
        ("watches:\n", "watches:\n  files: [a, [b]]\n  x: 1\n#", ["unknown key \"x\""]),
        ("watches:", "watches: [", ["not YAML"]),
        (
            "watches:", "courses: {files: c.csv, columns: {course_id: c, valid: v}}\nwatches:",
            ["d.yaml:1", "attribute names are", "not valid"]
        ),
        ("files: w.csv", "files: w.csv\n  files: x.csv", ["d.yaml:2", "key \"files\" stands more than once"]),
    ]

    @Test(arguments: mistakes.indices)
    func mistakesAreNamed(index: Int) {
        let (find, put, expected) = Self.mistakes[index]
        let text = minimal.replacing(find, with: put, maxReplacements: 1)
        #expect(text != minimal)
        let error = #expect(throws: LecternError.self) { try DatasetMapping(yaml: text, file: "d.yaml") }
        #expect(error?.code == .configuration)
        for part in expected { #expect(error?.message.contains(part) == true, "\(error?.message ?? ""): \(part)") }
    }

    @Test func labelsAndAttributesAreChecked() {
        func message(_ table: String) -> String {
            do {
                _ = try DatasetMapping(yaml: minimal + "\n" + table, file: "d.yaml")
                return ""
            } catch let error as LecternError {
                return error.message
            } catch {
                return "\(error)"
            }
        }
        let engagements = """
            engagements:
              files: e.csv
              columns:
                learner_id: l
                course_id: c
                time: t
                kind: k
                label: LABEL
            """
        func label(_ text: String) -> String { message(engagements.replacing("LABEL", with: text)) }
        #expect(label("{column: k, positive: [click], impression: view}") == "")
        #expect(label("{column: r, positive_from: 4}") == "")
        #expect(label("{column: k, positive: [click], dismiss: [click]}").contains("\"click\" has two labels"))
        #expect(label("{column: r, positive_from: 4, dismiss: [x]}").contains("not beside positive_from"))
        #expect(label("{column: r, positive_from: high}").contains("expected a number"))
        #expect(label("{column: r, positve: [x]}").contains("did you mean \"positive\"?"))
        let learners = "learners:\n  files: l.csv\n  columns:\n    learner_id: l\n    "
        #expect(message(learners + "age: {column: a, as: number}") == "")
        #expect(message(learners + "Age: a").contains("lower-case"))
        #expect(message(learners + "age: {column: a, as: date}").contains("category, number, text, list"))
        #expect(message(learners + "age: {column: a, separator: pipe}").contains("as: list"))
    }

    @Test func patternsFindFilesInByteOrder() throws {
        let folder = TemporaryFolder()
        try FileSystem.createFolder(folder.path + "/2024")
        for name in ["w-2.csv", "w-10.csv", "w-1.csv.gz", "x.csv", ".w-3.csv", "2024/w-1.csv"] {
            try folder.write(name, "")
        }
        func files(_ pattern: String, optional: Bool = false) throws -> [String] {
            let text = minimal.replacing("w.csv", with: "\"\(pattern)\"\(optional ? "\n  optional: true" : "")")
            return try DatasetMapping(yaml: text, file: "d").inputFiles(dataFolder: folder.path + "/")
                .map { $0.path.replacing(folder.path + "/", with: "") }
        }
        #expect(try files("w-*.csv*") == ["w-1.csv.gz", "w-10.csv", "w-2.csv"])
        #expect(try files("*/w-*.csv") == ["2024/w-1.csv"])
        #expect(try files("x.csv") == ["x.csv"])
        #expect(try files("*") == ["w-1.csv.gz", "w-10.csv", "w-2.csv", "x.csv"])
        #expect(try files("y*.csv", optional: true) == [])
        let error = #expect(throws: LecternError.self) { _ = try files("y*.csv") }
        #expect(error?.code == .inputMissing)
        #expect(error?.message.contains("y*.csv") == true && error?.message.contains(folder.path) == true)
        let nowhere = #expect(throws: LecternError.self) {
            _ = try DatasetMapping(yaml: minimal, file: "d").inputFiles(dataFolder: folder.path + "/no")
        }
        #expect(nowhere?.code == .inputMissing)
        // A log file that is listed and cannot be looked at must not be left out without a word.
        for (name, target, code) in [("l-1.csv", "l-1.csv", ExitCode.ioError), ("m-1.csv", "gone", .inputMissing)] {
            #expect(symlink(target, "\(folder.path)/\(name)") == 0)
            let error = #expect(throws: LecternError.self) { _ = try files("\(name.prefix(1))-*.csv", optional: true) }
            #expect(error?.code == code && error?.message.contains(name) == true, "\(name)")
        }
        try FileSystem.createFolder(folder.path + "/n-1.csv")
        let inFolder = #expect(throws: LecternError.self) { _ = try files("n-*.csv", optional: true) }
        #expect(inFolder?.code == .inputMissing && inFolder?.message.contains("n-1.csv: is a folder") == true)
    }
}
