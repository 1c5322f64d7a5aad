// Proved: rows that cannot be used are rejected with file, line and reason, and the rows around them are kept; read =
// before T + from T on + rejected; too many are an error. Reasons are written by hand beside each row.

import Logs
import Shards
import Testing

@Suite struct RejectTests {
    /// A row of watches.csv, and the reason for which it must be rejected; nil: it must be accepted.
    static let watchRows: [(row: String, reason: String?)] = [
        ("a,c1,2024-01-01T00:00:00Z,60", nil),
        ("a,c1,2024-01-01", "3 fields, the header has 4"),
        ("a,c1,2024-01-01,1,2", "5 fields, the header has 4"),
        ("a", "1 fields, the header has 4"),
        (",c1,2024-01-01,1", "learner_id is empty"),
        ("a,,2024-01-01,1", "course_id is empty"),
        ("a,c1,,1", "started_at is empty"),
        ("a,c1,yesterday,1", "started_at is no time: \"\"yesterday\"\""),
        ("a,c1,2024-02-30,1", "started_at is no time: \"\"2024-02-30\"\""),
        ("a,c1,1989-12-31T23:59:59Z,1", "started_at is not within 1990 to 2100: \"\"1989-12-31T23:59:59Z\"\""),
        ("a,c1,1990-01-01,1", nil),
        ("a,c1,2099-12-31T23:59:59Z,1", nil),
        ("a,c1,2100-01-01T00:00:00Z,1", "started_at is not within 1990 to 2100: \"\"2100-01-01T00:00:00Z\"\""),
        ("a,c9,2024-01-01,1", "course is not in the catalogue: \"\"c9\"\""),
        ("a, c1,2024-01-01,1", "course is not in the catalogue: \"\" c1\"\""),
        ("a,c1,2024-01-01,-1", "watched_seconds is negative: \"\"-1\"\""),
        ("a,c1,2024-01-01,1e300", "watched_seconds is more than 1e9 seconds: \"\"1e300\"\""),
        ("a,c1,2024-01-01,-0", nil),
        ("a,c1,2024-01-01,0", nil),
        ("a,c1,2024-01-01,", nil),
        ("a,c1,2024-01-01,NaN", "watched_seconds is no number: \"\"NaN\"\""),
        ("a,c1,2024-01-01,inf", "watched_seconds is no number: \"\"inf\"\""),
        ("a,c1,2024-01-01,1e999", "watched_seconds is no number: \"\"1e999\"\""),
        ("a,c1,2024-01-01,12 s", "watched_seconds is no number: \"\"12 s\"\""),
        ("a,c1,2024-01-01,1e2", nil),
        ("\"a\"x,c1,2024-01-01,1", "characters follow a closing quote"),
        ("\"a\",\"c1\",\"2024-01-01\",\"1\"", nil),
        ("Ä,c1,2024-01-01,1", nil),
        ("\(String(repeating: "x", count: 1_000)),c1,2024-01-01,1", nil),
        ("\(String(repeating: "x", count: 1_001)),c1,2024-01-01,1", "learner_id has more than 1000 bytes"),
        ("a,\(String(repeating: "x", count: 1_001)),2024-01-01,1", "course_id has more than 1000 bytes"),
        (
            "a,c1,\(String(repeating: "9", count: 70)),1",
            "started_at is no time: \"\"\(String(repeating: "9", count: 60))…\"\""
        ),
        ("a,c1,\"x\ty\",1", "started_at is no time: \"\"x y\"\""),
    ]

