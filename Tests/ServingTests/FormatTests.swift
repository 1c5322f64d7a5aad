// Proves what the serving formats write, byte by byte for hand-made lists, and that hostile ids come back unchanged:
// through Foundation's JSON parser, and through the unescaping that PostgreSQL documents for COPY.

import Foundation
import Platform
import Serving
import Testing

private let list = ServedList(
    key: "l1", rung: "towers", short: "rules",
    entries: [
        .init(course: "c7", rank: 1, score: 0.25, listScore: 0.25, reason: "watched", because: "c3"),
        .init(course: "c2", rank: 2, score: 0.5, listScore: -1.5, reason: "popular"),
    ])

/// Path-like, quotes, separators, control characters, right-to-left, long.
private let hostile = [
    "../../etc/passwd", "a\"b'c", "tab\tline\nreturn\r", "back\\slash\\N", "\u{1}\u{8}\u{b}\u{c}\u{1f}\u{7f}",
    "عربي ‏קצת",
    String(repeating: "x", count: 1_000), "", " ", "\\", "{\"learner\":1}", "\u{2028}", "😀",
]

@Suite struct JSONLinesTests {
    @Test func bytesByHand() {
        var bytes: [UInt8] = []
        JSONLines.append(list, .learner, to: &bytes)
        JSONLines.append(ServedList(key: nil, entries: []), .segment, to: &bytes)
        JSONLines.append(key: "gone", .learner, to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                {"learner":"l1","rung":"towers","short":"rules","courses":[\
                {"id":"c7","rank":1,"score":0.25,"reason":"watched","because":"c3"},\
                {"id":"c2","rank":2,"score":0.5,"list_score":-1.5,"reason":"popular","because":null}]}
                {"segment":null,"courses":[]}
                {"learner":"gone"}

                """)
    }

    @Test(arguments: hostile + ["nul\u{0}"]) func hostileIdsComeBack(_ id: String) throws {
        var bytes: [UInt8] = []
        let entry = ServedList.Entry(course: id, rank: 1, score: 1e-10, listScore: 1e-10, reason: "fits", because: id)
        JSONLines.append(ServedList(key: id, entries: [entry]), .learner, to: &bytes)
        #expect(bytes.filter { $0 == 0x0a }.count == 1 && bytes.last == 0x0a)
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(parsed["learner"] as? String == id)
        let course = try #require((parsed["courses"] as? [[String: Any]])?.first)
        #expect(course["id"] as? String == id && course["because"] as? String == id)
        #expect((course["score"] as? Double).map { Float($0) } == 1e-10)
    }
}

@Suite struct TabSeparatedTests {
    @Test func bytesByHand() throws {
        var bytes: [UInt8] = []
        try TabSeparated.append(list, to: &bytes)
        try TabSeparated.append(ServedList(key: "empty", entries: []), to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "l1\t1\tc7\t0.25\t0.25\twatched\tc3\ttowers\nl1\t2\tc2\t0.5\t-1.5\tpopular\t\\N\ttowers\n")
    }

    @Test(arguments: hostile) func hostileIdsComeBack(_ id: String) throws {
        var bytes: [UInt8] = []
        let entry = ServedList.Entry(course: id, rank: 1, score: 1, listScore: 1)
        try TabSeparated.append(ServedList(key: id, entries: [entry]), to: &bytes)
        #expect(bytes.filter { $0 == 0x0a }.count == 1)
        let fields = String(decoding: bytes.dropLast(), as: UTF8.self).unicodeScalars.split(
            separator: "\t", omittingEmptySubsequences: false)
        #expect(fields.count == TabSeparated.columns.count)
        #expect(unescaped(String(fields[0])) == id)
        #expect(unescaped(String(fields[2])) == id)
        #expect(String(fields[5]) == "\\N")
    }

    /// PostgreSQL's manual, COPY, "Text Format".
    private func unescaped(_ text: String) -> String {
        let meaning: [Unicode.Scalar: Unicode.Scalar] = [
            "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{b}", "\\": "\\",
        ]
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                result.append(meaning[scalar] ?? scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    @Test func whatPostgreSQLCannotHoldIsRefusedByName() {
        var bytes: [UInt8] = []
        let error = #expect(throws: UnservableID.self) {
            try TabSeparated.append(ServedList(key: "a\u{0}b", entries: list.entries), to: &bytes)
        }
        #expect(error?.description == "id \"a\\u0000b\" cannot be written as tsv: it contains a NUL character")
    }
}

@Suite struct ServedListTests {
    @Test func numbersBecomeIdsAndTexts() {
        var top = TopLists()
        top.lists = RankedLists(offsets: [0, 3, 3], courses: [2, 0, 1], scores: [3, 2, 1])
        top.listScores = [3, 2, 1]
        top.reasons = [.watched, .fits, .popularInSegment]
        top.because = [1, 0, 0]
        top.rungs = [.towers, .trend]
        top.shortness = [.full, .suppressed]
        let lists = ServedList.lists(top, keys: ["a", "b"], courses: ["x", "y", "z"], fits: ["skills: SQL"])
        #expect(lists[0].entries.map(\.course) == ["z", "x", "y"])
        #expect(lists[0].entries.map(\.because) == ["y", "skills: SQL", nil])
        #expect(lists[0].entries.map(\.reason) == ["watched", "fits", "popular-in-segment"])
        #expect(lists[0].short == nil && lists[0].rung == "towers")
        #expect(lists[1] == ServedList(key: "b", rung: "trend", short: "suppressed", entries: []))
    }

    /// SQLite stores −0 as 0: a list must read alike from everywhere.
    @Test func negativeZeroBecomesZero() {
        var top = TopLists()
        top.lists = RankedLists(offsets: [0, 2], courses: [0, 1], scores: [1, -0.0])
        (top.listScores, top.reasons, top.because) = ([1, -0.0], [.popular, .popular], [0, 0])
        (top.rungs, top.shortness) = ([.trend], [.full])
        let list = ServedList.list(top, 0, key: "a", courses: ["x", "y"], fits: [])
        #expect(list.entries[1].score.sign == .plus && list.entries[1].listScore.sign == .plus)
        var bytes: [UInt8] = []
        JSONLines.append(list, .learner, to: &bytes)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("-0"))
    }
}
