import CKernels

/// Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1): each weight in one fused pass over it, its gradient and moments.
package struct Adam: Sendable {
    package var beta1: Float = 0.9
    package var beta2: Float = 0.999
    package var epsilon: Float = 1e-8

    package init() {}

    /// One step's constants.
    package struct Scale: Sendable {
        let size: Float
        let epsilonHat: Float
        let l2: Float
    }

    /// - Parameters:
    ///   - step: counts from 1.
    ///   - l2: added to the gradient as l2·w.
    package func scale(step: Int, rate: Float, l2: Float = 0) -> Scale {
        precondition(step >= 1)
        var (power1, power2) = (1.0, 1.0)
        for _ in 0..<min(step, 40_000) {
            power1 *= Double(beta1)
            power2 *= Double(beta2)
        }
        let root2 = (1 - power2).squareRoot()
        return Scale(
            size: Float(Double(rate) * root2 / (1 - power1)), epsilonHat: Float(Double(epsilon) * root2), l2: l2)
    }

    /// Steps `count` weights and zeroes their gradient; the other weights' moments stay as they are ("lazy" Adam where
    /// only rows with a gradient are stepped).
    package func update(
        _ count: Int, _ weights: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
        first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, _ scale: Scale
    ) {
        lk_adam(count, weights, gradient, first, second, scale.size, beta1, beta2, scale.epsilonHat, scale.l2)
    }

    /// Steps the weights of some ranges (nil: all) and zeroes their gradient.
    package func update(
        weights: inout [Float], gradient: inout [Float], first: inout [Float], second: inout [Float],
        ranges: [Range<Int>]? = nil, _ scale: Scale, workers: Workers
    ) {
        let n = weights.count
        precondition(gradient.count == n && first.count == n && second.count == n)
        let block = 1 << 16
        let blocks = (ranges ?? [0..<n]).flatMap { range in
            stride(from: range.lowerBound, to: range.upperBound, by: block).map {
                $0..<min($0 + block, range.upperBound)
            }
        }
        precondition(blocks.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= n })
        weights.withUnsafeMutableBufferPointer { w in
            gradient.withUnsafeMutableBufferPointer { g in
                first.withUnsafeMutableBufferPointer { m in
                    second.withUnsafeMutableBufferPointer { v in
                        workers.forEach(blocks.count) { index in
                            let at = blocks[index].lowerBound
                            update(
                                blocks[index].count, w.baseAddress! + at, gradient: g.baseAddress! + at,
                                first: m.baseAddress! + at, second: v.baseAddress! + at, scale)
                        }
                    }
                }
            }
        }
    }
}
