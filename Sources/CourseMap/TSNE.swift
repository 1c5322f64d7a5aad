import DenseAlgebra
import LinearAlgebra

/// A map of courses: points in the plane such that courses with near embeddings lie near each other (t-distributed
/// stochastic neighbour embedding; van der Maaten & Hinton 2008, JMLR 9). Which clusters there are can be read from it;
/// distances between clusters and their sizes mean nothing.
///
/// Barnes–Hut gradient (`MapGradient`), start from the first two principal components (Kobak & Berens 2019,
/// doi:10.1038/s41467-019-13056-x), learning rate N / exaggeration / 4 (Belkina et al. 2019,
/// doi:10.1038/s41467-019-13055-y), momentum and gains of the original. The same bits for any number of threads; the
/// products in it depend on the kind of CPU.
package struct TSNE: Sendable {
    package var perplexity = 30.0
    package var iterations = 500
    /// So much of the run with exaggerated P.
    package var exaggeratedShare = 0.4
    package var exaggeration = 12.0
    package var theta = 0.5
    package var seed: UInt64 = 1

    package init() {}

    /// - Parameter vectors: N × d.
    /// - Returns: N points, centred at the origin.
    /// - Complexity: O(N²·d) once, then O(N·(log N + perplexity)) an iteration.
    package func map(_ vectors: Matrix, workers: Workers) -> (x: [Double], y: [Double]) {
        let n = vectors.rows
        // Too few for neighbourhoods: side by side.
        if n < 5 { return ((0..<n).map { Double($0) - Double(n - 1) / 2 }, [Double](repeating: 0, count: n)) }
        let gradient = MapGradient(
            affinities: Affinities.symmetric(vectors, perplexity: perplexity, workers: workers), theta: theta,
            workers: workers)
        var (x, y) = start(vectors)
        descend(gradient, &x, &y)
        return (x, y)
    }

    /// Gradient descent with momentum and gains (delta-bar-delta; Jacobs 1988).
    private func descend(_ gradient: MapGradient, _ x: inout [Double], _ y: inout [Double]) {
        let zeros = [Double](repeating: 0, count: x.count)
        let ones = [Double](repeating: 1, count: x.count)
        var (gx, gy, stepX, stepY, gainX, gainY) = (zeros, zeros, zeros, zeros, ones, ones)
        let exaggerated = Int(exaggeratedShare * Double(iterations))
        let rate = max(Double(x.count) / exaggeration / 4, 50)
        for iteration in 0..<iterations {
            let early = iteration < exaggerated
            gradient.evaluate(x: x, y: y, exaggeration: early ? exaggeration : 1, into: &gx, &gy)
            let momentum = early ? 0.5 : 0.8
            Self.move(&x, gx, &stepX, &gainX, momentum, rate)
            Self.move(&y, gy, &stepY, &gainY, momentum, rate)
        }
    }

    private static func move(
        _ position: inout [Double], _ gradient: [Double], _ step: inout [Double], _ gain: inout [Double],
        _ momentum: Double, _ rate: Double
    ) {
        var mean = 0.0
        for i in position.indices {
            gain[i] = (gradient[i] > 0) == (step[i] > 0) ? max(0.01, gain[i] * 0.8) : gain[i] + 0.2
            step[i] = momentum * step[i] - rate * gain[i] * gradient[i]
            position[i] += step[i]
            mean += position[i]
        }
        mean /= Double(position.count)
        for i in position.indices { position[i] -= mean }
    }

    /// The first two principal components, the first with a deviation of 1e-4, and a hundredth of that as noise, without
    /// which equal vectors could never part.
    private func start(_ vectors: Matrix) -> (x: [Double], y: [Double]) {
        let components = PrincipalComponents.scores(vectors, count: 2, seed: seed)
        let spread = (components[0].reduce(0) { $0 + $1 * $1 } / Double(vectors.rows)).squareRoot()
        let scale = spread > 0 ? 1e-4 / spread : 0
        var random = RandomKey(seed: seed, purpose: "course map").stream()
        func placed(_ scores: [Double]) -> [Double] { scores.map { $0 * scale + 1e-6 * random.normal() } }
        return (placed(components[0]), placed(components.count > 1 ? components[1] : components[0].map { _ in 0 }))
    }
}

/// Principal components by power iteration on the covariance matrix.
enum PrincipalComponents {
    /// - Returns: up to `count` components' scores, one per row each; all 0 once nothing varies any more.
    static func scores(_ vectors: Matrix, count: Int, seed: UInt64) -> [[Double]] {
        let (n, d) = (vectors.rows, vectors.columns)
        var centred = vectors
        for j in 0..<d {
            let mean = (0..<n).reduce(0.0) { $0 + Double(vectors[$1, j]) } / Double(n)
            for i in 0..<n { centred[i, j] -= Float(mean) }
        }
        var products = [Float](repeating: 0, count: d * d)
        centred.values.withUnsafeBufferPointer { x in
            products.withUnsafeMutableBufferPointer { out in
                BLAS.multiply(
                    m: d, n: d, k: n, x.baseAddress!, lda: d, transposeA: true, x.baseAddress!, ldb: d,
                    out.baseAddress!, ldc: d)
            }
        }
        var covariance = products.map(Double.init)
        return (0..<min(count, d)).map { component in
            let direction = leading(&covariance, d, RandomKey(seed: seed, purpose: "components").stream(component))
            return (0..<n).map { i in (0..<d).reduce(0.0) { $0 + Double(centred[i, $1]) * direction[$1] } }
        }
    }

    /// The leading eigenvector, taken out of the matrix.
    private static func leading(_ matrix: inout [Double], _ d: Int, _ random: CounterRandom) -> [Double] {
        var random = random
        var vector = (0..<d).map { _ in random.normal() }
        var value = 0.0
        for _ in 0..<100 {
            let product = (0..<d).map { i in (0..<d).reduce(0.0) { $0 + matrix[i * d + $1] * vector[$1] } }
            let norm = product.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if norm <= 1e-12 { return [Double](repeating: 0, count: d) }
            (vector, value) = (product.map { $0 / norm }, norm)
        }
        for i in 0..<d { for j in 0..<d { matrix[i * d + j] -= value * vector[i] * vector[j] } }
        return vector
    }
}
