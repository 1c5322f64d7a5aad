// Proves the products and the selection of the ranking against plain loops in double precision, at sizes that do and do
// not fill a panel of 16.

import LinearAlgebra
import Testing

@Suite struct RankingKernelTests {
    private func numbers(_ n: Int, _ purpose: String) -> [Float] {
        var random = RandomKey(seed: 11, purpose: purpose).stream()
        return (0..<n).map { _ in Float(random.normal()) }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 100, 257]) func selectsSums(_ n: Int) {
        let columns = ["a", "b", "c"].map { numbers(n + 1, $0) }
        let weights: [Float] = [0.5, -2, 1]
        let sums = (0..<n).map { i in
            weights[0] * columns[0][i] + weights[1] * columns[1][i] + weights[2] * columns[2][i]
        }
        for threshold in [-Float.infinity, 0.3, 2, .infinity] {
            let expected = sums.indices.filter { sums[$0] >= threshold }
            var (places, scores) = ([Int32](repeating: -1, count: n + 1), [Float](repeating: 0, count: n + 1))
            let count = columns[0].withUnsafeBufferPointer { a in
                columns[1].withUnsafeBufferPointer { b in
                    columns[2].withUnsafeBufferPointer { c in
                        [a.baseAddress, b.baseAddress, c.baseAddress].withUnsafeBufferPointer {
                            Vector.select(
                                n, sumOf: $0, weights, atLeast: threshold, base: 1_000, into: &places, scores: &scores)
                        }
                    }
                }
            }
            #expect(places[0..<count].map { Int($0) - 1_000 } == expected)
            #expect(Array(scores[0..<count]) == expected.map { sums[$0] })
        }
    }

    /// NaN reaches no threshold, −∞ only its own.
    @Test func selectsNoNaN() {
        let column = (0..<40).map { $0 % 3 == 0 ? Float.nan : $0 % 3 == 1 ? -.infinity : 1 }
        var (places, scores) = ([Int32](repeating: 0, count: 40), [Float](repeating: 0, count: 40))
        let count = column.withUnsafeBufferPointer { column in
            [column.baseAddress].withUnsafeBufferPointer {
                Vector.select(
                    40, sumOf: $0, [1], atLeast: -.greatestFiniteMagnitude, base: 0, into: &places, scores: &scores)
            }
        }
        #expect(places[0..<count].map { Int($0) } == (0..<40).filter { $0 % 3 == 2 })
    }

    @Test(arguments: [1, 16, 37], [1, 5, 48]) func multipliesByAPackedFactor(_ columns: Int, _ rows: Int) {
        let depth = 7
        let (left, right) = (numbers(rows * depth, "left"), numbers(columns * depth, "right"))
        let factor = PackedFactor(transposed: Matrix(rows: columns, columns: depth, values: right))
        for first in stride(from: 0, to: columns, by: 16) {
            let wanted = first..<columns
            let row = 64
            var out = [Float](repeating: 3, count: rows * row)
            out.withUnsafeMutableBufferPointer {
                factor.multiply(rows: rows, left, columns: wanted, addTo: $0.baseAddress!, row: row)
            }
            for i in 0..<rows {
                for c in wanted {
                    let expected = (0..<depth).reduce(3.0) {
                        $0 + Double(left[i * depth + $1]) * Double(right[c * depth + $1])
                    }
                    // Eight roundings of sums below 30.
                    #expect(abs(Double(out[i * row + c - first]) - expected) < 2e-5)
                }
            }
        }
    }

    @Test(arguments: [1, 16, 35], [16, 32, 48, 64]) func multipliesSparseRows(_ count: Int, _ lanes: Int) {
        let features = 9
        var random = RandomKey(seed: 5, purpose: "sparse").stream()
        var rows = SparseRows(columnCount: features, offsets: [0], columns: [], values: [])
        for _ in 0..<count {
            for feature in 0..<features where random.uniform() < 0.4 {
                rows.columns.append(UInt32(feature))
                rows.values.append(Float(random.normal()))
            }
            rows.offsets.append(rows.columns.count)
        }
        let (x, start, own) = (numbers(features * lanes, "x"), numbers(count, "start"), numbers(lanes, "own"))
        for range in [0..<count, count / 2..<count] {
            let row = (range.count + 15) / 16 * 16
            var out = [Float](repeating: .nan, count: lanes * row)
            out.withUnsafeMutableBufferPointer {
                rows.multiply(range, start: start, own: own, x, lanes: lanes, into: $0.baseAddress!, row: row)
            }
            for lane in 0..<lanes {
                for r in range {
                    let expected = rows.range(r).reduce(Double(start[r] + own[lane])) {
                        $0 + Double(rows.values[$1]) * Double(x[Int(rows.columns[$1]) * lanes + lane])
                    }
                    #expect(abs(Double(out[lane * row + r - range.lowerBound]) - expected) < 2e-5)
                }
            }
        }
    }
}
