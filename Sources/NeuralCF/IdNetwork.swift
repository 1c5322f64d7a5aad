import DenseAlgebra
import LinearAlgebra

/// Models over the ids of learners and courses, for comparison with the literature. They score only learners and
/// courses that they were trained on.
///
///     x = [p_u ; q_c]      h_0 = x, h_k = ReLU(h_{k−1}·W_k + b_k)      s(u, c) = w·[g_u∘g_c ; h_K] + b
///
/// - `id-mlp`: no g; p and q of 64; one hidden layer of 256; squared error (the "neural matrix factorisation" of
///   textbook programs).
/// - `neumf`: g of 8; p and q of 32; hidden layers of 32, 16, 8; log loss of 1/(1 + e^−s) (He et al. 2017,
///   doi:10.1145/3038912.3052569, with the sizes of its authors' program).
package struct IdNetwork: Sendable, Equatable {
    package let kind: NCFParameters.Model
    /// Length of g, and of p and q.
    let product: Int
    let width: Int
    /// Widths of the ReLU layers.
    let hidden: [Int]
    /// Per layer W (in × out) and b, then w and b.
    package var weights: [Float]

    /// A learner's or course's vector: [g ; p].
    package var embedding: Int { product + width }

    /// - Precondition: kind is not `towers`.
    package init(_ kind: NCFParameters.Model, seed: UInt64) {
        self.kind = kind
        switch kind {
        case .towers: preconditionFailure("towers are no model over ids")
        case .idMLP: (product, width, hidden) = (0, 64, [256])
        case .neuMF: (product, width, hidden) = (8, 32, [32, 16, 8])
        }
        weights = []
        var random = RandomKey(seed: seed, purpose: "ncf.ids").stream()
        for (inputs, outputs) in zip([2 * width] + hidden, hidden) {
            // Glorot & Bengio 2010, uniform.
            weights += Self.uniform(inputs * outputs, (6 / Double(inputs + outputs)).squareRoot(), &random)
            weights += [Float](repeating: 0, count: outputs)
        }
        let last = product + hidden[hidden.count - 1]
        weights += Self.uniform(last, (6 / Double(last + 1)).squareRoot(), &random) + [0]
    }

    static func uniform(_ count: Int, _ limit: Double, _ random: inout CounterRandom) -> [Float] {
        (0..<count).map { _ in Float(limit * (2 * random.uniform() - 1)) }
    }

    /// Name, rows, columns and place of every tensor.
    package var tensors: [(name: String, rows: Int, columns: Int, offset: Int)] {
        var list: [(name: String, rows: Int, columns: Int, offset: Int)] = []
        var at = 0
        func add(_ name: String, _ rows: Int, _ columns: Int) {
            list.append((name, rows, columns, at))
            at += rows * columns
        }
        for (layer, size) in zip([2 * width] + hidden, hidden).enumerated() {
            add("pair.dense.\(layer + 1).weight", size.0, size.1)
            add("pair.dense.\(layer + 1).bias", 1, size.1)
        }
        add("pair.output.weight", product + hidden[hidden.count - 1], 1)
        add("pair.output.bias", 1, 1)
        return list
    }

    // MARK: A batch of pairs

    /// Activations of n pairs: x (n × 2·width), then each hidden layer, and g_u∘g_c (n × product).
    final class Activations {
        let layers: [FloatBuffer]
        let products: FloatBuffer
        let scores: FloatBuffer

        init(_ network: IdNetwork, pairs: Int) {
            layers = ([2 * network.width] + network.hidden).map { FloatBuffer(pairs * $0) }
            products = FloatBuffer(pairs * network.product)
            scores = FloatBuffer(pairs)
        }
    }

    /// Scores of the first n pairs, whose inputs `fill` has put in.
    func forward(_ n: Int, _ a: Activations) {
        let sizes = [2 * width] + hidden
        weights.withUnsafeBufferPointer { weights in
            var at = weights.baseAddress!
            for layer in 1..<sizes.count {
                let (inputs, outputs) = (sizes[layer - 1], sizes[layer])
                let (out, bias) = (a.layers[layer].start, at + inputs * outputs)
                for row in 0..<n { (out + row * outputs).update(from: bias, count: outputs) }
                BLAS.multiply(
                    m: n, n: outputs, k: inputs, a.layers[layer - 1].start, lda: inputs, at, ldb: outputs, beta: 1, out,
                    ldc: outputs)
                for i in 0..<n * outputs { out[i] = max(out[i], 0) }
                at = bias + outputs
            }
            let last = hidden[hidden.count - 1]
            let top = a.layers[sizes.count - 1].start
            for row in 0..<n {
                a.scores.start[row] =
                    Vector.dot(product, a.products.start + row * product, at)
                    + Vector.dot(last, top + row * last, at + product) + at[product + last]
            }
        }
    }

    /// Puts a learner's and a course's vectors in as pair `row`.
    @inline(__always)
    func fill(_ row: Int, _ learner: UnsafePointer<Float>, _ course: UnsafePointer<Float>, _ a: Activations) {
        for d in 0..<product { a.products.start[row * product + d] = learner[d] * course[d] }
        let x = a.layers[0].start + row * 2 * width
        x.update(from: learner + product, count: width)
        (x + width).update(from: course + product, count: width)
    }

    /// From ∂loss/∂scores to the weights' gradient (added) and ∂loss/∂x and ∂loss/∂(g_u∘g_c), which replace x and the
    /// products.
    func backward(
        _ n: Int, _ a: Activations, scores gradient: UnsafePointer<Float>, into sum: UnsafeMutablePointer<Float>
    ) {
        let sizes = [2 * width] + hidden
        let last = hidden[hidden.count - 1]
        let output = weights.count - product - last - 1
        var above = FloatBuffer(n * last)
        weights.withUnsafeBufferPointer { weights in
            let w = weights.baseAddress!
            let top = a.layers[sizes.count - 1].start
            for row in 0..<n {
                let (g, products) = (gradient[row], a.products.start + row * product)
                Vector.addScaled(product, g, products, to: sum + output)
                Vector.addScaled(last, g, top + row * last, to: sum + output + product)
                sum[output + product + last] += g
                for d in 0..<product { products[d] = g * w[output + d] }
                for d in 0..<last { above.start[row * last + d] = g * w[output + product + d] }
            }
            var at = output
            for layer in stride(from: sizes.count - 1, to: 0, by: -1) {
                let (inputs, outputs) = (sizes[layer - 1], sizes[layer])
                at -= (inputs + 1) * outputs
                let values = a.layers[layer].start
                for i in 0..<n * outputs where values[i] <= 0 { above.start[i] = 0 }
                let below = a.layers[layer - 1].start
                BLAS.multiply(
                    m: inputs, n: outputs, k: n, below, lda: inputs, transposeA: true, above.start, ldb: outputs,
                    beta: 1,
                    sum + at, ldc: outputs)
                let bias = sum + at + inputs * outputs
                for row in 0..<n { Vector.addScaled(outputs, 1, above.start + row * outputs, to: bias) }
                let next = FloatBuffer(n * inputs)
                BLAS.multiply(
                    m: n, n: inputs, k: outputs, above.start, lda: outputs, w + at, ldb: outputs, transposeB: true,
                    next.start, ldc: inputs)
                above = next
            }
        }
        a.layers[0].start.update(from: above.start, count: n * 2 * width)
    }

    // MARK: Scoring

    /// Scores of every course for one learner. A learner with a zero vector is unknown: all 0. A course with one is:
    /// it gets the least score of those that are known.
    /// - Parameter courses: C × embedding.
    func score(
        _ learner: UnsafePointer<Float>, _ courses: Matrix, _ scratch: Activations,
        into out: UnsafeMutablePointer<Float>
    ) {
        let block = 512
        out.update(repeating: 0, count: courses.rows)
        if Self.isZero(learner, embedding) { return }
        var least = Float.infinity
        courses.values.withUnsafeBufferPointer { vectors in
            let vectors = vectors.baseAddress!
            for start in stride(from: 0, to: courses.rows, by: block) {
                let n = min(block, courses.rows - start)
                for k in 0..<n { fill(k, learner, vectors + (start + k) * embedding, scratch) }
                forward(n, scratch)
                for k in 0..<n where !Self.isZero(vectors + (start + k) * embedding, embedding) {
                    out[start + k] = scratch.scores.start[k]
                    least = min(least, out[start + k])
                }
            }
            for course in 0..<courses.rows where Self.isZero(vectors + course * embedding, embedding) {
                out[course] = least.isFinite ? least : 0
            }
        }
    }

    func scratch() -> Activations { Activations(self, pairs: 512) }

    private static func isZero(_ vector: UnsafePointer<Float>, _ count: Int) -> Bool {
        for d in 0..<count where vector[d] != 0 { return false }
        return true
    }
}
