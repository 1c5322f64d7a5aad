import DenseAlgebra
import LinearAlgebra

/// Activations of one tower for n rows. Layer 0 is the first layer's output (n × width), the last the embedding
/// (n × embedding); between them, ReLU and dropout are applied in place. `unit` is the embedding divided by its norm
/// (cosine) or the embedding itself (dot).
final class TowerActivations: @unchecked Sendable {
    let rowCount: Int
    let layers: [FloatBuffer]
    let unit: FloatBuffer
    /// Euclidean norms of the embeddings (cosine only).
    let norms: FloatBuffer
    /// Gradients with respect to `unit` and to layer 0 before its ReLU.
    let unitGradient: FloatBuffer
    let firstGradient: FloatBuffer

    /// - Parameter first: layer 0, if its sums are there already.
    init(rowCount: Int, dimensions: [Int], first: FloatBuffer? = nil, forTraining: Bool = false) {
        self.rowCount = rowCount
        let first = first ?? FloatBuffer(rowCount * dimensions[0])
        layers = [first] + dimensions.dropFirst().map { FloatBuffer(rowCount * $0) }
        unit = FloatBuffer(rowCount * dimensions[dimensions.count - 1])
        norms = FloatBuffer(rowCount)
        unitGradient = FloatBuffer(forTraining ? rowCount * dimensions[dimensions.count - 1] : 0)
        firstGradient = FloatBuffer(forTraining ? rowCount * dimensions[0] : 0)
    }
}

/// Gradients between the layers of one thread's rows.
final class PassScratch {
    private var first = FloatBuffer(0)
    private var second = FloatBuffer(0)

    func buffers(_ count: Int) -> (FloatBuffer, FloatBuffer) {
        reserve(&first, count)
        reserve(&second, count)
        return (first, second)
    }
}

/// Forward and backward through a tower behind its first layer, for a range of rows.
struct TowerPass {
    let layout: TowerLayout
    let side: TowerLayout.Side
    let cosine: Bool
    let dropout: Double
    /// Masks of a step; rows are told apart by their number.
    let dropoutKey: RandomKey

    init(layout: TowerLayout, side: TowerLayout.Side, cosine: Bool, dropout: Double, dropoutKey: RandomKey) {
        (self.layout, self.side, self.cosine) = (layout, side, cosine)
        (self.dropout, self.dropoutKey) = (dropout, dropoutKey)
    }

    /// Without dropout.
    init(inference towers: Towers, side: TowerLayout.Side) {
        self.init(
            layout: towers.layout, side: side, cosine: towers.parameters.output == .cosine, dropout: 0,
            dropoutKey: RandomKey(seed: 0, purpose: ""))
    }

    private func offsets(_ layer: Int) -> (weight: Int, bias: Int) {
        (layout.tensor("\(side).dense.\(layer).weight")!.offset, layout.tensor("\(side).dense.\(layer).bias")!.offset)
    }

    /// Layer 0 of `rows` must hold the first layer's sums with bias.
    func forward(_ rows: Range<Int>, _ activations: TowerActivations, weights: UnsafePointer<Float>) {
        let dimensions = layout.dimensions
        for layer in 1..<dimensions.count {
            let (inputs, outputs) = (dimensions[layer - 1], dimensions[layer])
            rectify(rows, activations.layers[layer - 1], inputs, layer)
            let (weight, bias) = offsets(layer)
            let out = activations.layers[layer].start + rows.lowerBound * outputs
            for r in 0..<rows.count { (out + r * outputs).update(from: weights + bias, count: outputs) }
            BLAS.multiply(
                m: rows.count, n: outputs, k: inputs, activations.layers[layer - 1].start + rows.lowerBound * inputs,
                lda: inputs, weights + weight, ldb: outputs, beta: 1, out, ldc: outputs)
        }
        normalise(rows, activations)
    }

