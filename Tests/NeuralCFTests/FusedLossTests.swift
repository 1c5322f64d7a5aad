// The tiled step against the plain one: logits and gradients by plain loops in double, the loss of whole rows by
// `RowLoss` (itself tested against formulas). Several blocks and tiles, a last panel that is not full, logits that climb
// from tile to tile (the running maximum must be raised), labels and excluded courses on the edges of tiles.
import LinearAlgebra
import NeuralCF
import Testing

@Suite struct FusedLossTests {
    private let rows = 130
    private let count = 777
    private let embedding = 20
    private let scale: Float = 1.5

    private func numbers(_ rows: Int, _ columns: Int, _ purpose: String) -> Matrix {
        var random = RandomKey(seed: 5, purpose: purpose).stream()
        return Matrix(
            rows: rows, columns: columns, values: (0..<rows * columns).map { _ in Float(0.5 * random.normal()) })
    }

    @Test(arguments: [NCFParameters.Loss.softmax, .sampledSoftmax, .bce], [false, true]) func tilesMatchWholeRows(
        _ loss: NCFParameters.Loss, _ hasOffsets: Bool
    ) {
        let (u, v) = (numbers(rows, embedding, "u"), numbers(count, embedding, "v"))
        // The softmax's rise by 120 over the courses: more than exp of a Float spans.
        let slope: Float = loss == .bce ? 0.01 : 0.154
        let offsets = (0..<count).map { hasOffsets ? Float($0) * slope : 0 }
        let labels: [[UInt32]] = (0..<rows).map { $0 == 0 ? [255] : [UInt32($0), 256, 776] }
        let excluded: [[UInt32]] = (0..<rows).map { [UInt32(300 + $0), 511, 775] }
        let rank = (0..<Int32(count)).map { ($0 * 31) % Int32(count) }
        let firstUnpublished = (0..<rows).map { Int32($0 % 3 == 0 ? count : 700) }
        let found = FusedLoss.gradients(
            loss, rho: 0.5, share: 0.25, scale: scale, units: u, vectors: v, offsets: hasOffsets ? offsets : nil,
            labels: labels, excluded: excluded, rank: rank, firstUnpublished: firstUnpublished)

        var (expected, du, dv) = (0.0, [Double](repeating: 0, count: rows * embedding), [Double]())
        var bias = [Double](repeating: 0, count: count)
        dv = [Double](repeating: 0, count: count * embedding)
        for row in 0..<rows {
            var logits = (0..<count).map { course in
                let dot = (0..<embedding).reduce(0.0) { $0 + Double(u[row, $1]) * Double(v[course, $1]) }
                return Float(Double(offsets[course]) + Double(scale) * dot)
            }
            for course in 0..<count where !labels[row].contains(UInt32(course)) {
                if rank[course] >= firstUnpublished[row] || excluded[row].contains(UInt32(course)) {
                    logits[course] = RowLoss.excluded
                }
            }
            expected += whole(loss, &logits, labels[row].map { Int($0) })
            for course in 0..<count where logits[course] != 0 {
                let gradient = 0.25 * Double(logits[course])
                bias[course] += gradient
                for d in 0..<embedding {
                    du[row * embedding + d] += gradient * Double(scale * v[course, d])
                    dv[course * embedding + d] += gradient * Double(scale * u[row, d])
                }
            }
        }
        #expect(abs(found.loss - expected) < 1e-5 * abs(expected))
        // Float sums of several hundred terms.
        #expect(distance(found.units.values, du) < 2e-5)
        #expect(distance(found.vectors.values, dv) < 2e-5)
        #expect(distance(found.bias, bias) < 2e-5)
    }

    private func whole(_ loss: NCFParameters.Loss, _ logits: inout [Float], _ labels: [Int]) -> Double {
        logits.withUnsafeMutableBufferPointer {
            switch loss {
            case .bce: RowLoss.bce($0.baseAddress!, count, labels: labels)
            case .sampledSoftmax: RowLoss.sampledSoftmax($0.baseAddress!, count, labels: labels, rho: 0.5)
            default: RowLoss.softmax($0.baseAddress!, count, labels: labels, rho: 0.5)
            }
        }
    }

    /// Largest difference, relative to the largest value.
    @Test func sampledSoftmaxOfLabelsFarApart() {
        let (u, v) = (numbers(2, embedding, "u"), numbers(count, embedding, "v"))
        var offsets = [Float](repeating: 0, count: count)
        offsets[300] = 900
        let labels: [[UInt32]] = [[300, 20], [21, 300]]
        let found = FusedLoss.gradients(
            .sampledSoftmax, rho: 0.5, share: 1, scale: scale, units: u, vectors: v, offsets: offsets, labels: labels,
            excluded: [[], []], rank: [Int32](repeating: 0, count: count), firstUnpublished: [1, 1])
        var expected = 0.0
        for row in 0..<2 {
            var logits = (0..<count).map { course in
                let dot = (0..<embedding).reduce(0.0) { $0 + Double(u[row, $1]) * Double(v[course, $1]) }
                return Float(Double(offsets[course]) + Double(scale) * dot)
            }
            expected += whole(.sampledSoftmax, &logits, labels[row].map { Int($0) })
        }
        #expect(found.loss.isFinite && abs(found.loss - expected) < 1e-5 * abs(expected))
        #expect(found.units.values.allSatisfy(\.isFinite) && found.vectors.values.allSatisfy(\.isFinite))
    }

    private func distance(_ found: [Float], _ expected: [Double]) -> Double {
        #expect(found.count == expected.count)
        let largest = zip(found, expected).map { abs(Double($0) - $1) }.max()!
        return largest / expected.map { abs($0) }.max()!
    }
}
