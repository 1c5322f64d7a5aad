// Proves the vector kernels against plain loops and mathematical identities, and the parallel helpers against order.
// Expected values: Foundation's libm (another implementation), plain twins below, and hand-made cases.

import DenseAlgebra
import Foundation
import LinearAlgebra
import Testing

@Suite struct KernelTests {
    private func numbers(_ n: Int, purpose: String) -> [Float] {
        var random = RandomKey(seed: 7, purpose: purpose).stream()
        return (0..<n).map { _ in Float(random.normal()) }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 100, 1000])
    func dotAndAddScaled(_ n: Int) {
        let x = numbers(n, purpose: "x")
        let y = numbers(n, purpose: "y")
        let expected = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(Double(Vector.dot(n, x, y)) - expected) < 1e-5 * Double(n + 1))
        var z = y
        Vector.addScaled(n, 0.5, x, to: &z)
        #expect(z == zip(x, y).map { $1 + 0.5 * $0 })
        #expect(Vector.max(n, x) == (x.max() ?? -.infinity))
    }

    @Test func expSumAgreesWithLibm() {
        let x: [Float] = [-100, -87, -20, -1.5, -1e-6, 0, 1e-6, 0.7, 20, 80] + numbers(50, purpose: "exp")
        var out = [Float](repeating: 0, count: x.count)
        let sum = Vector.expSum(x.count, x, shift: 1, into: &out)
        for i in x.indices {
            let expected = Foundation.exp(Double(x[i] - 1))
            #expect(abs(Double(out[i]) - expected) <= 3e-7 * expected + 1e-37, "exp(\(x[i] - 1))")
        }
        // Sixteen lanes of at most sixteen Floats each: sixteen roundings of 6e-8.
        #expect(abs(sum - out.reduce(0.0) { $0 + Double($1) }) <= 1e-6 * sum)
    }

    @Test func scalarFunctionsAgreeWithLibm() {
        var random = RandomKey(seed: 3, purpose: "scalar").stream()
        for i in 0..<2000 {
            let x = i < 8 ? [-745, -700, -1, 0, 1e-300, 1, 700, 709.7][i] : 60 * (random.uniform() - 0.5)
            #expect(abs(Scalar.exp(x) - exp(x)) <= 4e-16 * exp(x) + Double.leastNonzeroMagnitude)
            let y = exp(x / 2)
            if y > 0 { #expect(abs(Scalar.log(y) - log(y)) <= 4e-16 * max(1, abs(log(y)))) }
            let soft = max(x, 0) + log1p(exp(-abs(x)))
            #expect(abs(Scalar.log1pExp(x) - soft) <= 6e-16 * max(soft, 1e-300))
        }
        #expect(Scalar.log(0) == -.infinity && Scalar.log(Double.leastNonzeroMagnitude).rounded() == -744)
    }

    @Test func selectFindsExactlyTheSurvivors() {
        var x = numbers(1000, purpose: "select")
        x[3] = .nan
        x[999] = 5
        var out = [Int32](repeating: 0, count: x.count)
        let count = Vector.select(x.count, x, atLeast: 1.5, base: 100, into: &out)
        #expect(Array(out[0..<count]) == x.indices.filter { x[$0] >= 1.5 }.map { Int32($0 + 100) })
    }

    /// Two steps of Kingma & Ba's algorithm 1 by its own formulas.
    @Test func adamFollowsThePaper() {
        var w: [Float] = [1, -2]
        var (m, v) = ([Float](repeating: 0, count: 2), [Float](repeating: 0, count: 2))
        var expected = [1.0, -2.0]
        var (pm, pv) = ([0.0, 0.0], [0.0, 0.0])
        for step in 1...2 {
            var g: [Float] = [0.5, -0.25 * Float(step)]
            for i in 0..<2 {
                let gradient = Double(g[i]) + 0.1 * expected[i]
                pm[i] = 0.9 * pm[i] + 0.1 * gradient
                pv[i] = 0.999 * pv[i] + 0.001 * gradient * gradient
                let corrected = pm[i] / (1 - pow(0.9, Double(step)))
                let spread = (pv[i] / (1 - pow(0.999, Double(step)))).squareRoot()
                expected[i] -= 0.01 * corrected / (spread + 1e-8)
            }
            Adam().update(
                weights: &w, gradient: &g, first: &m, second: &v, Adam().scale(step: step, rate: 0.01, l2: 0.1),
                workers: Workers(count: 1))
            #expect(g == [0, 0])
        }
        for i in 0..<2 { #expect(abs(Double(w[i]) - expected[i]) < 1e-5) }
    }

    @Test func choleskySolvesAndInverts() throws {
        // A = [[4, 2], [2, 3]]: A⁻¹ = [[3, −2], [−2, 4]]/8; A·x = [2, 5] has x = [−0.5, 2].
        var a = [4.0, 2, 2, 3]
        try Cholesky.factor(2, &a)
        var b = [2.0, 5]
        Cholesky.solve(2, factor: a, &b)
        #expect(abs(b[0] + 0.5) < 1e-14 && abs(b[1] - 2) < 1e-14)
        try Cholesky.invert(2, &a)
        for (found, expected) in zip(a, [0.375, -0.25, -0.25, 0.5]) { #expect(abs(found - expected) < 1e-14) }
        var indefinite = [1.0, 2, 2, 1]
        #expect(throws: NotPositiveDefinite.self) { try Cholesky.factor(2, &indefinite) }
    }

    @Test func multiplyByHand() {
        // [1 2; 3 4]·[5 6; 7 8] = [19 22; 43 50]
        var c = [Float](repeating: 0, count: 4)
        BLAS.multiply(m: 2, n: 2, k: 2, [1, 2, 3, 4], lda: 2, [5, 6, 7, 8], ldb: 2, &c, ldc: 2)
        #expect(c == [19, 22, 43, 50])
        BLAS.multiply(m: 2, n: 2, k: 2, [1, 3, 2, 4], lda: 2, transposeA: true, [5, 6, 7, 8], ldb: 2, &c, ldc: 2)
        #expect(c == [19, 22, 43, 50])
    }

    @Test func transposeTwiceIsTheSame() {
        let rows = SparseRows(columnCount: 3, offsets: [0, 2, 2, 3], columns: [0, 2, 1], values: [1, 2, 3])
        let turned = rows.transposed()
        #expect(turned.offsets == [0, 1, 2, 3] && turned.columns == [0, 2, 0] && turned.values == [1, 3, 2])
        #expect(turned.transposed() == rows)
    }
}

@Suite struct ParallelTests {
    @Test(arguments: [1, 2, 3, 8])
    func mapKeepsOrder(_ threads: Int) {
        #expect(Workers(count: threads).map(100) { $0 * $0 } == (0..<100).map { $0 * $0 })
    }

    @Test func lowestErrorWins() {
        struct Failed: Error { let item: Int }
        let error = #expect(throws: Failed.self) {
            try Workers(count: 1).forEach(10) { if $0 >= 4 { throw Failed(item: $0) } }
        }
        #expect(error?.item == 4)
    }

    @Test func treeSumIsTheTree() {
        // (a+b)+(c) with a = 2⁵³, b = c = 1: left to right loses both ones, and so does the tree here; a+(b+c) would not.
        #expect(treeSum([0x1p53, 1, 1]) == (0x1p53 + 1) + 1)
        #expect(treeSum([1, 1, 0x1p53, 0]) == 2 + 0x1p53)
        var parts = [[1.0, 2], [10, 20], [100, 200]]
        treeSum(&parts)
        #expect(parts[0] == [111, 222])
    }
}

@Suite struct TopSelectionTests {
    /// Against a full sort, with many ties.
    @Test func agreesWithSorting() {
        var random = RandomKey(seed: 1, purpose: "top").stream()
        for k in [0, 1, 3, 10, 200] {
            let scores = (0..<100).map { _ in Float(random.below(20)) }
            var selection = TopSelection(k: k)
            for i in scores.indices.reversed() { selection.offer(scores[i], Int32(i)) }
            let expected = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(k)
            #expect(selection.drain().indices == expected.map(Int32.init))
        }
    }
}

@Suite struct CounterRandomTests {
    @Test func streamsAreIndependentOfOrderAndDiffer() {
        let key = RandomKey(seed: 1, purpose: "a")
        var first = key.stream(3, 4)
        var again = key.stream(3, 4)
        #expect((0..<5).map { _ in first.next() } == (0..<5).map { _ in again.next() })
        var others = [
            key.stream(4, 3), RandomKey(seed: 1, purpose: "b").stream(3, 4),
            RandomKey(seed: 2, purpose: "a").stream(3, 4),
        ]
        let values = others.indices.map { others[$0].next() }
        #expect(Set(values).count == 3)
    }

    /// Mean and variance of 100,000 draws, five standard errors.
    @Test func distributions() {
        var random = RandomKey(seed: 5, purpose: "moments").stream()
        let n = 100_000
        let uniform = (0..<n).reduce(0.0) { sum, _ in sum + random.uniform() } / Double(n)
        #expect(abs(uniform - 0.5) < 5 * (1.0 / 12 / Double(n)).squareRoot())
        let normal = (0..<n).map { _ in random.normal() }
        #expect(abs(normal.reduce(0, +) / Double(n)) < 5 / Double(n).squareRoot())
        #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / Double(n) - 1) < 5 * (2 / Double(n)).squareRoot())
        let below = (0..<n).map { _ in random.below(3) }
        for value in 0..<3 { #expect(abs(Double(below.count { $0 == value }) / Double(n) - 1.0 / 3) < 0.01) }
    }
}
