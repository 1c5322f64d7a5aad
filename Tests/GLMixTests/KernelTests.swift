// Proves the kernels of the solvers against plain loops and the C library's exp and log1p.
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

/// Entities of 1 to 12 rows and up to 40 sparse features, with weights, offsets and rows in no order.
private struct Entities {
    let counts: [Int]
    var rowOffsets = [0]
    var examples: [UInt32] = []
    var featureOffsets = [0]
    var starts = [0]
    var (columns, values): ([UInt32], [Float]) = ([], [])
    var (labels, weights, offsets): ([UInt8], [Float], [Double]) = ([], [], [])

    init(_ counts: [(rows: Int, features: Int)]) {
        var random = RandomKey(seed: 4, purpose: "test.entities").stream()
        self.counts = counts.map(\.rows)
        let total = counts.reduce(0) { $0 + $1.rows }
        for (rows, features) in counts {
            for _ in 0..<rows {
                examples.append(UInt32(total - 1 - examples.count))
                for j in 0..<features where random.uniform() < 0.5 || j == features - 1 {
                    columns.append(UInt32(j))
                    values.append(j == features - 1 ? 1 : Float(random.normal()))
                }
                starts.append(columns.count)
                labels.append(random.uniform() < 0.5 ? 1 : 0)
                weights.append(Float(0.5 + random.uniform()))
                offsets.append(random.normal())
            }
            rowOffsets.append(examples.count)
            featureOffsets.append(featureOffsets.last! + features)
        }
    }

    /// Coefficients and scores after solving some entities together.
    func solved(_ chosen: [UInt32], l2: Double) -> (theta: [Double], scores: [Double]) {
        var alpha = [Double](repeating: 0, count: examples.count)
        var theta = [Double](repeating: .nan, count: featureOffsets.last!)
        var scores = [Double](repeating: .nan, count: examples.count)
        let (m, n) = (12, 40)
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 8 * EntityKernels.scratchCount(rows: m, features: n), alignment: 64)
        defer { scratch.deallocate() }
        let scale = [Double](repeating: 1.5, count: chosen.count)
        let rows = rowOffsets.withUnsafeBufferPointer { $0.baseAddress! }
        withExtendedLifetime(self) {
            let x = EntityRows(
                row_offsets: rows, examples: examples.withUnsafeBufferPointer { $0.baseAddress! },
                feature_offsets: featureOffsets.withUnsafeBufferPointer { $0.baseAddress! },
                starts: starts.withUnsafeBufferPointer { $0.baseAddress! },
                columns: columns.withUnsafeBufferPointer { $0.baseAddress! },
                values: values.withUnsafeBufferPointer { $0.baseAddress! },
                labels: labels.withUnsafeBufferPointer { $0.baseAddress! },
                weights: weights.withUnsafeBufferPointer { $0.baseAddress! },
                offsets: offsets.withUnsafeBufferPointer { $0.baseAddress! })
            chosen.withUnsafeBufferPointer {
                EntityKernels.solve(
                    x, $0, weightScale: scale, rows: m, features: n, l2: l2, decrement: 1e-8, mostSteps: 60,
                    alpha: &alpha, theta: &theta, scores: &scores,
                    scratch: scratch.bindMemory(to: Double.self).baseAddress!)
            }
        }
        return (theta, scores)
    }

    /// ∇f of an entity at theta, by its definition.
    func gradient(_ e: Int, _ theta: [Double], l2: Double) -> [Double] {
        let base = featureOffsets[e]
        var g = (base..<featureOffsets[e + 1]).map { l2 * theta[$0] }
        for i in rowOffsets[e]..<rowOffsets[e + 1] {
            let example = Int(examples[i])
            var z = offsets[example]
            for at in starts[i]..<starts[i + 1] { z += Double(values[at]) * theta[base + Int(columns[at])] }
            let r = 1.5 * Double(weights[example]) * (1 / (1 + exp(-z)) - Double(labels[example]))
            for at in starts[i]..<starts[i + 1] { g[Int(columns[at])] += r * Double(values[at]) }
        }
        return g
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
                    for i in entities.rowOffsets[e]..<entities.rowOffsets[e + 1] {
                        var z = 0.0
                        for at in entities.starts[i]..<entities.starts[i + 1] {
                            z +=
                                Double(entities.values[at])
                                * theta[entities.featureOffsets[e] + Int(entities.columns[at])]
                        }
                        #expect(abs(scores[Int(entities.examples[i])] - z) < 1e-9)
                    }
                }
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
