import CKernels

extension Adam {
    /// One step's constants.
    package struct Scale: Sendable {
        let size: Float
        let epsilonHat: Float
    }

    /// - Parameter step: counts from 1.
    package func scale(step: Int, rate: Float) -> Scale {
        precondition(step >= 1)
        var (power1, power2) = (1.0, 1.0)
        for _ in 0..<min(step, 40_000) {
            power1 *= Double(beta1)
            power2 *= Double(beta2)
        }
        let root2 = (1 - power2).squareRoot()
        return Scale(size: Float(Double(rate) * root2 / (1 - power1)), epsilonHat: Float(Double(epsilon) * root2))
    }

    /// Steps `count` weights and zeroes their gradient; the other weights' moments stay as they are ("lazy" Adam where
    /// only rows with a gradient are stepped).
    package func update(
        _ count: Int, _ weights: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
        first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, _ scale: Scale
    ) {
        lk_adam(count, weights, gradient, first, second, scale.size, beta1, beta2, scale.epsilonHat, 0)
    }
}
