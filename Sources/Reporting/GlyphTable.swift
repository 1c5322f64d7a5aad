/// A table in which one column is drawn to scale: the figure and its numbers are one. Drawings stretch with the column,
/// texts do not, so it reads alike on a phone, a screen and paper.
package struct GlyphTable: Sendable {
    package enum Glyph: Sendable {
        case none
        /// From the scale's zero (or low end) to a value.
        case bar(Double, colour: Int)
        /// A mean with an interval.
        case interval(low: Double, mean: Double, high: Double, colour: Int)
        /// Stretches from … to.
        case spans([(from: Double, to: Double, colour: Int)])
        /// A value as a point.
        case points([Double], colour: Int)
        /// A curve along the scale, heights from 0 to 1.
        case profile([(x: Double, height: Double)], colour: Int)
    }

    package struct Row: Sendable {
        package var name: HTML
        package var glyph: Glyph
        package var cells: [HTML]
        /// The row that the others are compared with.
        package var isStrong: Bool
        /// A line over the rows that follow.
        package var isHeading: Bool

        package init(
            _ name: HTML, _ glyph: Glyph = .none, _ cells: [HTML] = [], strong: Bool = false, heading: Bool = false
        ) {
            (self.name, self.glyph, self.cells, isStrong, isHeading) = (name, glyph, cells, strong, heading)
        }
    }

    package var scale: Scale
    /// Heads of the first column, the drawn one, and the others.
    package var heads: [String]
    package var rows: [Row]
    /// Values with a line through all rows.
    package var rules: [Double] = []
    /// Under the drawn column.
    package var ticks: [(value: Double, text: String)]

    package init(_ scale: Scale, heads: [String], _ rows: [Row], ticks: [(value: Double, text: String)]? = nil) {
        (self.scale, self.heads, self.rows) = (scale, heads, rows)
        let digits = scale.digits(3)
        self.ticks = ticks ?? scale.ticks(3).map { ($0, Format.decimal($0, digits)) }
    }

    package var html: HTML {
        let head = heads.enumerated().map { at, text in
            HTML("<th scope=\"col\"\(at == 1 ? HTML(markup: " class=\"g\"") : "")>\(text)</th>")
        }
        let foot = ticks.map { tick in
            let place = scale.position(tick.value) * 100
            let side = place < 8 ? " class=\"first\"" : place > 92 ? " class=\"last\"" : ""
            return HTML(
                markup: "<span\(side) style=\"left:\(Format.coordinate(place))%\">\(HTML.escaped(tick.text))</span>")
        }
        let rest = HTML(markup: String(repeating: "<td></td>", count: max(0, heads.count - 2)))
        return """
            <table class="glyphs"><thead><tr>\(head)</tr></thead><tbody>\(rows.map(line))</tbody>\
            <tfoot aria-hidden="true"><tr><td></td><td class="g"><div class="ticks">\(foot)</div></td>\(rest)</tr></tfoot></table>
            """
    }

    private func line(_ row: Row) -> HTML {
        if row.isHeading {
            return "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"\(heads.count)\">\(row.name)</th></tr>"
        }
        let cells = row.cells.map { HTML("<td>\($0)</td>") }
        let strong: HTML = row.isStrong ? " class=\"strong\"" : ""
        return "<tr\(strong)><th scope=\"row\">\(row.name)</th><td class=\"g\">\(drawn(row.glyph))</td>\(cells)</tr>"
    }

    private func drawn(_ glyph: Glyph) -> HTML {
        var marks = ""
        for value in rules { marks += "<path class=\"rule\" d=\"M\(across(value)) 0V20\"/>" }
        switch glyph {
        case .none: break
        case .bar(let value, let colour):
            let from = scale.isLogarithmic ? scale.low : max(scale.low, min(0, scale.high))
            marks += stretch(min(from, value), max(from, value), colour)
        case .interval(let low, let mean, let high, let colour):
            marks += "<path class=\"whisker s\(colour)\" d=\"M\(across(low)) 10H\(across(high))\"/>"
            marks += "<path class=\"dot s\(colour)\" d=\"M\(across(mean)) 10h0\"/>"
        case .spans(let spans):
            for span in spans { marks += stretch(span.from, span.to, span.colour) }
        case .points(let values, let colour):
            for value in values { marks += "<path class=\"dot s\(colour)\" d=\"M\(across(value)) 10h0\"/>" }
        case .profile(let curve, let colour):
            guard let first = curve.first, let last = curve.last else { break }
            let line = curve.map { "L\(across($0.x)) \(Format.coordinate(19 - 18 * $0.height))" }.joined()
            marks += "<path class=\"area f\(colour)\" d=\"M\(across(first.x)) 19\(line)L\(across(last.x)) 19Z\"/>"
        }
        return HTML(
            markup: "<svg viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\(marks)</svg>")
    }

    private func stretch(_ from: Double, _ to: Double, _ colour: Int) -> String {
        "<path class=\"area f\(colour)\" d=\"M\(across(from)) 5H\(across(to))v10H\(across(from))Z\"/>"
    }

    private func across(_ value: Double) -> String { Format.coordinate(scale.position(value) * 1000) }
}
