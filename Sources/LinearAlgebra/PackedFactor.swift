/// The right factor of products that are made again and again with other left rows, laid out once as the product kernel
/// reads it: panels of 16 columns, each depth × 16. Columns past the last hold zeros.
package final class PackedFactor: @unchecked Sendable {
    package let columns: Int
    package let depth: Int
    private let panels: UnsafeMutablePointer<Float>

    private init(columns: Int, depth: Int) {
        (self.columns, self.depth) = (columns, depth)
        panels = .allocate(capacity: max(Panels.padded(columns) * depth, 1))
        panels.initialize(repeating: 0, count: max(Panels.padded(columns) * depth, 1))
    }

    /// The transpose of a matrix: its rows become columns.
    package convenience init(transposed matrix: Matrix) {
        self.init(columns: matrix.rows, depth: matrix.columns)
        for c in 0..<columns {
            let column = panels + at(c)
            for k in 0..<depth { column[k * Panels.width] = matrix.values[c * depth + k] }
        }
    }

    /// Row-major matrices of `columns` columns below each other.
    package convenience init(columns: Int, _ parts: [[Float]]) {
        self.init(columns: columns, depth: columns == 0 ? 0 : parts.reduce(0) { $0 + $1.count / columns })
        var k = 0
        for part in parts {
            for row in 0..<(columns == 0 ? 0 : part.count / columns) {
                for c in 0..<columns { panels[at(c) + k * Panels.width] = part[row * columns + c] }
                k += 1
            }
        }
    }

    deinit { panels.deallocate() }

    private func at(_ column: Int) -> Int { column / Panels.width * depth * Panels.width + column % Panels.width }

    /// out[i][c − first] += Σ_k a[i][k]·B[k][c] for the columns c of a range. One chain of fused multiply-adds per
    /// element, in the order of k: the bits do not depend on which rows and columns are asked for together.
    /// - Parameters:
    ///   - wanted: begins at a multiple of 16; out is written up to the next multiple of 16 after its end.
    ///   - a: rows × depth.
    ///   - row: how far the rows of `out` lie apart.
    package func multiply(
        rows: Int, _ a: UnsafePointer<Float>, columns wanted: Range<Int>, addTo out: UnsafeMutablePointer<Float>,
        row: Int
    ) {
        precondition(wanted.lowerBound % Panels.width == 0 && wanted.upperBound <= columns)
        if depth == 0 { return }
        Panels.multiply(
            rows: rows, panels: Panels.padded(wanted.count) / Panels.width, depth: depth,
            .init(a, row: depth, depth: 1),
            .init(panels + at(wanted.lowerBound), panel: Panels.width * depth, row: Panels.width), add: true, into: out,
            panel: Panels.width, row: row)
    }
}