    private func rectify(_ rows: Range<Int>, _ buffer: FloatBuffer, _ columns: Int, _ layer: Int) {
        let values = buffer.start
        for i in rows.lowerBound * columns..<rows.upperBound * columns { values[i] = max(values[i], 0) }
        if dropout <= 0 { return }
        let scale = Float(1 / (1 - dropout))
        let limit = UInt64(dropout * 65_536)
        for row in rows {
            var random = dropoutKey.stream(row, layer)
            var bits: UInt64 = 0
            for c in 0..<columns {
                if c & 3 == 0 { bits = random.next() } else { bits >>= 16 }
                values[row * columns + c] *= bits & 0xffff < limit ? 0 : scale
            }
        }
    }

    private func normalise(_ rows: Range<Int>, _ activations: TowerActivations) {
        let width = layout.embedding
        let last = activations.layers[activations.layers.count - 1].start
        for row in rows {
            let (from, to) = (last + row * width, activations.unit.start + row * width)
            to.update(from: from, count: width)
            if !cosine { continue }
            let norm = Vector.dot(width, from, from).squareRoot()
            activations.norms.start[row] = norm
            Vector.scale(width, norm > 0 ? 1 / norm : 0, to)
        }
    }

    /// From `unitGradient` to `firstGradient`; adds the gradients of biases and fully connected layers to `small`,
    /// which is laid out as `layout.small(side)`.
    func backward(
        _ rows: Range<Int>, _ activations: TowerActivations, weights: UnsafePointer<Float>, scratch: PassScratch,
        small: UnsafeMutablePointer<Float>
    ) {
        let dimensions = layout.dimensions
        let base = layout.small(side).lowerBound
        var (gradient, below) = scratch.buffers(rows.count * dimensions.max()!)
        embeddingGradient(rows, activations, into: gradient.start)
        for layer in stride(from: dimensions.count - 1, to: 0, by: -1) {
            let (inputs, outputs) = (dimensions[layer - 1], dimensions[layer])
            let (weight, bias) = offsets(layer)
            let input = activations.layers[layer - 1].start + rows.lowerBound * inputs
            BLAS.multiply(
                m: inputs, n: outputs, k: rows.count, input, lda: inputs, transposeA: true, gradient.start,
                ldb: outputs, beta: 1, small + weight - base, ldc: outputs)
            addRows(gradient.start, rows.count, outputs, to: small + bias - base)
            BLAS.multiply(
                m: rows.count, n: inputs, k: outputs, gradient.start, lda: outputs, weights + weight, ldb: outputs,
                transposeB: true, below.start, ldc: inputs)
            // A unit that ReLU or dropout silenced is 0; the others were scaled by dropout.
            let scale = dropout > 0 ? Float(1 / (1 - dropout)) : 1
            Vector.reluGradient(rows.count * inputs, scale: scale, unit: input, below.start)
            swap(&gradient, &below)
        }
        let width = dimensions[0]
        (activations.firstGradient.start + rows.lowerBound * width).update(
            from: gradient.start, count: rows.count * width)
        addRows(gradient.start, rows.count, width, to: small + layout.tensor("\(side).bias")!.offset - base)
    }

    /// Cosine: du = (dû − (û·dû)·û)/‖u‖; 0 for a zero vector.
    private func embeddingGradient(
        _ rows: Range<Int>, _ activations: TowerActivations, into out: UnsafeMutablePointer<Float>
    ) {
        let width = layout.embedding
        for (k, row) in rows.enumerated() {
            let (given, to) = (activations.unitGradient.start + row * width, out + k * width)
            to.update(from: given, count: width)
            if !cosine { continue }
            let unit = activations.unit.start + row * width
            let norm = activations.norms.start[row]
            Vector.addScaled(width, -Vector.dot(width, unit, given), unit, to: to)
            Vector.scale(width, norm > 0 ? 1 / norm : 0, to)
        }
    }

    private func addRows(
        _ values: UnsafePointer<Float>, _ rows: Int, _ columns: Int, to sum: UnsafeMutablePointer<Float>
    ) {
        for r in 0..<rows { Vector.addScaled(columns, 1, values + r * columns, to: sum) }
    }
}
