// Proved: MovieLens in each layout that GroupLens packs, a few rows of each written by hand as their READMEs show them:
// "::" between fields, no header and Latin-1 (1M), UTF-8 and half stars (10M), CSV with quoted titles (20M, 25M, 32M).

import Foundation
import Logs
import Platform
import Shards
import Testing

@Suite struct MovieLensLayoutTests {
    private func mapping(_ name: String) throws -> String {
        try String(contentsOfFile: "\(projectRoot)/data/\(name)/dataset.yaml", encoding: .utf8)
    }

    private func latin1(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    @Test func oneMillion() throws {
        let logs = try importLogs(
            mapping("movielens-1m"),
            [
                ("ratings.dat", latin1("1::661::3::978302109\n1::260::4::978300760\n2::661::5::978298413\r\n")),
                ("users.dat", latin1("1::F::1::10::48067\n2::M::56::16::70072\n")),
                (
                    "movies.dat",
                    latin1(
                        "260::Star Wars: Episode IV - A New Hope (1977)::Action|Adventure|Fantasy|Sci-Fi\n"
                            + "661::Misérables, Les (1995)::Drama|Musical\n")
                ),
            ])
        #expect(logs.rejects == "file,line,reason\n")
        #expect(try logs.watchLines() == ["1 260 978300760 nan -", "1 661 978302109 nan -", "2 661 978298413 nan -"])
        #expect(
            logs.cut.catalogue.titles == ["Star Wars: Episode IV - A New Hope (1977)", "Misérables, Les (1995)"])
        #expect(
            logs.cut.dictionaries["courses.genres"]?.values
                == ["Action", "Adventure", "Drama", "Fantasy", "Musical", "Sci-Fi"])
        #expect(logs.cut.dictionaries["learners.gender"]?.values == ["F", "M"])
        #expect(logs.cut.dictionaries["learners.age"]?.values == ["1", "56"])
        #expect(try logs.tables().engagements.label.map { $0 == 1 } == [true, false, true])  // 4, 3, 5
    }

    @Test func tenMillion() throws {
        let logs = try importLogs(
            mapping("movielens-10m"),
            [
                ("ratings.dat", "1::122::5::838985046\n1::185::3.5::838983525\n2::122::4.5::868245644\n"),
                ("movies.dat", "122::Léon: The Professional (1994)::Crime|Drama\n185::Net, The (1995)::Thriller\n"),
            ])
        #expect(logs.rejects == "file,line,reason\n")
        #expect(try logs.watchLines() == ["1 122 838985046 nan -", "1 185 838983525 nan -", "2 122 868245644 nan -"])
        #expect(logs.cut.catalogue.titles == ["Léon: The Professional (1994)", "Net, The (1995)"])
        #expect(try logs.tables().engagements.label.map { $0 == 1 } == [false, true, true])  // by time: 3.5, 5, 4.5
    }

    @Test(arguments: ["movielens-20m", "movielens-25m", "movielens-32m"]) func tables(_ name: String) throws {
        let logs = try importLogs(
            mapping(name),
            [
                ("ratings.csv", "userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n1,11,4.0,1112484676\n"),
                (
                    "movies.csv",
                    "movieId,title,genres\n2,Jumanji (1995),Adventure|Children\n"
                        + "11,\"American President, The (1995)\",Comedy|Drama\n"
                ),
            ])
        #expect(logs.rejects == "file,line,reason\n")
        #expect(try logs.watchLines() == ["1 11 1112484676 nan -", "1 2 1112486027 nan -"])
        #expect(logs.cut.catalogue.titles == ["American President, The (1995)", "Jumanji (1995)"])
        #expect(try logs.tables().engagements.label.map { $0 == 1 } == [true, false])
    }

    // Blocks of every small size: pairs and letters of two bytes lie across their borders.
    @Test func pairsAndLettersAcrossBlocks() throws {
        let folder = TemporaryFolder()
        let text = String((0..<300).map { "é\($0)::a:b:::\($0 % 7 == 0 ? "" : "ü")::ß\n" }.joined().unicodeScalars)
        let path = try folder.write("x.dat", latin1(text))
        let form = RowForm(delimiter: Array("::".utf8), quoted: false, hasHeader: false, latin1: true)
        // Pairs are taken from the left: ":::ü" is a delimiter and ":ü", ":::::ß" two delimiters and ":ß".
        let expected = (0..<300).map { $0 % 7 == 0 ? ["é\($0)", "a:b", "", ":ß"] : ["é\($0)", "a:b", ":ü", "ß"] }
        for blockBytes in [1, 2, 3, 17, 64, 1 << 20] {
            let reader = try RowReader(path: path, form: form, blockBytes: blockBytes)
            let cursor = RowCursor(form: form, columns: 10)
            var rows: [[String]] = []
            while let block = try reader.next() {
                cursor.start(block)
                while cursor.next() { rows.append((0..<cursor.count).map { cursor[$0].string }) }
            }
            let wrong = zip(rows, expected).first { $0.0 != $0.1 }
            #expect(rows.count == expected.count && wrong == nil, "blocks of \(blockBytes)")
        }
    }

    // The reader takes the file in pieces of 64 KiB: one colon of the first pair ends a piece, the other begins the next.
    @Test func aPairAcrossPiecesOfTheFile() throws {
        let folder = TemporaryFolder()
        let long = String(repeating: "x", count: (1 << 16) - 1)
        let path = try folder.write("x.dat", latin1("\(long)::b:c::d\n"))
        let form = RowForm(delimiter: Array("::".utf8), quoted: false, hasHeader: false)
        let cursor = RowCursor(form: form, columns: 10)
        cursor.start(try #require(try RowReader(path: path, form: form).next()))
        #expect(cursor.next() && cursor.count == 3)
        #expect(cursor[0].string == long && cursor[1].string == "b:c" && cursor[2].string == "d")
    }
}
