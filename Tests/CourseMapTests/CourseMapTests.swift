// Proves the course map: the gradient against finite differences of the objective (written out here, pair by pair), the
// quadtree against the exact sums, planted clusters recovered, the same bits for any number of threads.

import LinearAlgebra
import Testing

import CourseMap

@Suite struct CourseMapTests {
    /// Three tight clusters far from each other: rows 3i + c belong to cluster c.
    func planted(_ count: Int, columns: Int = 8) -> Matrix {
        var random = RandomKey(seed: 5, purpose: "test").stream()
        var vectors = Matrix(rows: count, columns: columns)
        for row in 0..<count {
            for column in 0..<columns {
                vectors[row, column] = Float(0.1 * random.normal()) + (column == row % 3 ? 1 : 0)
            }
        }
        return vectors
    }

    /// KL(P ‖ Q), pair by pair.
    func divergence(_ p: SparseRows, _ x: [Double], _ y: [Double]) -> Double {
        func w(_ i: Int, _ j: Int) -> Double {
            1 / (1 + (x[i] - x[j]) * (x[i] - x[j]) + (y[i] - y[j]) * (y[i] - y[j]))
        }
        var z = 0.0
        for i in x.indices { for j in x.indices where i != j { z += w(i, j) } }
        var sum = 0.0
        for i in x.indices {
            for at in p.range(i) {
                let value = Double(p.values[at])
                if value == 0 { continue }  // 0·log 0
                sum += value * Scalar.log(value / (w(i, Int(p.columns[at])) / z))
            }
        }
        return sum
    }

    func points(_ count: Int, spread: Double = 3) -> (x: [Double], y: [Double]) {
        var random = RandomKey(seed: 9, purpose: "test").stream()
        return ((0..<count).map { _ in spread * random.normal() }, (0..<count).map { _ in spread * random.normal() })
    }

    @Test func gradientIsThatOfTheObjective() {
        let p = Affinities.symmetric(planted(40), perplexity: 5, workers: Workers(count: 2))
        var (x, y) = points(40)
        var (gx, gy) = ([Double](repeating: 0, count: 40), [Double](repeating: 0, count: 40))
        MapGradient(affinities: p, theta: 0, workers: Workers(count: 2)).evaluate(x: x, y: y, into: &gx, &gy)
        let h = 1e-5
        for i in [0, 7, 39] {
            func slope(_ move: (Double) -> Void) -> Double {
                move(h)
                let up = divergence(p, x, y)
                move(-2 * h)
                let down = divergence(p, x, y)
                move(h)
                return (up - down) / (2 * h)
            }
            // P sums to 1 only to single precision.
            #expect(abs(slope { x[i] += $0 } - gx[i]) < 1e-6, "x of \(i)")
            #expect(abs(slope { y[i] += $0 } - gy[i]) < 1e-6, "y of \(i)")
        }
    }

    @Test func treeApproximatesTheExactSums() {
        let p = Affinities.symmetric(planted(600), perplexity: 10, workers: Workers(count: 2))
        let (x, y) = points(600, spread: 20)
        func gradient(_ theta: Double) -> (z: Double, g: [Double]) {
            var (gx, gy) = (x, y)
            let z = MapGradient(affinities: p, theta: theta, workers: Workers(count: 2)).evaluate(
                x: x, y: y, into: &gx, &gy)
            return (z, gx + gy)
        }
        let (exact, near) = (gradient(0), gradient(0.5))
        #expect(abs(near.z / exact.z - 1) < 0.01)
        let error = zip(exact.g, near.g).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        let norm = exact.g.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(error / norm < 0.02 && error > 0)
    }

    @Test func everyPointIsInOneLeaf() {
        // Forty equal points among others cannot be parted.
        var (x, y) = points(500)
        for i in 0..<40 { (x[i], y[i]) = (1, 1) }
        let tree = QuadTree(x: x, y: y)
        let leaves = tree.cells.filter { $0.from < $0.to }
        #expect(leaves.reduce(0) { $0 + $1.to - $1.from } == 500)
        #expect(tree.order.sorted() == (0..<500).map { Int32($0) })
        #expect(tree.cells[0].count == 500 && tree.cells[0].next == tree.cells.count)
    }

    @Test func perplexityIsMet() {
        let distances = (1...90).map { Double($0 * $0) / 100 }
        let weights = Affinities.perplexityWeights(distances, 30)
        let entropy = weights.reduce(0) { $0 - ($1 > 0 ? $1 * Scalar.log($1) : 0) }
        #expect(abs(Scalar.exp(entropy) - 30) < 0.01)
        #expect(abs(weights.reduce(0, +) - 1) < 1e-12)
    }

    @Test func affinitiesAreSymmetricAndSumToOne() {
        let p = Affinities.symmetric(planted(300), perplexity: 10, workers: Workers(count: 2))
        #expect(p == p.transposed())
        #expect(abs(p.values.reduce(0) { $0 + Double($1) } - 1) < 1e-5)
    }

    @Test func plantedClustersAreRecovered() {
        var tsne = TSNE()
        tsne.perplexity = 15
        tsne.iterations = 300
        let (x, y) = tsne.map(planted(300), workers: Workers(count: 2))
        // The nearest point in the plane belongs to the same cluster.
        let same = (0..<300).count { i in
            let nearest = (0..<300).filter { $0 != i }.min { a, b in
                func distance(_ j: Int) -> Double { (x[i] - x[j]) * (x[i] - x[j]) + (y[i] - y[j]) * (y[i] - y[j]) }
                return distance(a) < distance(b)
            }!
            return nearest % 3 == i % 3
        }
        #expect(same == 300)
        // Clusters lie apart: between centres more than twice the largest mean distance to the own centre.
        let centres = (0..<3).map { c in
            let members = stride(from: c, to: 300, by: 3)
            return (members.reduce(0.0) { $0 + x[$1] } / 100, members.reduce(0.0) { $0 + y[$1] } / 100)
        }
        func length(_ a: (Double, Double), _ b: (Double, Double)) -> Double {
            ((a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1)).squareRoot()
        }
        let radius = (0..<3).map { c in
            stride(from: c, to: 300, by: 3).reduce(0.0) { $0 + length((x[$1], y[$1]), centres[c]) } / 100
        }.max()!
        #expect(length(centres[0], centres[1]) > 2 * radius && length(centres[1], centres[2]) > 2 * radius)
    }

    @Test func threadsDoNotShow() {
        var tsne = TSNE()
        tsne.iterations = 40
        let vectors = planted(700)
        let first = tsne.map(vectors, workers: Workers(count: 1))
        for threads in 2...3 {
            let other = tsne.map(vectors, workers: Workers(count: threads))
            #expect(other.x == first.x && other.y == first.y)
        }
        tsne.seed = 2
        #expect(tsne.map(vectors, workers: Workers(count: 2)).x != first.x)
    }

    @Test func edges() {
        let one = TSNE().map(Matrix(rows: 1, columns: 3), workers: Workers(count: 1))
        #expect(one.x == [0] && one.y == [0])
        // All courses alike: finite points all the same.
        let equal = TSNE().map(Matrix(rows: 50, columns: 4), workers: Workers(count: 2))
        #expect(equal.x.allSatisfy(\.isFinite) && equal.y.allSatisfy(\.isFinite))
    }
}
