// Proved: nothing at or after T changes a byte of what is before T; the order of rows, files and threads, and where
// records are kept, change nothing at all. Expected tables are written by hand.

import Logs
import Platform
import Shards
import Testing

@Suite struct CutTests {
    /// 2024-03-01
    private let asOf: Int64 = 1_709_251_200

    private let watches = """
        learner_id,course_id,started_at,watched_seconds,channel
        bea,c2,2024-02-28T10:00:00Z,30,app
        ann,c1,2024-02-29T23:59:59Z,60,web
        ann,c1,2024-02-29T23:59:59Z,60,web
        ann,c1,2024-02-29T23:59:59Z,60,
        ann,c1,2024-02-29T23:59:59Z,,web
        ann,c1,2024-01-01T00:00:00Z,5,web
        bea,c1,2024-02-28T10:00:00Z,,

        """
    private let engagements = """
        learner_id,course_id,time,kind,channel
        bea,c1,2024-02-01,impression,mail
        bea,c1,2024-02-01,click,mail
        cid,c3,2024-02-02,dismiss,

        """
    private let learners = """
        learner_id,segment,skills:list,age:number,valid_from
        bea,pro,x|y,30,2023-01-01
        bea,lead,z,31,2024-02-01
        ann,pro,,,
        ann,home,,,
        dan,home,y,,

        """
    private let courses = """
        course_id,title,language,published_at,retired_at,duration_seconds
        c1,First,en,2023-05-01,,600
        c2,Second,de,2024-05,2025-01-01,
        c3,Third,en,,2024-02-20,60
        c4,Fourth,fr,2023-12-31T00:00:00Z,,60

        """

    private var files: [(name: String, text: String)] {
        [
            ("watches.csv", watches), ("engagements.csv", engagements), ("learners.csv", learners),
            ("courses.csv", courses),
        ]
    }

