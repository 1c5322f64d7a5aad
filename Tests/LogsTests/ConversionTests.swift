// Proved: watch time in every unit, labels by threshold, constants, null marks, attributes by header, files with
// `name:type` headers, times at random; and the real data sets where they lie beside the project. Expected values by
// hand, those of the real data by counting with awk and Python's csv module.

import Foundation
import LinearAlgebra
import Logs
import Platform
import Shards
import Testing

@Suite struct ConversionTests {
    private func mapping(_ watchTime: String, time: String = "t") -> String {
        """
        null_marks: ["-", none]
        watches:
          files: w.csv
          columns:
            learner_id: l
            course_id: c
            started_at: \(time)
            watched_seconds: \(watchTime)
            channel: {constant: tv}
        courses:
          files: c.csv
          columns:
            course_id: c
            duration_seconds: {column: d, as: minutes}
        """
    }

    @Test(
        arguments: [
            ("s", [50, 0.5]), ("{column: s, as: milliseconds}", [0.05, 0.0005]),
            ("{column: s, as: minutes}", [3000, 30]),
            ("{column: s, as: fraction}", [6000, 60]), ("{column: s, as: percent}", [60, 0.6]),
            ("{constant: 7}", [7, 7]),
        ] as [(String, [Float])])
    func watchTime(form: String, seconds: [Float]) throws {
        let logs = try importLogs(
            mapping(form),
            [
                ("w.csv", "l,c,t,s\na,c1,2024,50\nb,c1,2024,0.5\nc,c2,2024,50\nd,c1,2024,-\n"),
                ("c.csv", "c,d\nc1,2\nc2,\n"),
            ])
        let watches = try logs.tables().watches
        #expect(Array(watches.seconds[0..<2]) == seconds)
        #expect(watches.channel == [0, 0, 0, 0])
        if form.contains("constant") { return }
        // A share of an unknown duration is unknown, and so is what a null mark stands for.
        #expect(watches.seconds[2].isNaN == (form.contains("fraction") || form.contains("percent")))
        #expect(watches.seconds[3].isNaN)
    }

    @Test func epochTimes() throws {
        for (form, field) in [
            ("epoch_seconds", "1605699179"), ("epoch_milliseconds", "1605699179999"),
            ("iso8601", "2020-11-18 11:32:59"),
        ] {
            let logs = try importLogs(
                mapping("s", time: "{column: t, as: \(form)}"),
                [("w.csv", "l,c,t,s\na,c1,\(field),50\n"), ("c.csv", "c,d\nc1,2\n")])
            #expect(try logs.tables().watches.time == [1_605_699_179])
        }
    }

    @Test func randomTimesDependOnLearnerAndCourseAlone() throws {
        let rows = (0..<400).map { "l\($0 % 20),c\($0 / 20),x,1\n" }
        let courses = "c,d\n" + (0..<20).map { "c\($0),1\n" }.joined()
        func times(_ rows: [String]) throws -> [Int64] {
            let logs = try importLogs(
                mapping("s", time: "{as: random}"), [("w.csv", "l,c,t,s\n" + rows.joined()), ("c.csv", courses)])
            return try logs.tables().watches.time
        }
        let first = try times(rows)
        #expect(try first == times(rows.reversed()))
        // All in the year 2000, and spread over it: of 400 uniform draws fewer than 10 of 40 in a tenth has odds of 1e-10.
        #expect(first.allSatisfy { (946_684_800..<978_307_200).contains($0) })
        for tenth in 0..<10 {
            let from = 946_684_800 + Int64(tenth) * 3_162_240
            #expect(first.count { (from..<(from + 3_162_240)).contains($0) } >= 10)
        }
    }

    @Test func labelsByThreshold() throws {
        let text = """
            watches: &events
              files: r.csv
              columns: {learner_id: u, course_id: i, started_at: {column: t, as: epoch_seconds}}
            engagements:
              files: r.csv
              columns:
                learner_id: u
                course_id: i
                time: {column: t, as: epoch_seconds}
                kind: {constant: rating}
                label: {column: r, positive_from: 4}
            """
        let rows = "u,i,t,r\na,1,1000000000,5\nb,1,1000000000,4\nc,1,1000000000,3.99\nd,1,1000000000,\n"
        let logs = try importLogs(text, [("r.csv", rows)])
        let engagements = try logs.tables().engagements
        #expect(engagements.label.map { EngagementLabel(rawValue: $0) } == [.positive, .positive, .negative])
        #expect(logs.rejects.contains("r.csv,5,\"label is no number"))
        #expect(try logs.tables().watches.count == 4)
    }

