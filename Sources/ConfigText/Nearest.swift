/// The nearest of several names, for messages.
package enum Nearest {
    /// `; did you mean "delimiter"?`, or the list of all.
    /// - Parameter all: how the list begins.
    package static func hint(_ name: String, _ known: [String], all: String = "allowed are") -> String {
        let nearest = known.min { (distance($0, name), $0) < (distance($1, name), $1) }
        guard let nearest, distance(nearest, name) <= max(1, name.count / 3) else {
            return "; \(all) " + known.joined(separator: ", ")
        }
        return "; did you mean \"\(nearest)\"?"
    }

    /// Levenshtein's edit distance.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
