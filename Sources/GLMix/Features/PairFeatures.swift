import LinearAlgebra
import Platform

/// Crosses and matches of one learner with one course, from the rows of the learner and course bags.
struct PairFeatures {
    let space: FeatureSpace
    /// All learners (or those of a shard) × learner features; all courses × course features.
    let learners: SparseRows
    let courses: SparseRows
    /// One per match: the learner's values as course codes with their 1/√n, and the course's codes, ascending.
    let matches: [(left: SparseRows, right: SparseRows)]
    /// Where each cross's two columns lie in the learner and course bags.
    private let crosses: [(base: Int, learner: Range<Int>, course: Range<Int>)]

    /// - Parameters learners, courses: the bags' rows. learnerTable, courseTable: what they were made from.
    init(
        _ space: FeatureSpace, learners: SparseRows, courses: SparseRows, learnerTables: [AttributeTable],
        courseTable: AttributeTable
    ) {
        (self.space, self.learners, self.courses) = (space, learners, courses)
        crosses = space.crosses.map {
            let (u, v) = (space.learner[$0.learner], space.course[$0.course])
            return ($0.base, u.base..<u.base + u.count, v.base..<v.base + v.count)
        }
        matches = space.matches.map { match in
            (
                Self.codes(learnerTables.map { ($0.columns[match.learnerColumn], $0.rows) }) { code in
                    Int(code) < match.courseCodeOf.count ? match.courseCodeOf[Int(code)] : -1
                },
                Self.codes([(courseTable.columns[match.courseColumn], courseTable.rows)]) { Int32($0) }
            )
        }
    }

    /// Rows of distinct mapped codes, ascending, each 1/√(values of the row).
    static func codes(_ parts: [(AttributeColumn?, rows: Int)], _ map: (UInt32) -> Int32) -> SparseRows {
        var offsets = [0]
        var (columns, values): ([UInt32], [Float]) = ([], [])
        for (column, rows) in parts {
            for i in 0..<rows {
                var found: [UInt32] = []
                switch column {
                case .categorical(let codes, let valid)?: if valid[i] { found = [codes[i]] }
                case .list(let offsets, let values)?: found = Array(values[offsets[i]..<offsets[i + 1]])
                default: break
                }
                let distinct = Set(found).sorted()
                let share = 1 / Float(max(1, distinct.count)).squareRoot()
                for code in distinct.map(map).filter({ $0 >= 0 }).sorted() {
                    columns.append(UInt32(code))
                    values.append(share)
                }
                offsets.append(columns.count)
            }
        }
        return SparseRows(columnCount: 1 << 32, offsets: offsets, columns: columns, values: values)
    }

    /// Appends the pair's features, ascending.
    @inline(__always)
    func append(learner: Int, course: Int, to columns: inout [UInt32], _ values: inout [Float]) {
        for cross in crosses {
            for a in learners.range(learner) where cross.learner.contains(Int(learners.columns[a])) {
                let base = cross.base + (Int(learners.columns[a]) - cross.learner.lowerBound) * cross.course.count
                for b in courses.range(course) where cross.course.contains(Int(courses.columns[b])) {
                    columns.append(UInt32(base + Int(courses.columns[b]) - cross.course.lowerBound))
                    values.append(learners.values[a] * courses.values[b])
                }
            }
        }
        for (match, codes) in zip(space.matches, matches) {
            let (common, cosine) = Self.overlap(codes.left, learner, codes.right, course)
            if common == 0 { continue }
            columns.append(UInt32(match.base))
            values.append(common)
            columns.append(UInt32(match.base + 1))
            values.append(cosine)
        }
    }

    /// Number of common codes of two ascending rows, and Σ of their products.
    static func overlap(_ a: SparseRows, _ i: Int, _ b: SparseRows, _ j: Int) -> (common: Float, cosine: Float) {
        var (at, to) = (a.offsets[i], b.offsets[j])
        var (common, cosine): (Float, Float) = (0, 0)
        while at < a.offsets[i + 1], to < b.offsets[j + 1] {
            if a.columns[at] == b.columns[to] {
                common += 1
                cosine += a.values[at] * b.values[to]
                at += 1
                to += 1
            } else if a.columns[at] < b.columns[to] {
                at += 1
            } else {
                to += 1
            }
        }
        return (common, cosine)
    }
}
