// Proves the kernels of the solvers against plain loops and the C library's exp and log1p.
import DenseAlgebra
import Foundation
import LinearAlgebra
import Testing

@Suite struct MixedEffectKernelTests {
    @Test(arguments: [1, 7, 8, 9, 30]) func logisticRows(_ n: Int) {
        let extremes: [Double] = [0, 1e-9, -1e-9, 3.7, -3.7, 40, -40, 709, -709, 1e4, -1e4]
        let z = (0..<n).map { extremes[$0 % extremes.count] + ($0 >= extremes.count ? 0.1 : 0) }
        let positive = (0..<n).map { UInt8($0 % 3 == 0 ? 1 : 0) }
        let weights = (0..<n).map { Float(1 + $0 % 4) }
        var (first, second) = ([Double](repeating: .nan, count: n), [Double](repeating: .nan, count: n))
        let total = LogisticRows.evaluate(
            n, z, positive: positive, weights: weights, scale: 0.5, first: &first, second: &second)
        var expected = 0.0
        for i in 0..<n {
            let u = positive[i] == 1 ? z[i] : -z[i]  // margin towards the label
            let w = 0.5 * Double(weights[i])
            expected += w * (max(-u, 0) + log1p(exp(-abs(u))))
            let wrong = 1 / (1 + exp(u))
            #expect(abs(first[i] - w * (positive[i] == 1 ? -wrong : wrong)) <= 1e-14 * w * wrong + 1e-300)
            let spread = w / (1 + exp(-u)) * wrong
            #expect(abs(second[i] - spread) <= 1e-13 * spread + 1e-300)
        }
        #expect(abs(total - expected) <= 1e-14 * expected)
    }

    @Test func rowProducts() {
        // rows {0: 2, 3: −1}, {}, {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
        let (starts, columns) = ([0, 2, 2, 7], [0, 3, 0, 1, 2, 3, 4] as [UInt32])
        let values: [Float] = [2, -1, 1, 1, 1, 1, 1]
        var out: [Double] = [100, 100, 100]
        RowProduct.add(rows: 3, starts, columns, values, [1, 10, 100, 1000, 10_000], to: &out)
        #expect(out == [-898, 100, 11_211])
        var g = [Double](repeating: 1, count: 5)
        RowProduct.addTransposed(rows: 3, starts, columns, values, [3, 5, 7], to: &g)
        let sums: [Double] = [14, 8, 8, 5, 8]  // 1 + 6 + 7, …, 1 − 3 + 7, …
        #expect(g == sums)
        g = [Double](repeating: 0, count: 5)
        RowProduct.addTransposed(rows: 3, starts, columns, values, [3, 5, 7], squared: true, to: &g)
        let squares: [Double] = [19, 7, 7, 10, 7]  // 3·2² + 7, …, 3·1² + 7, …
        #expect(g == squares)
    }