    @Test func watches() throws {
        let text = "learner_id,course_id,started_at,watched_seconds\n" + Self.watchRows.map { $0.row + "\n" }.joined()
        let logs = try importLogs(
            ownMapping, [("watches.csv", text), ("courses.csv", "course_id\nc1\n")], asOf: 4_200_000_000)
        var expected = "file,line,reason\n"
        for (i, item) in Self.watchRows.enumerated() {
            guard let reason = item.reason else { continue }
            let isQuoted = reason.contains(where: { ",\"".contains($0) })
            // Reasons above are written as CSV has them.
            expected += "watches.csv,\(i + 2),\(isQuoted ? "\"\(reason)\"" : reason)\n"
        }
        #expect(logs.rejects == expected)
        let kept = Self.watchRows.count { $0.reason == nil }
        let account = try #require(logs.cut.accounts[.watches])
        #expect(account == .init(read: Self.watchRows.count, before: kept, after: 0, rejected: 33 - kept))
        #expect(try logs.tables().watches.count == kept)
    }

    @Test func invalidUTF8() throws {
        let header = Array("learner_id,course_id,started_at,channel\n".utf8)
        let date = Array(",2024-01-01,".utf8)
        let rows: [[UInt8]] = [
            [0x61, 0xff] + Array(",c1".utf8) + date + [0x77],
            Array("a,".utf8) + [0xc3, 0x28] + date + [0x77],
            Array("a,c1".utf8) + date + [0x80],
            Array("a,c1".utf8) + date + [0x77],
        ]
        let bytes = header + rows.flatMap { $0 + [0x0a] }
        let logs = try importLogs(ownMapping, [(name: "watches.csv", bytes: bytes)])
        #expect(
            logs.rejects == """
                file,line,reason
                watches.csv,2,learner_id is not UTF-8
                watches.csv,3,course_id is not UTF-8
                watches.csv,4,channel is not UTF-8

                """)
        // What only rejected rows name is in no dictionary.
        #expect(logs.cut.catalogue.ids == ["c1"] && logs.cut.catalogueAfter.ids.isEmpty)
        #expect(logs.cut.dictionaries["watches.channel"]?.values == ["w"])
    }

    private let oneWatch = ("watches.csv", "learner_id,course_id,started_at\na,c1,2024-01-01\n")

    @Test func engagements() throws {
        let text = """
            learner_id,course_id,time,kind
            a,c1,2024-01-01,click
            a,c1,2024-01-01,purchase
            a,c1,2024-01-01,
            a,c1,noon,click
            a,c1,2024-01-01,Click

            """
        let logs = try importLogs(ownMapping, [oneWatch, ("engagements.csv", text)])
        #expect(
            logs.rejects == """
                file,line,reason
                engagements.csv,3,"label: no rule for ""purchase""\"
                engagements.csv,4,kind is empty
                engagements.csv,5,"time is no time: ""noon""\"
                engagements.csv,6,"label: no rule for ""Click""\"

                """)
        #expect(logs.cut.dictionaries["engagements.kind"]?.values == ["click"])
    }

    @Test func learnersAndCourses() throws {
        let learners = "learner_id,age:number,valid_from\na,12,\nb,twelve,\n,1,\nc,,soon\nd,1e400,\n"
        let courses = """
            course_id,published_at,duration_seconds,skills:list
            c1,2020,60,x|y
            ,2020,60,
            c2,2020-13,60,
            c3,,long,
            c4,,-5,
            c5,,0,

            """
        let logs = try importLogs(ownMapping, [oneWatch, ("learners.csv", learners), ("courses.csv", courses)])
        #expect(
            logs.rejects == """
                file,line,reason
                courses.csv,3,course_id is empty
                courses.csv,4,"published_at is no time: ""2020-13""\"
                courses.csv,5,"duration_seconds is no number: ""long""\"
                courses.csv,6,"duration_seconds is negative: ""-5""\"
                learners.csv,3,"age is no number: ""twelve""\"
                learners.csv,4,learner_id is empty
                learners.csv,5,"valid_from is no time: ""soon""\"
                learners.csv,6,"age is no number: ""1e400""\"

                """)
        #expect(logs.cut.catalogue.ids == ["c1", "c5"])
        #expect(logs.cut.catalogue.duration == [60, nil])
        #expect(try logs.tables().learners.ids == ["a"])
        #expect(logs.cut.accounts[.learners] == .init(read: 5, before: 1, after: 0, rejected: 4))
    }

    @Test func suppressions() throws {
        let text = "learner_id,course_id,scope\na,,both\n,,train\na,c1,never\n,c1,recommend\nzoe,c1,train\n,c7,both\n"
        let logs = try importLogs(ownMapping, [oneWatch, ("suppressions.csv", text)])
        #expect(
            logs.rejects == """
                file,line,reason
                suppressions.csv,3,neither learner_id nor course_id
                suppressions.csv,4,"scope is not train, recommend or both: ""never""\"

                """)
        let mine = try logs.tables().suppressions
        #expect(mine.learner == [0] && mine.course == [.max] && mine.scope == [3])
        let general = logs.cut.generalSuppressions
        #expect(general.learner == [.max] && general.course == [0] && general.scope == [2])
    }

    /// A typo would lift an embargo without a word; a course that has left the catalogue must not stop the night.
    @Test func suppressionsOfCoursesThatNobodyKnowsAreRejectedAndDoNotCount() throws {
        let courses = "course_id,title,language,published_at,retired_at,duration_seconds\nc1,First,en,,,600\n"
        let text = "learner_id,course_id,scope\n,C1,both\na,c1,train\n"
        let files = [oneWatch, ("courses.csv", courses), ("suppressions.csv", text)]
        let logs = try importLogs(ownMapping, files, maxRejected: 0.001)
        #expect(
            logs.rejects == """
                file,line,reason
                suppressions.csv,2,"course is not in the catalogue: ""C1""\"

                """)
        #expect(logs.cut.accounts[.suppressions] == .init(read: 2, before: 1, after: 0, rejected: 1))
        #expect(try logs.tables().suppressions.course == [0])
    }

    @Test func tooManyAreAnErrorThatNamesTheFirst() throws {
        let rows = (0..<999).map { "a,c1,2024-01-01,\($0)\n" }.joined()
        let header = "learner_id,course_id,started_at,watched_seconds\n"
        let one = [("watches.csv", header + rows + "a,c1,2024-01-01,x\n")]
        #expect(try importLogs(ownMapping, one, maxRejected: 0.001).cut.accounts[.watches]?.rejected == 1)
        let two = [("watches.csv", header + "a,c1,2024-01-01,x\n" + rows + "a,c1,today,1\n")]
        let error = #expect(throws: LecternError.self) { _ = try importLogs(ownMapping, two, maxRejected: 0.001) }
        #expect(error?.code == .badData)
        for part in [
            "watches: 2 of 1001 rows", "0.199 %", "import.max_rejected", "watches.csv:2: watched_seconds", ":1002:",
        ] {
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
    }

    @Test func wrongHeadersAreErrorsBeforeAnythingIsRead() throws {
        let headers: [(String, [String])] = [
            ("learner_id,course,started_at\n", ["no column \"course_id\"", "\"course\""]),
            ("learner_id;course_id;started_at\n", ["no column \"learner_id\"", "delimiter"]),
            ("learner_id,course_id,course_id,started_at\n", ["\"course_id\" stands 2 times"]),
        ]
        for (header, parts) in headers {
            let error = #expect(throws: LecternError.self) { _ = try importLogs(ownMapping, [("watches.csv", header)]) }
            #expect(error?.code == .badData)
            for part in parts { #expect(error?.message.contains(part) == true, "\(error?.message ?? "")") }
        }
        let nothing = #expect(throws: LecternError.self) {
            _ = try importLogs(ownMapping, [("watches.csv", "learner_id,course_id,started_at\n")])
        }
        #expect(nothing?.code == .badData)
    }
}
