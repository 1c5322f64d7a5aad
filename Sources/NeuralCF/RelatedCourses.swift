import DenseAlgebra
import LinearAlgebra

/// The courses closest to each course in the space of course embeddings.
package struct RelatedCourses: Sendable, Equatable {
    /// Row c: the best courses for c, by cosine descending, then by number; c itself left out. Columns are in that
    /// order, not ascending.
    package let rows: SparseRows

    /// Exact. O(C²·d), in blocks of 512 courses; memory 512 × C per thread.
    /// - Parameters:
    ///   - vectors: C × d; zero vectors are related to nothing.
    ///   - eligible: which courses may be named (published, not retired); nil: all.
    package init(vectors: Matrix, best: Int = 50, eligible: [Bool]? = nil, workers: Workers) {
        let (count, width) = (vectors.rows, vectors.columns)
        let unit = RelatedCourses.normalised(vectors)
        let blocks = (count + TowerTrainer.courseBlock - 1) / TowerTrainer.courseBlock
        let parts = workers.map(blocks) { block -> [(indices: [Int32], scores: [Float])] in
            let rows = TowerBatch.rows(block, count, TowerTrainer.courseBlock)
            let scores = FloatBuffer(rows.count * count)
            unit.values.withUnsafeBufferPointer { v in
                BLAS.multiply(
                    m: rows.count, n: count, k: width, v.baseAddress! + rows.lowerBound * width, lda: width,
                    v.baseAddress!, ldb: width, transposeB: true, scores.start, ldc: count)
            }
            return rows.enumerated().map { k, course in
                if unit.values[course * width..<(course + 1) * width].allSatisfy({ $0 == 0 }) { return ([], []) }
                let row = scores.start + k * count
                row[course] = RowLoss.excluded
                if let eligible { for c in 0..<count where !eligible[c] { row[c] = RowLoss.excluded } }
                return topCourses(row, count, best)
            }
        }.flatMap { $0 }
        var offsets = [0]
        for part in parts { offsets.append(offsets[offsets.count - 1] + part.indices.count) }
        rows = SparseRows(
            columnCount: count, offsets: offsets, columns: parts.flatMap { $0.indices.map { UInt32($0) } },
            values: parts.flatMap(\.scores))
    }

    private static func normalised(_ vectors: Matrix) -> Matrix {
        var unit = vectors
        let width = vectors.columns
        unit.values.withUnsafeMutableBufferPointer { values in
            for row in 0..<vectors.rows {
                let start = values.baseAddress! + row * width
                let norm = Vector.dot(width, start, start).squareRoot()
                Vector.scale(width, norm > 0 ? 1 / norm : 0, start)
            }
        }
        return unit
    }

    /// How often a course's neighbours share a property with it, and how often any other course does.
    package struct Share: Sendable, Equatable {
        /// Mean over courses that have the property and neighbours.
        package var neighbours: Double
        /// The same mean with all other courses as neighbours.
        package var baseRate: Double
        package var courses: Int
    }

    /// - Parameter codes: each course's values of a column (a language, several categories); two courses share it if
    ///   they have a value in common.
    package func share(of codes: [[UInt32]]) -> Share {
        precondition(codes.count == rows.rowCount)
        var holders: [UInt32: [Int]] = [:]
        for (course, values) in codes.enumerated() {
            for value in values { holders[value, default: []].append(course) }
        }
        var share = Share(neighbours: 0, baseRate: 0, courses: 0)
        var countedFor = [Int](repeating: -1, count: codes.count)
        for (course, values) in codes.enumerated() where !values.isEmpty && !rows.range(course).isEmpty {
            let range = rows.range(course)
            let same = range.count { at in codes[Int(rows.columns[at])].contains { values.contains($0) } }
            var alike = -1  // the course itself
            for value in values {
                for other in holders[value]! where countedFor[other] != course {
                    countedFor[other] = course
                    alike += 1
                }
            }
            share.neighbours += Double(same) / Double(range.count)
            share.baseRate += Double(alike) / Double(max(codes.count - 1, 1))
            share.courses += 1
        }
        let count = Double(max(share.courses, 1))
        return Share(neighbours: share.neighbours / count, baseRate: share.baseRate / count, courses: share.courses)
    }
}

/// The k best of a row of scores, score descending then course ascending; `RowLoss.excluded` ones never.
func topCourses(_ scores: UnsafePointer<Float>, _ count: Int, _ k: Int) -> (indices: [Int32], scores: [Float]) {
    let tile = 1_024
    var selection = TopSelection(k: k)
    var survivors = [Int32](repeating: 0, count: tile)
    survivors.withUnsafeMutableBufferPointer { survivors in
        for start in stride(from: 0, to: count, by: tile) {
            let threshold = max(selection.threshold, RowLoss.excluded / 2)
            let found = Vector.select(
                min(tile, count - start), scores + start, atLeast: threshold, base: Int32(start),
                into: survivors.baseAddress!)
            for i in 0..<found { selection.offer(scores[Int(survivors[i])], survivors[i]) }
        }
    }
    return selection.drain()
}