    @Test(arguments: [1, 2, 9, 31, 70, 130]) func smallSystems(_ n: Int) {
        // A = G·Gᵀ + I with G of small integers; x known, b = A·x
        let width = (n + 7) / 8 * 8
        let g = (0..<n * width).map { $0 % width < n ? Double(($0 * 7919) % 11) - 5 : 0 }
        var a = [Double](repeating: 0, count: n * n)
        SmallSystem.gram(n, width: width, g, into: &a)
        for i in 0..<n {
            for j in 0..<n {
                var plain = 0.0
                for k in 0..<width { plain += g[i * width + k] * g[j * width + k] }
                #expect(a[i * n + j] == plain)  // integers: exact in any order
            }
            a[i * n + i] += 1
        }
        let x = (0..<n).map { Double($0 % 5) - 2 }
        var b = [Double](repeating: 0, count: n)
        SmallSystem.multiply(n, a, x, into: &b)
        for i in 0..<n { #expect(b[i] == (0..<n).reduce(0.0) { $0 + a[i * n + $1] * x[$1] }) }
        var column = [Double](repeating: 0, count: max(n, 2))
        #expect(SmallSystem.factor(n, &a, column: &column))
        SmallSystem.solve(n, a, &b)
        for i in 0..<n { #expect(abs(b[i] - x[i]) < 1e-6) }  // condition below 10⁷
        var indefinite: [Double] = [1, 2, 2, 1]
        var pair: [Double] = [0, 0]
        #expect(!SmallSystem.factor(2, &indefinite, column: &pair))
    }

    @Test(arguments: [1, 3, 8, 9, 40]) func packedFactors(_ n: Int) {
        // L with integers that 32 bits hold exactly, x known, b = L·Lᵀ·x: every intermediate sum is exact
        var l = [Double](repeating: 0, count: n * n)
        for i in 0..<n { for j in 0...i { l[i * n + j] = i == j ? 2 : Double((i * 5 + j * 3) % 3) - 1 } }
        let x = (0..<n).map { Double($0 % 4) - 1.5 }
        let t = (0..<n).map { k in (k..<n).reduce(0.0) { $0 + l[$1 * n + k] * x[$1] } }
        var b = (0..<n).map { i in (0...i).reduce(0.0) { $0 + l[i * n + $1] * t[$1] } }
        var packed = [Float](repeating: .nan, count: SmallSystem.packedCount(n))
        SmallSystem.pack(n, l, into: &packed)
        SmallSystem.solvePacked(n, packed, &b)
        #expect(zip(b, x).allSatisfy { abs($0 - $1) < 1e-6 * Double(1 << min(n, 20)) })
    }
}

/// Entities of 1 to 12 rows and up to 40 sparse features out of 120, in two bags: rows of the first are the examples', in
/// no order; the second has a table whose rows are shared. Weights, offsets and factors of the features differ.
private struct Entities {
    static let (intercept, second) = (120, 60)
    let counts: [Int]
    var rowOffsets = [0]
    var examples: [UInt32] = []
    var featureOffsets = [0]
    var features: [UInt32] = []
    var scale: [Double] = []
    /// By example: feature → value, the intercept aside.
    var rows: [[UInt32: Float]] = []
    let tables: [SparseRows]
    let rowOf: [UInt32]
    var (labels, weights, offsets): ([UInt8], [Float], [Double]) = ([], [], [])

    init(_ counts: [(rows: Int, features: Int)]) {
        var random = RandomKey(seed: 4, purpose: "test.entities").stream()
        self.counts = counts.map(\.rows)
        let total = counts.reduce(0) { $0 + $1.rows }
        rows = Array(repeating: [:], count: total)
        for (e, (rowCount, featureCount)) in counts.enumerated() {
            let own = (0..<featureCount - 1).map { UInt32(3 * $0 + e % 3) }
            for _ in 0..<rowCount {
                let example = total - 1 - examples.count
                examples.append(UInt32(example))
                for feature in own where random.uniform() < 0.5 { rows[example][feature] = Float(random.normal()) }
                labels.append(random.uniform() < 0.5 ? 1 : 0)
                weights.append(Float(0.5 + random.uniform()))
                offsets.append(random.normal())
            }
            rowOffsets.append(examples.count)
            features += own + [UInt32(Self.intercept)]
            featureOffsets.append(features.count)
        }
        scale = features.indices.map { 1 + 0.25 * Double($0 % 3) }
        // the second bag's table holds the examples' rows in another order
        rowOf = examples.map { (($0 + 5) % UInt32(total)) }
        let ordered = (0..<total).map { [rows] in rows[($0 + total - 5) % total] }
        tables = [Self.table(rows, 0..<Self.second), Self.table(ordered, Self.second..<Self.intercept)]
    }

    private static func table(_ rows: [[UInt32: Float]], _ features: Range<Int>) -> SparseRows {
        var table = SparseRows(columnCount: features.count, offsets: [0], columns: [], values: [])
        for row in rows {
            for (feature, value) in row.sorted(by: { $0.key < $1.key }) where features.contains(Int(feature)) {
                table.columns.append(feature - UInt32(features.lowerBound))
                table.values.append(value)
            }
            table.offsets.append(table.columns.count)
        }
        return table
    }

    func withRows<Result>(_ body: (EntityRows) -> Result) -> Result {
        tables[0].withPointers { offsets, columns, values in
            let first = BagRows(offsets: offsets, columns: columns, values: values, row_of: nil, base: 0)
            return tables[1].withPointers { offsets, columns, values in
                rowOf.withUnsafeBufferPointer { rowOf in
                    let second = BagRows(
                        offsets: offsets, columns: columns, values: values, row_of: rowOf.baseAddress!,
                        base: UInt32(Self.second))
                    return [first, second].withUnsafeBufferPointer { bags in
                        withUnsafePointers { rowOffsets, examples, featureOffsets, features, scale in
                            body(
                                EntityRows(
                                    row_offsets: rowOffsets, examples: examples, feature_offsets: featureOffsets,
                                    features: features, scale: scale, bag_count: bags.count, bags: bags.baseAddress!))
                        }
                    }
                }
            }
        }
    }

    private func withUnsafePointers<Result>(
        _ body: (
            UnsafePointer<Int>, UnsafePointer<UInt32>, UnsafePointer<Int>, UnsafePointer<UInt32>, UnsafePointer<Double>
        ) -> Result
    ) -> Result {
        rowOffsets.withUnsafeBufferPointer { rowOffsets in
            examples.withUnsafeBufferPointer { examples in
                featureOffsets.withUnsafeBufferPointer { featureOffsets in
                    features.withUnsafeBufferPointer { features in
                        scale.withUnsafeBufferPointer { scale in
                            body(
                                rowOffsets.baseAddress!, examples.baseAddress!, featureOffsets.baseAddress!,
                                features.baseAddress!, scale.baseAddress!)
                        }
                    }
                }
            }
        }
    }

    /// X of an entity, dense, by its definition.
    func dense(_ e: Int) -> [[Double]] {
        (rowOffsets[e]..<rowOffsets[e + 1]).map { i in
            (featureOffsets[e]..<featureOffsets[e + 1]).map { j in
                let value = features[j] == Self.intercept ? 1 : rows[Int(examples[i])][features[j]] ?? 0
                return scale[j] * Double(value)
            }
        }
    }

    /// Coefficients and scores after solving some entities together.
    func solved(_ chosen: [UInt32], l2: Double) -> (theta: [Double], scores: [Double]) {
        var alpha = [Double](repeating: 0, count: examples.count)
        var theta = [Double](repeating: .nan, count: features.count)
        var scores = [Double](repeating: .nan, count: examples.count)
        var local = [UInt32](repeating: .max, count: Self.intercept + 1)
        let (m, n) = (12, 40)
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 8 * EntityKernels.scratchCount(rows: m, features: n), alignment: 64)
        defer { scratch.deallocate() }
        let weightScale = [Double](repeating: 1.5, count: chosen.count)
        withRows { x in
            chosen.withUnsafeBufferPointer {
                EntityKernels.solve(
                    x, labels: labels, weights: weights, offsets: offsets, $0, weightScale: weightScale, rows: m,
                    features: n, l2: l2, decrement: 1e-8, mostSteps: 60, alpha: &alpha, theta: &theta, scores: &scores,
                    scratch: scratch.bindMemory(to: Double.self).baseAddress!, local: &local)
            }
        }
        return (theta, scores)
    }

    /// x_i·θ of an entity's rows.
    func margins(_ e: Int, _ theta: [Double]) -> [Double] {
        let own = theta[featureOffsets[e]..<featureOffsets[e + 1]]
        return dense(e).map { row in zip(row, own).reduce(0) { $0 + $1.0 * $1.1 } }
    }

    /// ∇f of an entity at theta, by its definition.
    func gradient(_ e: Int, _ theta: [Double], l2: Double) -> [Double] {
        var g = (featureOffsets[e]..<featureOffsets[e + 1]).map { l2 * theta[$0] }
        for ((row, z), i) in zip(zip(dense(e), margins(e, theta)), rowOffsets[e]...) {
            let example = Int(examples[i])
            let r = 1.5 * Double(weights[example]) * (1 / (1 + exp(-z - offsets[example])) - Double(labels[example]))
            for j in g.indices { g[j] += r * row[j] }
        }
        return g
    }
}

extension SparseRows {
    fileprivate func withPointers<Result>(
        _ body: (UnsafePointer<Int>, UnsafePointer<UInt32>, UnsafePointer<Float>) -> Result
    ) -> Result {
        offsets.withUnsafeBufferPointer { offsets in
            columns.withUnsafeBufferPointer { columns in
                values.withUnsafeBufferPointer { body(offsets.baseAddress!, columns.baseAddress!, $0.baseAddress!) }
            }
        }
    }
}

@Suite struct EntityKernelTests {
    /// Eight unlike entities at once: dense ones, and one of 40 features whose zeros are better left out.
    private let entities = Entities([
        (10, 31), (1, 2), (12, 40), (7, 9), (3, 31), (12, 13), (2, 40), (10, 31), (9, 40), (5, 6),
    ])