    @Test func atomicFilesBringTheirTypes() throws {
        let text = try String(contentsOfFile: projectRoot + "/data/recbole/dataset.yaml", encoding: .utf8)
        let inter =
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti1\t3\t978300760\nu1\ti2\t3\t978300761.5\n"
        let item =
            "item_id:token\tmovie title:token_seq\tyear:float\tclass:token_seq\tvec:float_seq\n"
            + "i1\tToy \"Story\t1995\tAnimation Comedy\t1 2\ni2\tHeat\t\t\t\n"
        let logs = try importLogs(text, [("x.inter", inter), ("x.item", item)])
        let catalogue = logs.cut.catalogue
        #expect(catalogue.attributes.names == ["class", "movie_title", "year"])
        #expect(catalogue.dictionaries["class"]?.values == ["Animation", "Comedy"])
        #expect(catalogue.dictionaries["movie_title"]?.values == ["\"Story", "Heat", "Toy"])
        #expect(catalogue.attributes.columns["year"] == .numeric(values: [1995, 0], valid: [true, false]))
        #expect(try logs.tables().watches.time == [978_300_760, 978_300_761])
    }

    /// MARS and MovieLens 100K, beside the project or where LECTERN_DATA says; not part of it.
    private func realData(_ folder: String) -> String? {
        let places = [ProcessInfo.processInfo.environment["LECTERN_DATA"], projectRoot + "/../shared/data"]
        let found = places.compactMap { $0 }.map { $0 + "/" + folder }.first(where: FileSystem.isFolder)
        if found == nil { print("skipped: no folder \(folder) with real data beside the project") }
        return found
    }

    private func importReal(_ dataset: String, _ folder: String, asOf: Int64?) throws -> LogCut {
        let file = "\(projectRoot)/data/\(dataset)/dataset.yaml"
        let mapping = try DatasetMapping(yaml: String(contentsOfFile: file, encoding: .utf8), file: file)
        let spill = TemporaryFolder()
        let settings = LogImport.Settings(asOf: asOf, spillFolder: spill.path)
        var logs = try LogImport(
            mapping, inputs: mapping.inputFiles(dataFolder: folder), settings, Workers(count: 2))
        try logs.read()
        return try logs.cut()
    }

    @Test func mars() throws {
        guard let folder = realData("mars") else { return }
        let cut = try importReal("mars", folder, asOf: 1_605_699_179)
        #expect(cut.accounts[.watches] == .init(read: 25_567, before: 21_732, after: 3_835, rejected: 0))
        #expect(cut.accounts[.learners]?.read == 9_902 && cut.learnerCount == 9_902)
        #expect(cut.catalogue.count + cut.catalogueAfter.count == 1_167)
        let watches = try (0..<cut.shards).map { try cut.shard($0) }
        // The 3,659 explicit rows have a share, and every course has a duration.
        #expect(watches.reduce(0) { $0 + ($1.watches.seconds + $1.watchesAfter.seconds).count { !$0.isNaN } } == 3_659)
    }

    @Test func movieLens() throws {
        guard let folder = realData("ml-100k") else { return }
        let cut = try importReal("movielens-100k", folder, asOf: 891_036_423)
        #expect(cut.accounts[.watches] == .init(read: 100_000, before: 85_000, after: 15_000, rejected: 0))
        #expect(cut.learnerCount == 943)
        #expect(cut.catalogue.count == 1_682)
        #expect(cut.dictionaries["courses.genres"]?.values.count == 19)
        let shards = try (0..<cut.shards).map { try cut.shard($0) }
        #expect(
            EventQuantiles(times: shards.flatMap { $0.watches.time + $0.watchesAfter.time }).cut(0.85) == 891_036_423)
        // 34,174 ratings of 4 and 21,201 of 5, counted with awk.
        let positives = shards.reduce(0) { $0 + ($1.engagements.label + $1.engagementsAfter.label).count { $0 == 1 } }
        #expect(positives == 55_375)
    }
}
