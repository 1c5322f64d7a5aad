// Proved: rows and fields as RFC 4180 has them, whatever the size of blocks, plain or gzipped. Expected rows are
// written out by hand.

import Foundation
import Logs
import Shards
import Testing

struct CSVCase: Sendable, CustomTestStringConvertible {
    var name: String
    var text: String
    var rows: [[String]]
    var quoted = true
    var delimiter = UInt8(ascii: ",")
    var testDescription: String { name }
}

private let cases = [
    CSVCase(name: "plain", text: "a,b\n1,2\n3,4\n", rows: [["1", "2"], ["3", "4"]]),
    CSVCase(name: "no line break at the end", text: "a,b\n1,2\n3,4", rows: [["1", "2"], ["3", "4"]]),
    CSVCase(name: "CRLF", text: "a,b\r\n1,2\r\n3,4\r\n", rows: [["1", "2"], ["3", "4"]]),
    CSVCase(name: "CRLF after quotes", text: "a,b\r\n1,\"2\"\r\n\"3\",\"4\"\r\n", rows: [["1", "2"], ["3", "4"]]),
    CSVCase(name: "byte order mark", text: "\u{feff}a,b\n1,2\n", rows: [["1", "2"]]),
    CSVCase(name: "quoted delimiter", text: "a,b\n\"1,1\",2\n", rows: [["1,1", "2"]]),
    CSVCase(name: "doubled quotes", text: "a,b\n\"say \"\"hi\"\"\",2\n", rows: [["say \"hi\"", "2"]]),
    CSVCase(name: "only quotes", text: "a,b\n\"\"\"\",\"\"\n", rows: [["\"", ""]]),
    CSVCase(
        name: "line breaks in quotes", text: "a,b\n\"1\n\r\n1\",2\n3,4\n", rows: [["1\n\r\n1", "2"], ["3", "4"]]),
    CSVCase(name: "empty fields", text: "a,b,c\n,,\n1,,3\n", rows: [["", "", ""], ["1", "", "3"]]),
    CSVCase(name: "empty last field at the end", text: "a,b\n1,", rows: [["1", ""]]),
    CSVCase(name: "blank lines are no rows", text: "a,b\n\n1,2\n\r\n\n3,4\n\n", rows: [["1", "2"], ["3", "4"]]),
    CSVCase(name: "blanks belong to fields", text: "a,b\n 1 , 2\n", rows: [[" 1 ", " 2"]]),
    CSVCase(name: "a quote within a field", text: "a,b\n5\" pipe,2\n3,4\n", rows: [["5\" pipe", "2"], ["3", "4"]]),
    CSVCase(name: "a comma in a quoted last field", text: "a,b\n1,\"2,2\"", rows: [["1", "2,2"]]),
    CSVCase(name: "too few and too many", text: "a,b\n1\n1,2,3\n", rows: [["1"], ["1", "2", "3"]]),
    CSVCase(name: "a carriage return within a field", text: "a,b\n1\r1,2\n", rows: [["1\r1", "2"]]),
    CSVCase(name: "UTF-8", text: "a,b\nÄ,日本\n", rows: [["Ä", "日本"]]),
    CSVCase(
        name: "tabs without quotes", text: "a\tb\n\"1\t2\"\nx,y\t\"\n", rows: [["\"1", "2\""], ["x,y", "\""]],
        quoted: false, delimiter: UInt8(ascii: "\t")),
    CSVCase(
        name: "tabs with quotes", text: "a\tb\n\"1\t1\"\t2\n", rows: [["1\t1", "2"]], delimiter: UInt8(ascii: "\t")),
    CSVCase(name: "semicolons", text: "a;b\n1,5;2\n", rows: [["1,5", "2"]], delimiter: UInt8(ascii: ";")),
    CSVCase(name: "one column", text: "a\n1\n\n2\n", rows: [["1"], ["2"]]),
    CSVCase(name: "header only", text: "a,b\n", rows: []),
    CSVCase(name: "header without line break", text: "a,b", rows: []),
]

