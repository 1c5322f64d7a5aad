import LinearAlgebra

/// The embeddings of a step's candidates in the two orders in which the products over tiles read them, padded with
/// zeros to panels of 16. V has `count` rows of `embedding` values.
final class PackedCourses: @unchecked Sendable {
    let embedding: Int
    /// The embedding, padded.
    let depth: Int
    private(set) var count = 0
    /// Vᵀ: panels of 16 courses, each depth × 16.
    private(set) var byCourse = FloatBuffer(0)
    /// V: panels of 16 dimensions, each paddedCount × 16.
    private(set) var byDimension = FloatBuffer(0)

    init(embedding: Int) { (self.embedding, depth) = (embedding, Panels.padded(embedding)) }

    var paddedCount: Int { Panels.padded(count) }

    /// Makes room for `count` courses; `pack` must follow for all of them.
    func resize(_ count: Int) {
        reserve(&byCourse, Panels.padded(count) * depth)
        reserve(&byDimension, Panels.padded(count) * depth)
        self.count = count
    }

    /// - Parameter rows: begin at a multiple of 16 and end at one or at `count`.
    func pack(_ rows: Range<Int>, from vectors: UnsafePointer<Float>) {
        precondition(
            rows.lowerBound % Panels.width == 0 && (rows.upperBound % Panels.width == 0 || rows.upperBound == count))
        let (width, padded, byDimension) = (Panels.width, paddedCount, byDimension.start)
        for row in rows.lowerBound..<Panels.padded(rows.upperBound) {
            let panel = byCourse.start + row / width * depth * width + row % width
            for d in 0..<depth {
                let value = row < count && d < embedding ? vectors[row * embedding + d] : 0
                panel[d * width] = value
                byDimension[(d / width * padded + row) * width + d % width] = value
            }
        }
    }

    /// Writes what a panel-ordered gradient (as `byCourse`) holds for `rows` to `out` (count × embedding).
    func unpack(_ rows: Range<Int>, _ gradient: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>) {
        let width = Panels.width
        for row in rows {
            let panel = gradient + row / width * depth * width + row % width
            for d in 0..<embedding { out[row * embedding + d] = panel[d * width] }
        }
    }
}
