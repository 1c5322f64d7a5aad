import LinearAlgebra
import Platform

/// The course towers' input at one snapshot: similarity rows, each to be divided by its Euclidean norm, and their
/// transpose, along which gradients flow back.
final class SnapshotInputs: Sendable {
    let rows: SparseRows
    let transposed: SparseRows
    /// 1/‖row‖, 0 for an empty row.
    let inverseNorm: [Float]

    /// - Parameter similarity: C × C with the diagonal; nil before the first snapshot: the diagonal alone.
    init(_ similarity: SparseRows?, courseCount: Int) {
        rows =
            similarity
            ?? SparseRows(
                columnCount: courseCount, offsets: Array(0...courseCount),
                columns: (0..<courseCount).map { UInt32($0) },
                values: [Float](repeating: 1, count: courseCount))
        transposed = rows.transposed()
        inverseNorm = (0..<courseCount).map { [rows] row in
            let squares = rows.range(row).reduce(0.0) { $0 + Double(rows.values[$1]) * Double(rows.values[$1]) }
            return squares > 0 ? Float(1 / squares.squareRoot()) : 0
        }
    }

    /// out[k] = (normalised row courses[k])·table + bias; `out` has room for courses.count × width.
    func project(
        _ courses: UnsafeBufferPointer<UInt32>, table: UnsafePointer<Float>, bias: UnsafePointer<Float>?, width: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        rows.columns.withUnsafeBufferPointer { columns in
            rows.values.withUnsafeBufferPointer { values in
                for (k, course) in courses.enumerated() {
                    let target = out + k * width
                    if let bias {
                        target.update(from: bias, count: width)
                    } else {
                        target.update(repeating: 0, count: width)
                    }
                    let norm = inverseNorm[Int(course)]
                    for at in rows.range(Int(course)) {
                        Vector.addScaled(width, norm * values[at], table + Int(columns[at]) * width, to: target)
                    }
                }
            }
        }
    }

    /// gradient[r] += Σ_c (normalised row c)[r]·upstream[slot[c]] for table rows r of a block; slot < 0 is left out.
    func backProject(
        _ tableRows: Range<Int>, slot: UnsafePointer<Int32>, upstream: UnsafePointer<Float>, width: Int,
        into gradient: UnsafeMutablePointer<Float>
    ) {
        transposed.columns.withUnsafeBufferPointer { courses in
            transposed.values.withUnsafeBufferPointer { values in
                inverseNorm.withUnsafeBufferPointer { norms in
                    for r in tableRows {
                        for at in transposed.range(r) {
                            let course = Int(courses[at])
                            let from = Int(slot[course])
                            if from < 0 { continue }
                            Vector.addScaled(
                                width, values[at] * norms[course], upstream + from * width, to: gradient + r * width)
                        }
                    }
                }
            }
        }
    }
}
