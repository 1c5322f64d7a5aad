/// The course map: points in the colours of their groups, titles on hover. Points are strokes of one path per group (ten
/// bytes each) and the titles lie above them once, whatever the number of colourings: 16,000 courses stay under 2 MB.
package struct CourseMapFigure: Sendable {
    /// One way to colour the courses.
    package struct Colouring: Sendable {
        package var name: String
        /// The largest groups, at most seven, in the order of their size.
        package var groups: [String]
        /// By course: number of the group; `groups.count` for all others, `nil` where nothing is known.
        package var groupOf: [Int?]

        /// - Parameter values: by course; nil: none.
        package init(_ name: String, values: [String?]) {
            self.name = name
            var counts: [String: Int] = [:]
            for case let value? in values { counts[value, default: 0] += 1 }
            let order = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
            groups = Array(order.prefix(7))
            let numbers = Dictionary(uniqueKeysWithValues: groups.enumerated().map { ($1, $0) })
            let others = groups.count
            groupOf = values.map { value in value.map { numbers[$0] ?? others } }
            hasOthers = order.count > others
        }

        let hasOthers: Bool
    }

    private let places: [(x: Int, y: Int)]
    private let titles: [String]

    /// - Parameters:
    ///   - x, y: of the courses, any unit.
    ///   - titles: shown on hover, cut after 60 characters.
    package init(x: [Double], y: [Double], titles: [String]) {
        precondition(x.count == y.count && x.count == titles.count)
        let (left, right) = (x.min() ?? 0, x.max() ?? 1)
        let (low, high) = (y.min() ?? 0, y.max() ?? 1)
        let side = max(right - left, high - low, 1e-9)
        func place(_ value: Double, _ from: Double, _ to: Double) -> Int {
            Int((500 + 960 * (value - (from + to) / 2) / side).rounded())
        }
        places = x.indices.map { (place(x[$0], left, right), place(y[$0], low, high)) }
        self.titles = titles.map { Format.short($0, 60) }
    }

    /// The map once per colouring, side by side where there is room.
    package func html(_ colourings: [Colouring]) -> HTML {
        let maps = colourings.enumerated().map { at, colouring in
            let titles = at == 0 ? hover : HTML("<use href=\"#titles\"/>")
            let label = "Map of \(places.count) courses coloured by \(colouring.name)"
            return HTML(
                """
                <div><p class="key"><b>\(colouring.name)</b> \(key(colouring))</p>\
                <svg class="map" viewBox="0 0 1000 1000" role="img" aria-label="\(label)">\(dots(colouring))\(titles)</svg></div>
                """)
        }
        return "<div class=\"maps\">\(maps)</div>"
    }

    private func key(_ colouring: Colouring) -> [HTML] {
        colouring.groups.enumerated().map { HTML("<span class=\"k\($0 + 1)\">\($1)</span> ") }
            + (colouring.hasOthers ? ["<span class=\"k8\">others</span> "] : [])
    }

    private func dots(_ colouring: Colouring) -> [HTML] {
        var paths = [String](repeating: "", count: 8)
        for (course, group) in colouring.groupOf.enumerated() {
            let colour = group.map { $0 < colouring.groups.count ? $0 : 7 } ?? 7
            paths[colour] += "M\(places[course].x) \(places[course].y)h0"
        }
        // The rest lies under the groups.
        return ([7] + Array(0..<7)).filter { !paths[$0].isEmpty }.map {
            HTML("<path class=\"course s\($0 + 1)\" d=\"\(paths[$0])\"/>")
        }
    }

    private var hover: HTML {
        let circles = places.indices.map {
            HTML("<circle cx=\"\(places[$0].x)\" cy=\"\(places[$0].y)\"><title>\(titles[$0])</title></circle>")
        }
        return "<g id=\"titles\">\(circles)</g>"
    }
}
