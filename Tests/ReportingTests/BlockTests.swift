// Proves the building blocks of the report: escaping, numbers, scales, drawings. Expected values: by hand.

import Testing

import Reporting

@Suite struct BlockTests {
    @Test func textsAreEscapedAndPiecesAreNot() {
        let title = "<b> & \"c\"\u{1}"
        let piece: HTML = "<i>\(title)</i>"
        #expect(piece.text == "<i>&lt;b&gt; &amp; &quot;c&quot;\u{fffd}</i>")
        #expect(HTML("\(piece)\(7)").text == piece.text + "7")
        #expect([HTML("a"), HTML("b")].joined(", ").text == "a, b")
    }

    @Test func numbers() {
        #expect(Format.count(1_234_567) == "1,234,567" && Format.count(-12) == "−12" && Format.count(0) == "0")
        #expect(Format.decimal(2.345, 1) == "2.3" && Format.decimal(-0.04, 1) == "0.0")
        #expect(Format.decimal(-1234.5, 0) == "−1,235" && Format.decimal(.nan, 2) == "–")
        #expect(
            Format.percent(0.123) == "12\u{a0}%" && Format.percent(0.0234) == "2.3\u{a0}%"
                && Format.percent(0) == "0\u{a0}%")
        #expect(Format.percent(0.0001) == "<\u{a0}0.1\u{a0}%")
        #expect(Format.seconds(8.25) == "8.3\u{a0}s" && Format.seconds(173) == "2\u{a0}min 53\u{a0}s")
        #expect(Format.seconds(11_520) == "3\u{a0}h 12\u{a0}min")
        #expect(Format.bytes(630 << 20) == "630\u{a0}MiB" && Format.bytes(1_288_490_189) == "1.2\u{a0}GiB")
        #expect(Format.coordinate(-3.25) == "-3.3" && Format.coordinate(12) == "12")
        #expect(Format.list(["a", "b", "c"]) == "a, b and c" && Format.list([]) == "")
        #expect(Format.short("abcdef", 4) == "abc…")
    }

    @Test func scales() {
        let scale = Scale(covering: [0.03, 0.31], including: [0])
        #expect(scale.low == 0 && abs(scale.high - 0.4) < 1e-12)
        #expect(scale.ticks().count == 5 && scale.digits() == 1)
        #expect(abs(scale.position(0.1) - 0.25) < 1e-12 && scale.position(9) == 1 && scale.position(-1) == 0)
        let decades = Scale(1, 1_000, logarithmic: true)
        #expect(abs(decades.position(10) - 1.0 / 3) < 1e-12)
        #expect(decades.ticks().count == 4 && abs(decades.ticks()[3] - 1_000) < 1e-6)
        // Equal values: a span all the same.
        #expect(Scale(covering: [5, 5]).high > Scale(covering: [5, 5]).low)
        #expect(
            abs(Logarithm.of(2) - 0.6931471805599453) < 1e-14 && abs(Logarithm.of(1e6) - 13.815510557964274) < 1e-12)
    }

    @Test func plotsSayTheirNumbersTwice() {
        let plot = Plot(
            "Loss <by> epoch", x: .init("epoch", Scale(0, 2)), y: .init("loss", Scale(0, 4)),
            [
                Plot.Series("fit", colour: 1, .line, [(x: 0, y: 4), (x: 2, y: 1)]),
                Plot.Series("refit", colour: 2, .dots, [(x: 1, y: 2), (x: 2, y: .nan)]),
            ])
        // The plane: 46 … 330 across, 182 … 14 up.
        #expect(plot.svg.text.contains("d=\"M46 14L330 140\""))
        #expect(plot.svg.text.contains("d=\"M188 98h0\""))
        #expect(plot.svg.text.contains("aria-label=\"Loss &lt;by&gt; epoch\"") && !plot.svg.text.contains("nan"))
        #expect(plot.table.text.contains("<th scope=\"col\">fit</th><th scope=\"col\">refit</th>"))
        #expect(plot.table.text.contains("<td>4.0000</td><td></td>") && plot.key.text.contains("k2\">refit"))
    }

    @Test func glyphsAreDrawnToScale() {
        var table = GlyphTable(
            Scale(-1, 1), heads: ["model", "difference", "mean"],
            [
                .init("a", .interval(low: -0.5, mean: 0, high: 1, colour: 3), ["0"]),
                .init("b", .bar(0.5, colour: 1), [".5"], strong: true), .init("group", heading: true),
            ])
        table.rules = [0]
        let text = table.html.text
        #expect(text.contains("d=\"M250 10H1000\"") && text.contains("d=\"M500 10h0\"") && text.contains("M500 0V20"))
        #expect(text.contains("d=\"M500 5H750v10H500Z\"") && text.contains("<tr class=\"strong\">"))
        #expect(text.contains("colspan=\"3\">group"))
    }

    @Test func mapsKeepTheirShapeAndName() {
        let colouring = CourseMapFigure.Colouring("language", values: ["en", "de", "en", nil])
        #expect(colouring.groups == ["en", "de"] && colouring.groupOf == [0, 1, 0, nil])
        let map = CourseMapFigure(x: [0, 2, 1, 1], y: [0, 0, 0.5, 1], titles: ["A", "B", "C", "D<"])
        let text = map.html([colouring, colouring]).text
        // Two across are the whole width of 960; one up is half of it.
        #expect(text.contains("class=\"course s1\" d=\"M20 260h0M500 500h0\"") && text.contains("M980 260h0"))
        #expect(text.contains("<title>D&lt;</title>") && text.contains("<use href=\"#titles\"/>"))
        #expect(text.components(separatedBy: "<title>").count == 5)
    }

    @Test func sixteenThousandCoursesStayUnderThreeMegabytes() {
        let n = 16_000
        let titles = (0..<n).map { "Course number \($0) with a title of the usual length, more or less" }
        let map = CourseMapFigure(
            x: (0..<n).map { Double($0 * 7_919 % n) }, y: (0..<n).map { Double($0 * 104_729 % n) }, titles: titles)
        let colouring = CourseMapFigure.Colouring("category", values: (0..<n).map { "category \($0 % 20)" })
        #expect(map.html([colouring, colouring]).text.utf8.count < 2_500_000)
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [Substring] {
        var (parts, rest) = ([Substring](), self[...])
        while let found = rest.firstRange(of: separator) {
            parts.append(rest[..<found.lowerBound])
            rest = rest[found.upperBound...]
        }
        return parts + [rest]
    }
}