    @Test func gradientsVanish() {
        for l2 in [1.0, 0.1] {
            for chosen in [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9]] as [[UInt32]] {
                let (theta, scores) = entities.solved(chosen, l2: l2)
                for e in chosen.map(Int.init) {
                    let norm = entities.gradient(e, theta, l2: l2).reduce(0) { $0 + $1 * $1 }.squareRoot()
                    #expect(norm < 1e-6, "entity \(e), λ \(l2)")
                    for (i, z) in zip(entities.rowOffsets[e]..., entities.margins(e, theta)) {
                        #expect(abs(scores[Int(entities.examples[i])] - z) < 1e-9)
                    }
                }
            }
        }
    }

    @Test func productsAreThoseOfTheDenseMatrix() {
        var random = RandomKey(seed: 5, purpose: "test.entities").stream()
        entities.withRows { x in
            for e in entities.counts.indices {
                let dense = entities.dense(e)
                let (m, n) = (dense.count, dense[0].count)
                let v = (0..<n).map { _ in random.normal() }
                let r = (0..<m).map { _ in random.normal() }
                var (table, out) = ([Double](repeating: .nan, count: 121), [Double](repeating: .nan, count: m))
                x.multiply(e, v, dense: &table, into: &out)
                for i in 0..<m { #expect(abs(out[i] - zip(dense[i], v).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-12) }
                for squared in [false, true] {
                    var g = [Double](repeating: 7, count: n)
                    x.addTransposed(e, r, squared: squared, dense: &table, to: &g)
                    for j in 0..<n {
                        let sum = (0..<m).reduce(7) { $0 + r[$1] * dense[$1][j] * (squared ? dense[$1][j] : 1) }
                        #expect(abs(g[j] - sum) < 1e-12)
                    }
                }
                var (starts, local) = ([Int](repeating: -1, count: m + 1), [UInt32](repeating: .max, count: 121))
                let count = x.nonzeroCount(e)
                var columns = [UInt32](repeating: .max, count: count)
                var values = [Double](repeating: .nan, count: count)
                x.matrix(e, starts: &starts, columns: &columns, values: &values, local: &local)
                var filled = dense.map { $0.map { _ in 0.0 } }
                for i in 0..<m { for at in starts[i]..<starts[i + 1] { filled[i][Int(columns[at])] = values[at] } }
                #expect(filled == dense && starts[m] == count)
            }
        }
    }

    @Test func neighboursDoNotMatter() {
        let together = entities.solved([0, 1, 2, 3, 4, 5, 6, 7], l2: 1).theta
        for e in 0..<8 {
            let range = entities.featureOffsets[e]..<entities.featureOffsets[e + 1]
            #expect(entities.solved([UInt32(e)], l2: 1).theta[range] == together[range], "entity \(e)")
            #expect(entities.solved([9, UInt32(e), 8], l2: 1).theta[range] == together[range], "entity \(e)")
        }
    }
}
