import DenseAlgebra
import LinearAlgebra

/// P of t-SNE: which points should be near each other, and how much.
///
///     p_{j|i} = exp(−β_i·‖x_i − x_j‖²) / Σ_k …   over the nearest neighbours of i, β_i so that the entropy is log perplexity
///     p_ij = (p_{j|i} + p_{i|j}) / 2N             Σ_ij p_ij = 1
///
/// van der Maaten 2014, JMLR 15 (Barnes–Hut t-SNE), section 4.1: 3·perplexity neighbours, exact here.
package enum Affinities {
    /// Rows of a work item.
    private static let block = 128

    /// - Parameter vectors: N × d, N > 1.
    /// - Returns: N × N, symmetric, columns ascending.
    /// - Complexity: O(N²·d) in matrix products, memory 128·N floats a thread.
    package static func symmetric(_ vectors: Matrix, perplexity: Double, workers: Workers) -> SparseRows {
        let n = vectors.rows
        precondition(n > 1 && perplexity > 0)
        let perplexity = min(perplexity, max(1, Double(n - 1) / 3))
        let neighbours = min(n - 1, Int(3 * perplexity))
        let squares = squaredNorms(vectors)
        let blocks = (n + block - 1) / block
        let parts = workers.map(blocks) { at in
            conditional(vectors, squares, at * block..<min(n, (at + 1) * block), neighbours, perplexity)
        }
        var rows = SparseRows(columnCount: n, offsets: [0], columns: [], values: [])
        for (columns, values) in parts.flatMap({ $0 }) {
            rows.columns += columns
            rows.values += values
            rows.offsets.append(rows.columns.count)
        }
        return mean(rows, rows.transposed(), scale: 1 / Float(n))
    }

    private static func squaredNorms(_ vectors: Matrix) -> [Float] {
        let d = vectors.columns
        return vectors.values.withUnsafeBufferPointer { x in
            (0..<vectors.rows).map { Vector.dot(d, x.baseAddress! + $0 * d, x.baseAddress! + $0 * d) }
        }
    }

    /// p_{j|i} of some rows, neighbours ascending.
    private static func conditional(
        _ vectors: Matrix, _ squares: [Float], _ rows: Range<Int>, _ neighbours: Int, _ perplexity: Double
    ) -> [(columns: [UInt32], values: [Float])] {
        let (n, d) = (vectors.rows, vectors.columns)
        var products = [Float](repeating: 0, count: rows.count * n)
        vectors.values.withUnsafeBufferPointer { x in
            products.withUnsafeMutableBufferPointer { out in
                BLAS.multiply(
                    m: rows.count, n: n, k: d, x.baseAddress! + rows.lowerBound * d, lda: d, x.baseAddress!, ldb: d,
                    transposeB: true, out.baseAddress!, ldc: n)
            }
        }
        var nearest = TopSelection(k: neighbours)
        return rows.enumerated().map { at, row in
            for j in 0..<n where j != row {
                // −‖x_i − x_j‖², without ‖x_i‖², which all share.
                let closeness = 2 * products[at * n + j] - squares[j]
                if closeness >= nearest.threshold { nearest.offer(closeness, Int32(j)) }
            }
            let (columns, closeness) = nearest.drain()
            let distances = closeness.map { Double(max(0, squares[row] - $0)) }
            let weights = perplexityWeights(distances, perplexity)
            let order = columns.indices.sorted { columns[$0] < columns[$1] }
            return (order.map { UInt32(columns[$0]) }, order.map { Float(weights[$0]) })
        }
    }

    /// exp(−β·d²), normalised, with β found by bisection: entropy log perplexity to 1e-5 or 64 halvings (points at equal
    /// distances have the entropy of their number, whatever β).
    package static func perplexityWeights(_ distances: [Double], _ perplexity: Double) -> [Double] {
        let target = Scalar.log(perplexity)
        let nearest = distances.min() ?? 0
        var (low, high, beta) = (0.0, Double.infinity, 1.0)
        var weights = distances
        for _ in 0..<64 {
            var (sum, moment) = (0.0, 0.0)
            for (at, distance) in distances.enumerated() {
                weights[at] = Scalar.exp(-beta * (distance - nearest))
                sum += weights[at]
                moment += weights[at] * (distance - nearest)
            }
            let entropy = Scalar.log(sum) + beta * moment / sum
            for at in weights.indices { weights[at] /= sum }
            if abs(entropy - target) < 1e-5 { break }
            if entropy > target { low = beta } else { high = beta }
            beta = high == .infinity ? beta * 2 : (low + high) / 2
        }
        return weights
    }

    /// (A + B)·scale / 2, both with ascending columns.
    private static func mean(_ a: SparseRows, _ b: SparseRows, scale: Float) -> SparseRows {
        var sum = SparseRows(columnCount: a.columnCount, offsets: [0], columns: [], values: [])
        for row in 0..<a.rowCount {
            var (i, j) = (a.offsets[row], b.offsets[row])
            while i < a.offsets[row + 1] || j < b.offsets[row + 1] {
                let left = i < a.offsets[row + 1] ? a.columns[i] : .max
                let right = j < b.offsets[row + 1] ? b.columns[j] : .max
                let column = min(left, right)
                var value: Float = 0
                if left == column {
                    value += a.values[i]
                    i += 1
                }
                if right == column {
                    value += b.values[j]
                    j += 1
                }
                sum.columns.append(column)
                sum.values.append(value * scale / 2)
            }
            sum.offsets.append(sum.columns.count)
        }
        return sum
    }
}