@Suite struct CSVTests {
    private func read(_ path: String, _ form: RowForm, blockBytes: Int) throws -> (rows: [[String]], lines: [Int]) {
        let reader = try RowReader(path: path, form: form, blockBytes: blockBytes)
        let cursor = RowCursor(form: form, columns: 10)
        var rows: [[String]] = []
        var lines: [Int] = []
        while let block = try reader.next() {
            cursor.start(block)
            while cursor.next() {
                #expect(cursor.problem == nil)
                rows.append((0..<cursor.count).map { cursor[$0].string })
                lines.append(cursor.line)
            }
        }
        return (rows, lines)
    }

    @Test("rows, in blocks of any size", arguments: cases)
    func rows(item: CSVCase) throws {
        let folder = TemporaryFolder()
        let path = try folder.write("x.csv", item.text)
        let form = RowForm(delimiter: item.delimiter, quoted: item.quoted)
        for blockBytes in [1, 2, 3, 5, 7, 16, 1 << 20] {
            #expect(try read(path, form, blockBytes: blockBytes).rows == item.rows, "blocks of \(blockBytes)")
        }
    }

    @Test func lineNumbersCountBreaksWithinQuotes() throws {
        let folder = TemporaryFolder()
        let path = try folder.write("x.csv", "\"a\nb\",c\n1,2\n\n\"x\ny\r\nz\",4\n5,6\n")
        for blockBytes in [1, 4, 1 << 20] {
            let form = RowForm(delimiter: UInt8(ascii: ","), quoted: true)
            #expect(try read(path, form, blockBytes: blockBytes).lines == [3, 5, 8])
        }
    }

    @Test func gzipIsRecognisedByContent() throws {
        let folder = TemporaryFolder()
        let form = RowForm(delimiter: UInt8(ascii: ","), quoted: true)
        let long = (0..<50_000).map { "\($0),\($0 * 7)" }
        let text = "a,b\n" + long.joined(separator: "\n") + "\n"
        let whole = Gzip.compress(Array(text.utf8))
        // RFC 1952: a file may be several members one after the other, cut anywhere.
        let bytes = Array(text.utf8)
        let members =
            Gzip.compress(Array(bytes[..<12_345])) + Gzip.compress([]) + Gzip.compress(Array(bytes[12_345...]))
        for (name, content) in [("x.csv", whole), ("y.csv.gz", members), ("z.gz", bytes)] {
            let path = try folder.write(name, content)
            #expect(try read(path, form, blockBytes: 1 << 12).rows.map { $0.joined(separator: ",") } == long)
        }
    }

    @Test func damageIsAnErrorThatNamesTheFile() throws {
        let folder = TemporaryFolder()
        let form = RowForm(delimiter: UInt8(ascii: ","), quoted: true)
        let gzip = Gzip.compress(Array("a,b\n1,2\n".utf8))
        var flipped = gzip
        flipped[gzip.count - 6] ^= 1
        let files: [(String, [UInt8], String)] = [
            ("cut.gz", Array(gzip.dropLast(5)), "cut"),
            ("crc.gz", flipped, "damaged"),
            ("tail.gz", gzip + Array("garbage!".utf8), "damaged"),
            ("empty.csv", [], "empty"),
            ("utf16.csv", [0xff, 0xfe, 0x61, 0], "UTF-16"),
            ("quote.csv", Array("a,b\n1,2\n\"3,4\n5,6\n".utf8), "quote.csv:3: a quote is opened and never closed"),
        ]
        for (name, content, expected) in files {
            let path = try folder.write(name, content)
            let error = #expect(throws: LecternError.self, "\(name)") {
                _ = try read(path, form, blockBytes: 1 << 12)
            }
            #expect(error?.code == .badData)
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains(name) == true)
        }
        let missing = #expect(throws: LecternError.self) { _ = try read(folder.path + "/no.csv", form, blockBytes: 9) }
        #expect(missing?.code == .inputMissing)
    }

    @Test func rowsWithBrokenQuotesAreMarkedAndTheNextRowIsRead() throws {
        let folder = TemporaryFolder()
        let form = RowForm(delimiter: UInt8(ascii: ","), quoted: true)
        let path = try folder.write("x.csv", "a,b\n\"1\"1,2\n3,4\n")
        let cursor = RowCursor(form: form, columns: 2)
        let reader = try RowReader(path: path, form: form)
        cursor.start(try #require(try reader.next()))
        #expect(cursor.next() && cursor.problem != nil && cursor.line == 2)
        #expect(cursor.next() && cursor.problem == nil && cursor[1].string == "4")
        #expect(!cursor.next())
    }
}
