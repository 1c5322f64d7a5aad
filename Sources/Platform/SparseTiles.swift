/// What is added to a few scores of each learner of a block, in the order in which tiles of courses ask for it.
package struct SparseTiles {
    /// Courses of a tile: a row of it, of several models, stays in the first-level cache.
    package static let width = 128
    private static let shift = 7

    private let tiles: Int
    /// By row and tile, ends.
    private var starts: [Int] = [0]
    private var courses: [UInt32] = []
    private var values: [Float] = []
    private var next: [Int]

    package init(courseCount: Int) {
        tiles = (courseCount + Self.width - 1) / Self.width
        next = [Int](repeating: 0, count: tiles)
    }

    /// Adds the next learner's row.
    /// - Parameters:
    ///   - touched: its courses, each once, in any order.
    ///   - factor: multiplies every value.
    ///   - dense: values by course.
    package mutating func append(
        _ touched: UnsafeBufferPointer<UInt32>, _ dense: UnsafePointer<Float>, factor: Float = 1
    ) {
        let base = courses.count
        for tile in next.indices { next[tile] = 0 }
        for course in touched { next[Int(course) >> Self.shift] += 1 }
        var end = base
        for tile in next.indices {
            let count = next[tile]
            next[tile] = end
            end += count
            starts.append(end)
        }
        courses.append(contentsOf: repeatElement(0, count: touched.count))
        values.append(contentsOf: repeatElement(0, count: touched.count))
        courses.withUnsafeMutableBufferPointer { courses in
            values.withUnsafeMutableBufferPointer { values in
                for course in touched {
                    let tile = Int(course) >> Self.shift
                    courses[next[tile]] = course
                    values[next[tile]] = factor * dense[Int(course)]
                    next[tile] += 1
                }
            }
        }
    }

    /// out[c − first] += the row's value of c, for the courses of a range within one tile.
    package func add(row: Int, _ wanted: Range<Int>, to out: UnsafeMutablePointer<Float>) {
        if wanted.isEmpty { return }
        let slot = row * tiles + (wanted.lowerBound >> Self.shift)
        courses.withUnsafeBufferPointer { courses in
            values.withUnsafeBufferPointer { values in
                for at in starts[slot]..<starts[slot + 1] {
                    let place = Int(courses[at]) - wanted.lowerBound
                    if place >= 0 && place < wanted.count { out[place] += values[at] }
                }
            }
        }
    }
}
