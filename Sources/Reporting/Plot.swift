/// A small x-y chart as SVG, with the same numbers as a table. Small enough (340 × 220) that its text stays readable on a
/// phone, where it fills the width.
package struct Plot: Sendable {
    package struct Axis: Sendable {
        package var title: String
        package var scale: Scale
        /// Round numbers of the scale, unless stated.
        package var ticks: [Double]
        package var text: @Sendable (Double) -> String

        package init(
            _ title: String, _ scale: Scale, ticks: [Double]? = nil, text: (@Sendable (Double) -> String)? = nil
        ) {
            (self.title, self.scale) = (title, scale)
            self.ticks = ticks ?? scale.ticks()
            let digits = scale.digits()
            self.text = text ?? { Format.decimal($0, digits) }
        }
    }

    package enum Shape: Sendable {
        case line
        case dots
        /// Each point's value holds from its x to the next one's; filled down to the axis.
        case steps
    }

    package struct Series: Sendable {
        package var name: String
        /// 1 … 8 of the palette.
        package var colour: Int
        package var shape: Shape
        package var points: [(x: Double, y: Double)]

        package init(_ name: String, colour: Int, _ shape: Shape, _ points: [(x: Double, y: Double)]) {
            (self.name, self.colour, self.shape, self.points) = (name, colour, shape, points)
        }
    }

    package var label: String
    package var x: Axis
    package var y: Axis
    package var series: [Series]
    /// Vertical lines with a name.
    package var rules: [(x: Double, name: String)] = []
    /// A line where y = x.
    package var hasDiagonal = false

    package init(_ label: String, x: Axis, y: Axis, _ series: [Series]) {
        (self.label, self.x, self.y, self.series) = (label, x, y, series)
    }

    // The plane lies at left … width − right, top … height − bottom.
    private static let (width, height, left, right, top, bottom) = (340.0, 220.0, 46.0, 10.0, 14.0, 38.0)

    private func at(_ x: Double, _ y: Double) -> String {
        "\(Format.coordinate(across(x))) \(Format.coordinate(up(y)))"
    }
    private func across(_ value: Double) -> Double {
        Self.left + x.scale.position(value) * (Self.width - Self.left - Self.right)
    }
    private func up(_ value: Double) -> Double {
        Self.height - Self.bottom - y.scale.position(value) * (Self.height - Self.top - Self.bottom)
    }

    /// The names of several series, in their colours.
    package var key: HTML {
        let named = series.filter { !$0.name.isEmpty }
        if named.count < 2 { return "" }
        let items = named.map { HTML("<span class=\"k\($0.colour)\">\($0.name)</span> ") }
        return "<p class=\"key\">\(items)</p>"
    }

    package var svg: HTML {
        var out: HTML = "<svg class=\"plot\" viewBox=\"0 0 340 220\" role=\"img\" aria-label=\"\(label)\">"
        out += axes
        if hasDiagonal {
            let (from, to) = (max(x.scale.low, y.scale.low), min(x.scale.high, y.scale.high))
            out += "<path class=\"rule\" d=\"M\(at(from, from))L\(at(to, to))\"/>"
        }
        for line in series { out += drawn(line) }
        for (value, name) in rules {
            let place = across(value)
            let anchor = place > Self.width * 0.65 ? "end" : "start"
            let shift = anchor == "end" ? -3.0 : 3.0
            out += "<path class=\"rule\" d=\"M\(Format.coordinate(place)) 14V182\"/>"
            out +=
                "<text class=\"note\" x=\"\(Format.coordinate(place + shift))\" y=\"11\" text-anchor=\"\(anchor)\">\(name)</text>"
        }
        return out + "</svg>"
    }

    private var axes: HTML {
        var out: HTML = ""
        for tick in y.ticks {
            let place = Format.coordinate(up(tick))
            out += "<path class=\"grid\" d=\"M46 \(place)H330\"/>"
            out += "<text x=\"42\" y=\"\(Format.coordinate(up(tick) + 4))\" text-anchor=\"end\">\(y.text(tick))</text>"
        }
        for tick in x.ticks {
            let place = Format.coordinate(across(tick))
            out += "<path class=\"axis\" d=\"M\(place) 182v4\"/>"
            out += "<text x=\"\(place)\" y=\"198\" text-anchor=\"middle\">\(x.text(tick))</text>"
        }
        out += "<path class=\"axis\" d=\"M46 182H330\"/>"
        out += "<text class=\"title\" x=\"330\" y=\"214\" text-anchor=\"end\">\(x.title)</text>"
        return out
    }

    private func drawn(_ line: Series) -> HTML {
        let points = line.points.filter { $0.x.isFinite && $0.y.isFinite }
        guard let first = points.first, let last = points.last else { return "" }
        switch line.shape {
        case .line:
            let path = points.map { at($0.x, $0.y) }.joined(separator: "L")
            return "<path class=\"line s\(line.colour)\" d=\"M\(path)\"/>"
                + (points.count == 1 ? dots(line, points) : "")
        case .dots: return dots(line, points)
        case .steps:
            let floor = Format.coordinate(up(y.scale.low))
            var path = "M\(Format.coordinate(across(first.x))) \(floor)"
            for (point, next) in zip(points, points.dropFirst() + [last]) {
                path += "V\(Format.coordinate(up(point.y)))H\(Format.coordinate(across(next.x)))"
            }
            return "<path class=\"area f\(line.colour)\" d=\"\(path)V\(floor)Z\"/>"
        }
    }

    private func dots(_ line: Series, _ points: [(x: Double, y: Double)]) -> HTML {
        let path = points.map { "M\(at($0.x, $0.y))h0" }.joined()
        return "<path class=\"dots s\(line.colour)\" d=\"\(path)\"/>"
    }

    /// Every number of the chart: one line an x, one column a series.
    package var table: HTML {
        var (places, values) = ([Double](), [[Double: Double]]())
        for line in series {
            values.append(Dictionary(line.points.map { ($0.x, $0.y) }, uniquingKeysWith: { $1 }))
            places += line.points.map(\.x)
        }
        let shown = Set(places).sorted()
        let names = series.map { HTML("<th scope=\"col\">\($0.name.isEmpty ? y.title : $0.name)</th>") }
        let lines = shown.map { place in
            let cells = values.map { HTML("<td>\($0[place].map { Format.decimal($0, 4) } ?? "")</td>") }
            return HTML("<tr><th scope=\"row\">\(x.text(place))</th>\(cells)</tr>")
        }
        return """
            <table><thead><tr><th scope="col">\(x.title)</th>\(names)</tr></thead><tbody>\(lines)</tbody></table>
            """
    }
}
