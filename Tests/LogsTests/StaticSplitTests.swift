// Proved: files without a header, rows of one learner and any number of courses, and test pairs kept apart: they lie
// behind T and nothing before T knows them. Expected values by hand.

import Logs
import Platform
import Shards
import Testing

@Suite struct StaticSplitTests {
    private let lists = try! String(contentsOfFile: projectRoot + "/data/user-item-lists/dataset.yaml", encoding: .utf8)
    private let pairs = try! String(contentsOfFile: projectRoot + "/data/user-item-pairs/dataset.yaml", encoding: .utf8)
    private let firstOf2001: Int64 = 978_307_200

    private func both(_ text: String, in mapping: String? = nil) throws -> Imported {
        try importLogs(mapping ?? lists, [("train.txt", text), ("test.txt", "0 12 10\n1\n2 10 \n")], asOf: firstOf2001)
    }

    /// learner and course of each line that `watchLines` gives.
    private func pairs(_ logs: Imported) throws -> [String] {
        try logs.watchLines().map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    }

    // Blanks at the end of a row, two in a row, CRLF, a learner without courses, no line break at the end.
    @Test(arguments: ["0 10 11\n1 10\n2 11 12\n", "0 10  11 \r\n1 10\r\n3\r\n2 11 12", "\n0 10 11\n1 10\n3 \n2 11 12 "])
    func oneRowALearner(_ text: String) throws {
        let logs = try both(text)
        #expect(try pairs(logs) == ["0 10", "0 11", "1 10", "2 11", "2 12"])
        #expect(logs.cut.catalogue.ids == ["10", "11", "12"])
        #expect(logs.rejects == "file,line,reason\n")
        let tables = try logs.tables()
        #expect(tables.learners.ids == ["0", "1", "2"])
        #expect(tables.watches.time.allSatisfy { $0 >= firstOf2001 - 366 * 86_400 && $0 < firstOf2001 })
    }

    @Test func testPairsLieBehindT() throws {
        let logs = try both("0 10 11\n1 10\n2 11 12\n")
        let after = try logs.tables().watchesAfter
        #expect(after.count == 3)
        #expect(after.time.allSatisfy { $0 >= firstOf2001 && $0 < firstOf2001 + 366 * 86_400 })
        let other = try importLogs(
            lists, [("train.txt", "0 10 11\n1 10\n2 11 12\n"), ("test.txt", "1 11 99\n")], asOf: firstOf2001)
        #expect(other.before == logs.before)
        #expect(other.after != logs.after)
    }

    @Test func rejectedRowsAreFoundByLine() throws {
        let long = String(repeating: "x", count: 1_001)
        let logs = try both("0 10\n1 10 \(long) 12\n")
        #expect(try pairs(logs) == ["0 10", "1 10", "1 12"])
        #expect(logs.rejects.contains("train.txt,2,"))
    }

    @Test func pairsWithAndWithoutHeader() throws {
        let text = "a,x\nb,x\na,y\n"
        let with = try importLogs(
            pairs, [("train.csv", "user,item\n" + text), ("test.csv", "user,item\nb,y\n")], asOf: firstOf2001)
        let without = try importLogs(
            "header: [user, item]\n" + pairs, [("train.csv", text), ("test.csv", "b,y\n")], asOf: firstOf2001)
        #expect(try pairs(with) == ["a x", "a y", "b x"])
        #expect(with.before == without.before && with.after == without.after)
    }

    @Test func mappingsThatCannotBe() throws {
        #expect(throws: LecternError.self) {
            try DatasetMapping(yaml: lists.replacing("quotes: none", with: ""), file: "d.yaml")
        }
        #expect(throws: LecternError.self) {
            try DatasetMapping(yaml: lists.replacing("header: [user, item]", with: ""), file: "d.yaml")
        }
        #expect(try DatasetMapping(yaml: lists, file: "d.yaml").holdsOut)
        #expect(try !DatasetMapping(yaml: ownMapping, file: "d.yaml").holdsOut)
    }
}
