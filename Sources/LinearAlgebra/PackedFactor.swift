import CKernels

/// The right factor of products that are made again and again with other left rows, laid out once as the product kernel
/// reads it: panels of 16 columns, each depth × 16. Columns past the last hold zeros.
package final class PackedFactor: @unchecked Sendable {
    package let columns: Int
    package let depth: Int
    private let panels: UnsafeMutablePointer<Float>

    /// - Parameter fill: calls what it is given with k, column and B[k][column], wherever that is not 0.
    package init(depth: Int, columns: Int, _ fill: ((Int, Int, Float) -> Void) -> Void) {
        (self.columns, self.depth) = (columns, depth)
        panels = .allocate(capacity: max(Panels.padded(columns) * depth, 1))
        panels.initialize(repeating: 0, count: max(Panels.padded(columns) * depth, 1))
        fill { panels[at($1) + $0 * Panels.width] = $2 }
    }

    /// The transpose of a matrix: its rows become columns.
    package convenience init(transposed matrix: Matrix) {
        self.init(depth: matrix.columns, columns: matrix.rows) { set in
            for c in 0..<matrix.rows {
                for k in 0..<matrix.columns { set(k, c, matrix.values[c * matrix.columns + k]) }
            }
        }
    }

    deinit { panels.deallocate() }

    private func at(_ column: Int) -> Int { column / Panels.width * depth * Panels.width + column % Panels.width }

    /// out[i][c − first] += Σ_k a[i][k]·B[k][c] for the columns c of a range. One chain of fused multiply-adds per
    /// element, in the order of k: the bits do not depend on which rows and columns are asked for together.
    /// - Parameters:
    ///   - wanted: begins at a multiple of 16; out is written up to the next multiple of 16 after its end.
    ///   - row: how far the rows of `out` lie apart.
    package func multiply(
        _ a: PackedRows, columns wanted: Range<Int>, addTo out: UnsafeMutablePointer<Float>, row: Int
    ) {
        precondition(wanted.lowerBound % Panels.width == 0 && wanted.upperBound <= columns && a.depth == depth)
        a.values.withUnsafeBufferPointer {
            lk_product_packed(
                a.rows, Panels.padded(wanted.count) / Panels.width, depth, $0.baseAddress!,
                panels + at(wanted.lowerBound),
                out, row)
        }
    }

    /// The same sums, which begin elsewhere: out[i][c − first] = starts[i][c − first] + Σ_k a[i][k]·B[k][c].
    package func multiply(
        _ a: PackedRows, columns wanted: Range<Int>, startingAt starts: UnsafePointer<UnsafePointer<Float>?>,
        into out: UnsafeMutablePointer<Float>, row: Int
    ) {
        precondition(wanted.lowerBound % Panels.width == 0 && wanted.upperBound <= columns && a.depth == depth)
        let whole = wanted.count / Panels.width * Panels.width
        a.values.withUnsafeBufferPointer {
            lk_product_packed_from(
                a.rows, whole / Panels.width, depth, $0.baseAddress!, panels + at(wanted.lowerBound), starts, out, row)
        }
        if whole == wanted.count { return }
        // Where the rows end within a panel, there is nothing to begin with behind them.
        for i in 0..<a.rows { (out + i * row + whole).update(from: starts[i]! + whole, count: wanted.count - whole) }
        multiply(a, columns: wanted.lowerBound + whole..<wanted.upperBound, addTo: out + whole, row: row)
    }

    /// The same for one row that is zero but for a few k: out[c − first] += Σ weights[i]·B[k[i]][c], in the order of i.
    package func multiply(
        _ k: UnsafeBufferPointer<UInt32>, _ weights: UnsafePointer<Float>, columns wanted: Range<Int>,
        addTo out: UnsafeMutablePointer<Float>
    ) {
        precondition(wanted.lowerBound % Panels.width == 0 && wanted.upperBound <= columns)
        lk_weighted_panels(
            Panels.padded(wanted.count) / Panels.width, k.count, k.baseAddress, weights, panels + at(wanted.lowerBound),
            Panels.width * depth, out)
    }
}

/// Left rows of products with a `PackedFactor`, laid out as the product kernel reads them: groups of six rows, each depth ×
/// 6.
package struct PackedRows: Sendable {
    package let rows: Int
    package let depth: Int
    fileprivate let values: [Float]

    private static let group = Int(LK_PACKED_ROWS)

    /// - Parameters:
    ///   - matrix: rows × depth, row-major.
    ///   - scale: multiplies every value.
    package init(_ matrix: ArraySlice<Float>, rows: Int, depth: Int, scale: Float) {
        precondition(matrix.count == rows * depth)
        (self.rows, self.depth) = (rows, depth)
        let groups = (rows + Self.group - 1) / Self.group
        var values = [Float](repeating: 0, count: max(groups * Self.group * depth, 1))
        for i in 0..<rows {
            let to = i / Self.group * Self.group * depth + i % Self.group
            for k in 0..<depth { values[to + k * Self.group] = scale * matrix[matrix.startIndex + i * depth + k] }
        }
        self.values = values
    }
}
