// Proves that generated files are the same for any number of threads, whole, readable by gzip and by an RFC 4180
// reader, and keep the promises of docs/generator.md. Expected values: by hand, from the calendar, from Foundation.
import Foundation
import LinearAlgebra
import Logs
import Shards
import Testing

@Suite struct GeneratorTests {
    private func contents(_ folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            files[name] = FileManager.default.contents(atPath: folder + "/" + name)
        }
        return files
    }

    @Test func equalOptionsGiveEqualBytesForAnyThreads() throws {
        try withTemporaryFolder { folder in
            var options = GeneratorOptions()
            // Five blocks, the last one short, and a file boundary within.
            (options.learners, options.courses, options.days, options.files) = (2_100, 60, 60, 2)
            for threads in [1, 2, 3] {
                _ = try LogGenerator(options: options, workers: Workers(count: threads)).write(
                    to: "\(folder)/\(threads)")
            }
            let one = try contents("\(folder)/1")
            #expect(one.keys.count == 10)
            #expect(try contents("\(folder)/2") == one)
            #expect(try contents("\(folder)/3") == one)
            options.seed = 2
            _ = try LogGenerator(options: options, workers: Workers(count: 1)).write(to: "\(folder)/other")
            #expect(try contents("\(folder)/other")["watches-000.csv.gz"] != one["watches-000.csv.gz"])
        }
    }

    @Test func headersAreThoseOfTheDocument() throws {
        let platform = try GeneratedPlatform.small.get()
        #expect(
            Set(platform.watches[0].keys) == ["learner_id", "course_id", "started_at", "watched_seconds", "channel"])
        #expect(Set(platform.engagements[0].keys) == ["learner_id", "course_id", "time", "kind", "channel"])
        #expect(
            Set(platform.courses.values.first!.keys) == [
                "course_id", "title", "language", "published_at", "retired_at", "duration_seconds", "category", "topic",
                "difficulty", "skills",
            ])
        #expect(
            Set(platform.learners.values.first!.keys) == [
                "learner_id", "segment", "country", "industry", "language", "languages", "seniority",
                "years_experience", "skills", "topics_followed", "joined_at",
            ])
    }

    @Test func eventsLieWithinTheLogsAndTheLifeOfTheirCourse() throws {
        let platform = try GeneratedPlatform.small.get()
        let end = try seconds("2025-07-01")
        let start = end - 180 * 86_400
        let events =
            platform.watches.map { ($0, $0["started_at"]!) } + platform.engagements.map { ($0, $0["time"]!) }
        for (event, text) in events {
            let time = try seconds(text)
            #expect(time >= start && time < end)
            let course = try #require(platform.courses[event["course_id"]!])
            #expect(try time >= seconds(course["published_at"]!))
            let joined = try platform.learners[event["learner_id"]!].map { try seconds($0["joined_at"]!) }
            if let joined { #expect(time >= joined) }
            let retired = course["retired_at"]!
            // An answer may follow its impression over midnight.
            if !retired.isEmpty { #expect(try time < seconds(retired) + 600) }
        }
        for watch in platform.watches { #expect(Int(watch["watched_seconds"]!)! >= 1) }
    }

    @Test func titlesHaveQuotesCommasAndOtherAlphabetsAndAreUnique() throws {
        let titles = try GeneratedPlatform.small.get().courses.values.map { $0["title"]! }
        #expect(titles.contains { $0.hasPrefix("The \"Why\" of ") })
        #expect(titles.contains { $0.contains(", ") })
        #expect(titles.contains { $0.contains("入門") })
        #expect(Set(titles).count == titles.count)
    }

    @Test func clicksAnswerImpressionsAndEverythingCounts() throws {
        let platform = try GeneratedPlatform.small.get()
        var shown = Set<String>()
        var counts: [String: Int] = [:]
        for event in platform.engagements {
            let pair = event["learner_id"]! + " " + event["course_id"]!
            if event["kind"] == "impression" { shown.insert(pair) } else { #expect(shown.contains(pair)) }
            counts[event["kind"]!, default: 0] += 1
        }
        let told = try #require(platform.model["counts"] as? [String: Int])
        #expect(told["watches"] == platform.watches.count)
        #expect(told["profiles"] == platform.learners.count)
        #expect(told["learners"] == platform.learnerTruth.count)
        #expect(
            counts == [
                "impression": told["impressions"], "click": told["clicks"], "bookmark": told["bookmarks"],
                "dismiss": told["dismissals"],
            ])
    }

    @Test func theSmallestPlatformWorks() throws {
        try withTemporaryFolder { folder in
            var options = GeneratorOptions()
            (options.learners, options.courses, options.days) = (1, 1, 7)
            let counts = try LogGenerator(options: options, workers: Workers(count: 2)).write(to: folder + "/logs")
            #expect(counts.learners == 1)
            #expect(try records(generatedText(folder + "/logs/courses.csv")).count == 1)
        }
    }

    @Test func onlyItsOwnFolderIsReplaced() throws {
        try withTemporaryFolder { folder in
            var options = GeneratorOptions()
            (options.learners, options.courses, options.days, options.impressionsPerLearner) = (3, 5, 7, 0)
            let generator = try LogGenerator(options: options, workers: Workers(count: 1))
            try FileManager.default.createDirectory(atPath: folder + "/theirs", withIntermediateDirectories: false)
            try Data("precious".utf8).write(to: URL(fileURLWithPath: folder + "/theirs/thesis.txt"))
            let error = #expect(throws: LecternError.self) { try generator.write(to: folder + "/theirs") }
            #expect(error?.code == .cannotCreate)
            #expect(try contents(folder + "/theirs") == ["thesis.txt": Data("precious".utf8)])
            _ = try generator.write(to: folder + "/ours")
            try Data().write(to: URL(fileURLWithPath: folder + "/ours/left-over"))
            _ = try generator.write(to: folder + "/ours/")
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder + "/ours").sorted()
            #expect(
                names == [
                    "courses.csv", "learners.csv.gz", "suppressions.csv", "truth", "truth/courses.csv",
                    "truth/learners.csv.gz", "truth/model.json", "watches-000.csv.gz",
                ])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["ours", "theirs"])
        }
    }

    @Test func unusableOptionsAreRefusedByName() throws {
        var options = GeneratorOptions()
        options.courses = 0
        let error = #expect(throws: LecternError.self) {
            try LogGenerator(options: options, workers: Workers(count: 1))
        }
        #expect(error?.code == .usage)
        #expect(error?.message == "--courses is 0, expected 1 to 1000000")
    }

    @Test func calendar() {
        #expect(CivilDate.day(year: 1970, month: 1, day: 1) == 0)
        #expect(CivilDate.day(year: 2000, month: 2, day: 29) == 11_016)
        #expect(CivilDate.day(year: 2025, month: 7, day: 1) == 20_270)
        #expect(CivilDate.text(11_016) == "2000-02-29")
        #expect(CivilDate.parse("2024-02-29") == 19_782)
        #expect(CivilDate.parse("2023-02-29") == nil)
        #expect(CivilDate.parse("2023-2-28") == nil)
    }
}
