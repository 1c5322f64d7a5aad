import LinearAlgebra
import Platform

/// The course towers' input at one snapshot: similarity rows divided by their Euclidean norms, and their transpose, along
/// which gradients flow back.
final class SnapshotInputs: Sendable {
    let rows: SparseRows
    let transposed: SparseRows

    /// - Parameter similarity: C × C with the diagonal; nil before the first snapshot: the diagonal alone.
    init(_ similarity: SparseRows?, courseCount: Int) {
        var rows =
            similarity
            ?? SparseRows(
                columnCount: courseCount, offsets: Array(0...courseCount),
                columns: (0..<courseCount).map { UInt32($0) },
                values: [Float](repeating: 1, count: courseCount))
        for row in 0..<courseCount {
            let squares = rows.range(row).reduce(0.0) { $0 + Double(rows.values[$1]) * Double(rows.values[$1]) }
            let inverse = squares > 0 ? Float(1 / squares.squareRoot()) : 0
            for at in rows.range(row) { rows.values[at] *= inverse }
        }
        self.rows = rows
        transposed = rows.transposed()
    }

    /// out[k] = (normalised row courses[k])·table + bias; `out` has room for courses.count × width.
    func project(
        _ courses: UnsafeBufferPointer<UInt32>, table: UnsafePointer<Float>, bias: UnsafePointer<Float>?, width: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        for (k, course) in courses.enumerated() {
            let target = out + k * width
            if let bias { target.update(from: bias, count: width) } else { target.update(repeating: 0, count: width) }
            rows.addRow(Int(course), of: table, width: width, to: target)
        }
    }

    /// gradient[r] += Σ_c (normalised row c)[r]·upstream[slot[c]] for table rows r of a block; slot < 0 is left out.
    func backProject(
        _ tableRows: Range<Int>, slot: UnsafePointer<Int32>, upstream: UnsafePointer<Float>, width: Int,
        into gradient: UnsafeMutablePointer<Float>
    ) {
        for r in tableRows {
            transposed.addRow(r, slot: slot, of: upstream, width: width, to: gradient + r * width)
        }
    }
}

extension SparseRows {
    /// out += Σ over the row's entries of value·table[column], or of table[slot[column]] where that is not negative.
    @inline(__always)
    func addRow(
        _ row: Int, slot: UnsafePointer<Int32>? = nil, of table: UnsafePointer<Float>, width: Int,
        to out: UnsafeMutablePointer<Float>
    ) {
        let range = self.range(row)
        if range.isEmpty { return }
        columns.withUnsafeBufferPointer { columns in
            values.withUnsafeBufferPointer { values in
                Vector.addRows(
                    range.count, columns.baseAddress! + range.lowerBound, slot: slot,
                    values.baseAddress! + range.lowerBound, of: table, width: width, to: out)
            }
        }
    }
}
