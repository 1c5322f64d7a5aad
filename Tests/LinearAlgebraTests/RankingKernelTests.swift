// Proves the products and the selection of the ranking against plain loops in double precision, at sizes that do and do
// not fill a panel of 16.

import LinearAlgebra
import Testing

@Suite struct RankingKernelTests {
    private func numbers(_ n: Int, _ purpose: String) -> [Float] {
        var random = RandomKey(seed: 11, purpose: purpose).stream()
        return (0..<n).map { _ in Float(random.normal()) }
    }

    /// One column as it is, and the sum of three.
    @Test(arguments: [0, 1, 15, 16, 17, 100, 257], [[1], [0.5, -2, 1]] as [[Float]])
    func selectsSums(_ n: Int, _ weights: [Float]) {
        let columns = ["a", "b", "c"].prefix(weights.count).map { numbers(n + 1, $0) }
        let sums = (0..<n).map { i in zip(weights, columns).reduce(Float(0)) { $0 + $1.0 * $1.1[i] } }
        let isAllowed = (0..<n).map { $0 % 3 != 1 }
        var allowed = [UInt64](repeating: 0, count: n / 64 + 1)
        for i in 0..<n where isAllowed[i] { allowed[i / 64] |= 1 << (i % 64) }
        for (threshold, isLimited) in [
            (-Float.infinity, true), (-.infinity, false), (0.3, false), (0.3, true), (2, true), (.infinity, false),
        ] {
            let expected = sums.indices.filter { sums[$0] >= threshold && !(isLimited && !isAllowed[$0]) }
            var (places, scores) = ([Int32](repeating: -1, count: n + 1), [Float](repeating: 0, count: n + 1))
            let flat = columns.flatMap { $0 }
            let count = flat.withUnsafeBufferPointer { flat in
                let starts = columns.indices.map { Optional(flat.baseAddress! + $0 * (n + 1)) }
                return starts.withUnsafeBufferPointer { starts in
                    allowed.withUnsafeBufferPointer {
                        Vector.select(
                            n, sumOf: starts, weights, atLeast: threshold, allowed: isLimited ? $0.baseAddress : nil,
                            base: 1_000, into: &places, scores: &scores)
                    }
                }
            }
            #expect(places[0..<count].map { Int($0) - 1_000 } == expected)
            #expect(Array(scores[0..<count]) == expected.map { sums[$0] })
        }
    }

    /// The eight parts of each row's sum, by hand: 1 + 9 + 17, 2 + 18 (the tenth is left out), 3 + 11 + 19, 4 + 12, …
    @Test func addsMaskedSumsOfRows() {
        let (n, row) = (19, 24)
        let x = (0..<2 * row).map { Float($0 < row ? $0 + 1 : 100 * ($0 - row + 1)) }
        let mask = (0..<n).map { $0 == 9 ? Float(0) : 1 }
        var sums = [Double](repeating: 1, count: 2 * Vector.sumLanes)
        Vector.addSums(rows: 2, n, x, row: row, mask: mask, to: &sums)
        let expected: [Double] = [27, 20, 33, 16, 18, 20, 22, 24]
        #expect(sums == expected.map { 1 + $0 } + expected.map { 1 + 100 * $0 })
    }

    /// NaN is never the largest.
    @Test func findsTheLargestOfParts() {
        let (a, b) = ([3, -1, .nan, 5] + numbers(28, "a"), [0, 2, 1, -.infinity] + numbers(28, "b"))
        for (parts, n) in [(2, 16), (1, 32)] {
            var out = [Float](repeating: 0, count: n)
            a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in
                    [a.baseAddress, b.baseAddress].withUnsafeBufferPointer {
                        Vector.largest(n, of: parts, sumOf: $0, [2, -1], into: &out)
                    }
                }
            }
            for i in 0..<n {
                let sums = stride(from: i, to: 32, by: n).map { 2 * a[$0] - b[$0] }
                #expect(out[i] == sums.filter { !$0.isNaN }.max() ?? -.infinity)
            }
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
        let packed = PackedRows(left[...], rows: rows, depth: depth, scale: 1)
        for first in stride(from: 0, to: columns, by: 16) {
            let wanted = first..<columns
            let row = 64
            var out = [Float](repeating: 3, count: rows * row)
            out.withUnsafeMutableBufferPointer {
                factor.multiply(packed, columns: wanted, addTo: $0.baseAddress!, row: row)
            }
            // The same bits where the sums begin elsewhere.
            var elsewhere = [Float](repeating: .nan, count: rows * row)
            [Float](repeating: 3, count: wanted.count).withUnsafeBufferPointer { start in
                let starts = (0..<rows).map { _ in start.baseAddress }
                elsewhere.withUnsafeMutableBufferPointer {
                    factor.multiply(packed, columns: wanted, startingAt: starts, into: $0.baseAddress!, row: row)
                }
            }
            for i in 0..<rows {
                for c in wanted { #expect(elsewhere[i * row + c - first] == out[i * row + c - first]) }
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

    @Test(arguments: [1, 16, 37, 100], [0, 1, 5]) func addsAFewRowsOfAPackedFactor(_ columns: Int, _ count: Int) {
        let depth = 9
        let right = numbers(columns * depth, "right")
        let factor = PackedFactor(transposed: Matrix(rows: columns, columns: depth, values: right))
        let (rows, weights) = ([4, 0, 8, 3, 7].prefix(count).map { UInt32($0) }, numbers(5, "weights"))
        for first in stride(from: 0, to: columns, by: 16) {
            var out = [Float](repeating: 3, count: 112)
            out.withUnsafeMutableBufferPointer { out in
                rows.withUnsafeBufferPointer {
                    factor.multiply($0, weights, columns: first..<columns, addTo: out.baseAddress!)
                }
            }
            for c in first..<columns {
                let expected = rows.indices.reduce(3.0) {
                    $0 + Double(weights[$1]) * Double(right[c * depth + Int(rows[$1])])
                }
                #expect(abs(Double(out[c - first]) - expected) < 2e-5)
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
