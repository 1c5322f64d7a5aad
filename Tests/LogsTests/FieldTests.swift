// Proved: times, numbers and lists in fields. Seconds since 1970 come from GNU date; numbers are compared with the
// literals that the compiler reads.

import Logs
import Testing

@Suite struct FieldTests {
    private func time(_ text: String, _ form: Conversion.TimeForm = .iso8601) -> Int64? {
        Array(text.utf8).withField { $0.time(form) }
    }

    @Test(arguments: [
        ("1998-03-27 22:07:03", 891_036_423), ("2020-11-18T11:32:59Z", 1_605_699_179), ("1970-01-01", 0),
        ("2000-02-29T12:00:00Z", 951_825_600), ("1999-12-31T23:59:59.999Z", 946_684_799),
        ("2024-03-01T09:30:00+01:00", 1_709_281_800), ("2024-03-01T09:30:00-0530", 1_709_305_200),
        ("2024-03-01T09:30:00+02", 1_709_278_200), ("2024-03-01 09:30", 1_709_285_400), ("2018", 1_514_764_800),
        ("2018-07", 1_530_403_200), ("2016-12-31T23:59:60Z", 1_483_228_800), ("2100-03-01", 4_107_542_400),
        ("1969-12-31T23:59:59Z", -1), ("2024-03-01T09:30:00,5z", 1_709_285_400),
    ])
    func isoTimes(text: String, seconds: Int64) { #expect(time(text) == seconds) }

    @Test(arguments: [
        "", "20", "2024-13-01", "2024-02-30", "2023-02-29", "1900-02-29", "2024-00-01", "2024-01-00", "2024/01/01",
        "2024-01-01T", "2024-01-01T24:00:00", "2024-01-01T10:60", "2024-01-01T10:00:61", "2024-01-01T10:00:00.",
        "2024-01-01T10:00:00+", "2024-01-01T10:00:00+1", "2024-01-01T10:00:00+25:00", "2024-01-01T10:00:00 UTC",
        "2024-01-01x10:00:00", "24-01-01", "0000-01-01", "01.02.2024", "2024-1-1", "1605699179",
        "2024-01-01T10:00:00ZZ",
        "２０２４-01-01",
    ])
    func noTimes(text: String) { #expect(text.isEmpty || time(text) == nil) }

    @Test func epochs() {
        #expect(time("891036423", .epochSeconds) == 891_036_423)
        #expect(time("891036423.9", .epochSeconds) == 891_036_423)
        #expect(time("8.91036423E8", .epochSeconds) == 891_036_423)
        #expect(time("1605699179250", .epochMilliseconds) == 1_605_699_179)
        #expect(time("-1", .epochMilliseconds) == -1)
        #expect(time("1998-03-27", .epochSeconds) == nil)
        #expect(time("1998", .year) == 883_612_800)
        #expect(time("1998-03", .year) == nil)
    }

    @Test(arguments: [
        ("0", 0.0), ("7", 7), ("-12.5", -12.5), ("+3", 3), (".5", 0.5), ("5.", 5), ("0.1", 0.1), ("1e3", 1000),
        ("123456789.123", 123456789.123), ("9007199254740993", 9007199254740992), ("2.5E-3", 0.0025),
        ("0.30000000000000004", 0.30000000000000004), ("000012", 12), ("999999999999999", 999_999_999_999_999),
    ])
    func numbers(text: String, value: Double) { #expect(Array(text.utf8).withField { $0.number } == value) }

    @Test(arguments: ["x", "1,5", "1.2.3", "--1", "1e", "nan", "inf", "0x10", "1 2", ".", "-", "1_000", "٣"])
    func noNumbers(text: String) { #expect(Array(text.utf8).withField { $0.number } == nil) }

    @Test func splitLists() {
        func parts(_ text: String) -> [String] {
            var parts: [String] = []
            Array(text.utf8).withField { $0.split(at: UInt8(ascii: "|")) { parts.append($0.string) } }
            return parts
        }
        #expect(parts("a|b c|d") == ["a", "b c", "d"])
        #expect(parts(" a | b ") == ["a", "b"])
        #expect(parts("||a|") == ["a"])
        #expect(parts("|") == [])
    }

    @Test func bracketedLists() {
        func list(_ text: String) -> [String]? {
            Array(text.utf8).withField { $0.bracketedList }?.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(list("['Financial', 'Marketing']") == ["Financial", "Marketing"])
        #expect(list("[]") == [])
        #expect(list(" [ 'a' ] ") == ["a"])
        #expect(list("[\"it's\", 'a, b']") == ["it's", "a, b"])
        #expect(list("['it\\'s']") == ["it's"])
        #expect(list("['Größe']") == ["Größe"])
        for text in ["a", "['a'", "'a']", "[a]", "['a' 'b']", "['a', ]x", "['a", "[1, 2]"] {
            #expect(list(text) == nil, "\(text)")
        }
    }
}
