import LinearAlgebra
import Platform

/// The course towers' input at one snapshot: similarity rows divided by their Euclidean norms, and their transpose, along
/// which gradients flow back.
final class SnapshotInputs: Sendable {
    let rows: SparseRows
    let transposed: SparseRows
    /// All courses, those with common neighbours near each other: products that go through rows in this order find most of
    /// the table in the cache. It is a depth-first walk, always on to the strongest neighbour not yet seen.
    let walk: [UInt32]

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
        walk = Self.walk(rows)
    }

    private static func walk(_ rows: SparseRows) -> [UInt32] {
        var order: [UInt32] = []
        order.reserveCapacity(rows.rowCount)
        var isSeen = [Bool](repeating: false, count: rows.rowCount)
        var path: [Int] = []
        func visit(_ course: Int) {
            isSeen[course] = true
            order.append(UInt32(course))
            path.append(course)
        }
        for first in 0..<rows.rowCount where !isSeen[first] {
            visit(first)
            while let course = path.last {
                let unseen = rows.range(course).lazy.filter { !isSeen[Int(rows.columns[$0])] }
                if let next = unseen.max(by: { rows.values[$0] < rows.values[$1] }) {
                    visit(Int(rows.columns[next]))
                } else {
                    path.removeLast()
                }
            }
        }
        return order
    }

    /// out[slot[c]] = (normalised row c)·table + bias for some courses c.
    func project(
        _ courses: UnsafeBufferPointer<UInt32>, slot: UnsafePointer<Int32>, table: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, width: Int, into out: UnsafeMutablePointer<Float>
    ) {
        for course in courses {
            let target = out + Int(slot[Int(course)]) * width
            if let bias { target.update(from: bias, count: width) } else { target.update(repeating: 0, count: width) }
            rows.addRow(Int(course), of: table, width: width, to: target)
        }
    }

    /// gradient[r] += Σ_c (normalised row c)[r]·upstream[slot[c]] for some table rows r; slot < 0 is left out.
    func backProject(
        _ tableRows: UnsafeBufferPointer<UInt32>, slot: UnsafePointer<Int32>, upstream: UnsafePointer<Float>,
        width: Int, into gradient: UnsafeMutablePointer<Float>
    ) {
        for r in tableRows {
            transposed.addRow(Int(r), slot: slot, of: upstream, width: width, to: gradient + Int(r) * width)
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

/// Sparse rows for inner loops: where they lie, without bounds checks or calls into another module.
struct RowPointers {
    let offsets: UnsafePointer<Int>
    let columns: UnsafePointer<UInt32>
    let values: UnsafePointer<Float>

    @inline(__always)
    func range(_ row: Int) -> Range<Int> { Range(uncheckedBounds: (offsets[row], offsets[row + 1])) }
}

extension SparseRows {
    /// - Parameter body: must not keep the pointers, nor read a row beyond `rowCount`.
    @inline(__always)
    func withPointers<Result>(_ body: (RowPointers) throws -> Result) rethrows -> Result {
        try offsets.withUnsafeBufferPointer { offsets in
            try columns.withUnsafeBufferPointer { columns in
                try values.withUnsafeBufferPointer { values in
                    try body(
                        RowPointers(
                            offsets: offsets.baseAddress!, columns: columns.baseAddress!, values: values.baseAddress!))
                }
            }
        }
    }
}