    @Test func tablesBeforeT() throws {
        let logs = try importLogs(ownMapping, files, asOf: asOf)
        #expect(logs.cut.newestEvent == 1_709_251_199)
        #expect(logs.rejects == "file,line,reason\n")
        let catalogue = logs.cut.catalogue
        #expect(catalogue.ids == ["c1", "c2", "c3", "c4"])
        #expect(catalogue.titles == ["First", "Second", "Third", "Fourth"])
        // c2 is to be published after T, but was watched on 2024-02-28 at 10:00: published from then on.
        #expect(catalogue.publishedAt == [1_682_899_200, 1_709_114_400, .min, 1_703_980_800])
        // c2's end lies after T: nobody knows of it.
        #expect(catalogue.retiredAt == [.max, .max, 1_708_387_200, .max])
        #expect(catalogue.duration == [600, nil, 60, 60])
        #expect(catalogue.dictionaries["language"]?.values == ["de", "en", "fr"])
        #expect(
            catalogue.attributes.columns["language"]
                == .categorical(
                    codes: [1, 0, 1, 2], valid: [true, true, true, true]))
        #expect(logs.cut.publishedEarly == 1)
        let tables = try logs.tables()
        #expect(tables.learners.ids == ["ann", "bea", "cid", "dan"])
        // bea's newest row; of ann's two the bytewise first.
        #expect(logs.cut.dictionaries["learners.segment"]?.values == ["home", "lead"])
        #expect(
            tables.learners.attributes.columns["segment"]
                == .categorical(
                    codes: [0, 1, 0, 0], valid: [true, true, false, true]))
        #expect(logs.cut.dictionaries["learners.skills"]?.values == ["y", "z"])
        #expect(tables.learners.attributes.columns["skills"] == .list(offsets: [0, 0, 1, 1, 2], values: [1, 0]))
        #expect(
            tables.learners.attributes.columns["age"]
                == .numeric(
                    values: [0, 31, 0, 0], valid: [false, true, false, false]))
    }

    /// c9 holds only from 2030 on: before that nobody knows it, whichever way T is given.
    @Test func latestIsTheDateThatItComesOutAt() throws {
        let mapping = """
            about: a test
            watches: {files: w.csv, columns: {learner_id: l, course_id: c, started_at: t}}
            courses: {files: c.csv, columns: {course_id: c, valid_from: v}}

            """
        let files = [
            ("w.csv", "l,c,t\na,c1,2024-01-01\na,c9,2024-01-02\nb,c9,2024-01-03\nb,c1,2024-01-03\n"),
            ("c.csv", "c,v\nc1,2023-01-01\nc9,2030-01-01\n"),
        ]
        let latest = try importLogs(mapping, files)
        let date = try importLogs(mapping, files, asOf: 1_704_240_001)  // the second after 2024-01-03
        #expect(latest.cut.asOf == 1_704_240_001)
        #expect(latest.before == date.before && latest.after == date.after && latest.rejects == date.rejects)
        #expect(
            latest.rejects == """
                file,line,reason
                w.csv,3,"course is not in the catalogue: ""c9""\"
                w.csv,4,"course is not in the catalogue: ""c9""\"

                """)
        #expect(latest.cut.catalogue.ids == ["c1"])
    }

    @Test func eventsAreSortedByEveryColumnAndDuplicatesStay() throws {
        let logs = try importLogs(ownMapping, files, asOf: asOf)
        let tables = try logs.tables()
        let w = tables.watches
        #expect(w.learner == [0, 0, 0, 0, 0, 1, 1])
        #expect(w.course == [0, 0, 0, 0, 0, 0, 1])
        let midnight: Int64 = 1_709_251_199
        #expect(w.time == [1_704_067_200, midnight, midnight, midnight, midnight, 1_709_114_400, 1_709_114_400])
        #expect(w.seconds.map { $0.isNaN ? -1 : $0 } == [5, -1, 60, 60, 60, -1, 30])
        #expect(logs.cut.dictionaries["watches.channel"]?.values == ["app", "web"])
        #expect(w.channel == [1, 1, 1, 1, .max, .max, 0])
        let e = tables.engagements
        #expect(e.learner == [1, 1, 2] && e.course == [0, 0, 2])
        #expect(e.label == [0, 1, 2])
        #expect(logs.cut.dictionaries["engagements.kind"]?.values == ["click", "dismiss", "impression"])
        #expect(e.kind == [2, 0, 1] && e.channel == [0, 0, .max])
    }

    /// Rows of every table that a run at T must not see.
    private var lateFiles: [(name: String, text: String)] {
        [
            (
                "watches.csv",
                watches + """
                    ann,c1,2024-03-01T00:00:00Z,9,tv
                    eve,c5,2024-03-02,10,web
                    eve,c1,2024-03-03,10,
                    ann,c2,late,10,
                    bea,,2024-03-01,10,

                    """
            ),
            ("engagements.csv", engagements + "eve,c5,2024-04-01,bookmark,radio\neve,c5,2024-04-01,sneeze,radio\n"),
            ("learners.csv", learners + "dan,vip,new,99,2024-03-01\nfay,vip,,,2024-03-02\ngus,vip,,old,\n"),
            ("courses.csv", courses + "c5,Fifth,it,2024-03-01,,5\nc6,Sixth,es,2024-04,2024-05,\n"),
        ]
    }

    @Test func lateRowsChangeNothingBeforeT() throws {
        let early = try importLogs(ownMapping, files, asOf: asOf, shards: 4)
        let late = try importLogs(ownMapping, lateFiles, asOf: asOf, shards: 4)
        #expect(early.before.count == late.before.count)
        for (name, bytes) in early.before { #expect(late.before[name] == bytes, "\(name)") }
        #expect(early.cut.newestEvent == late.cut.newestEvent)
        #expect(late.after != early.after)
        #expect(late.cut.accounts[.watches] == .init(read: 12, before: 7, after: 3, rejected: 2))
        #expect(late.cut.accounts[.learners] == .init(read: 8, before: 5, after: 2, rejected: 1))
    }

    @Test func whatFollowsTIsNumberedBehind() throws {
        let logs = try importLogs(ownMapping, lateFiles, asOf: asOf)
        #expect(logs.cut.catalogueAfter.ids == ["c5", "c6"])
        #expect(logs.cut.catalogueAfter.duration == [5, nil])
        let tables = try logs.tables()
        #expect(tables.learnersAfter.ids == ["eve"])
        let w = tables.watchesAfter
        #expect(w.learner == [0, 4, 4] && w.course == [0, 4, 0])
        #expect(logs.cut.dictionariesAfter["watches.channel"]?.values == ["tv"])
        #expect(w.channel == [2, 1, .max])
        #expect(logs.cut.dictionariesAfter["engagements.kind"]?.values == ["bookmark"])
        #expect(tables.engagementsAfter.kind == [3] && tables.engagementsAfter.channel == [1])
        #expect(logs.cut.newestAfter == 1_711_929_600)
    }

    @Test func orderOfRowsFilesAndThreadsDoesNotShow() throws {
        func split(_ text: String, _ stem: String) -> [(name: String, bytes: [UInt8])] {
            let lines = text.split(separator: "\n").map(String.init)
            let halves =
                [lines[1...].enumerated().filter { $0.offset % 2 == 0 }.map(\.element)]
                + [lines[1...].enumerated().filter { $0.offset % 2 == 1 }.map(\.element)]
            return halves.enumerated().map { i, rows in
                let text = ([lines[0]] + rows.reversed()).joined(separator: "\n")
                let bytes = Array(text.utf8)
                return ("\(stem)\(i).csv", i == 0 ? bytes : Gzip.compress(bytes))
            }
        }
        let whole = lateFiles.map { (name: $0.name, bytes: Array($0.text.utf8)) }
        let parts: [(name: String, bytes: [UInt8])] = lateFiles.flatMap { split($0.text, String($0.name.dropLast(4))) }
        let reference = try importLogs(ownMapping, whole, asOf: asOf, shards: nil)
        #expect(reference.cut.shards == 16)
        for threads in 1...3 {
            for files in [parts, parts.reversed()] {
                for spillBytes in [0, 200, 1 << 20] {
                    let logs = try importLogs(
                        ownMapping, files, asOf: asOf, shards: nil, threads: threads, spillBytes: spillBytes)
                    #expect(logs.before == reference.before && logs.after == reference.after)
                }
            }
        }
    }

    @Test func withoutCatalogueAndProfilesEventsDecide() throws {
        let text = watches + "eve,c5,2024-03-02,10,web\nann,c0,2024-03-02,10,web\n"
        let logs = try importLogs(ownMapping, [("watches.csv", text)], asOf: asOf)
        #expect(logs.cut.catalogue.ids == ["c1", "c2"] && logs.cut.catalogueAfter.ids == ["c0", "c5"])
        #expect(logs.cut.catalogue.titles == ["c1", "c2"])
        #expect(logs.cut.catalogue.publishedAt == [.min, .min])
        let tables = try logs.tables()
        #expect(tables.learners.ids == ["ann", "bea"] && tables.learnersAfter.ids == ["eve"])
        #expect(tables.watchesAfter.learner == [0, 2] && tables.watchesAfter.course == [2, 3])
    }

    @Test func catalogueRowsAreValidFromTheirTimeOn() throws {
        let catalogue = """
            course_id,title,valid_from
            c1,Old,2020
            c1,Newer,2024-02-01
            c1,Future,2024-03-01
            c2,B,
            c2,A,
            c3,Later,2024-03-01

            """
        let text =
            "learner_id,course_id,started_at\na,c1,2024-02-01\na,c3,2024-02-02\na,c3,2024-03-02\na,c2,2024-02-03\n"
        let logs = try importLogs(ownMapping, [("watches.csv", text), ("courses.csv", catalogue)], asOf: asOf)
        #expect(logs.cut.catalogue.ids == ["c1", "c2"] && logs.cut.catalogue.titles == ["Newer", "A"])
        #expect(logs.cut.catalogueAfter.ids == ["c3"])
        // c3 is in the catalogue only from T on: before T nobody can have watched it.
        #expect(logs.rejects.contains("watches.csv,3,") && logs.cut.accounts[.watches]?.rejected == 1)
        #expect(try logs.tables().watchesAfter.course == [2])
    }

    @Test func latestIsTheSecondAfterTheNewestEvent() throws {
        #expect(try importLogs(ownMapping, files).cut.asOf == asOf)
        let error = #expect(throws: LecternError.self) {
            _ = try importLogs(ownMapping, files, asOf: 600_000_000)
        }
        #expect(error?.code == .badData)
    }

    @Test func aRowFromTheFutureDoesNotMoveLatest() throws {
        let rows = (0..<2_500).map { "a,c1,2024-01-\($0 % 28 < 9 ? "0" : "")\($0 % 28 + 1),60\n" }.joined()
        let header = "learner_id,course_id,started_at,watched_seconds\n"
        let day: Int64 = 86_400
        func asOf(_ late: [String], maxGap: Int64 = 30 * 86_400) throws -> Int64 {
            let text = header + rows + late.map { "a,c1,\($0),1\n" }.joined()
            return try importLogs(ownMapping, [("watches.csv", text)], maxGap: maxGap).cut.asOf
        }
        #expect(try asOf([]) == 1_706_400_001)
        // 2024-01-28 to 2024-02-27 are 30 days: not more than allowed.
        #expect(try asOf(["2024-02-27"]) == 1_706_400_001 + 30 * day)
        for late in [["2099-01-01"], ["2024-02-27T00:00:01Z"], ["2099-01-01", "2099-01-01T10:00:00Z"]] {
            let error = #expect(throws: LecternError.self) { _ = try asOf(late) }
            #expect(error?.code == .badData)
            #expect(error?.message.contains("watches.csv:2502") == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("run.max_gap 30 d") == true)
        }
        // More than a thousandth of the events are no stragglers.
        #expect(try asOf(["2099-01-01", "2099-01-02", "2099-01-03"]) == 4_071_081_601)
    }

    @Test func learnersFallIntoShardsByHash() throws {
        let rows = (0..<500).map { "l\($0),c1,2024-01-01,\($0)\n" }.joined()
        let text = "learner_id,course_id,started_at,watched_seconds\n" + rows
        var lines: [[String]] = []
        for shards in [1, 3, 16, 100] {
            let logs = try importLogs(ownMapping, [("watches.csv", text)], shards: shards)
            lines.append(try logs.watchLines())
            for shard in 0..<shards {
                for id in try logs.tables(shard).learners.ids {
                    #expect(LearnerHash.shard(LearnerHash.of(id.utf8), of: shards) == shard)
                }
            }
        }
        #expect(lines[0].count == 500 && lines.allSatisfy { $0 == lines[0] })
    }
}
