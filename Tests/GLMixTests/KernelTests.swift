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
}
