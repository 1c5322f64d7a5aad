import LinearAlgebra

/// Losses of one example over its candidates. Each takes the logits s of N candidates (`excluded` where a course is no
/// candidate), replaces them by ∂loss/∂s and returns the loss. n is the number of labels; labels are positions among
/// the candidates, distinct.
package enum RowLoss {
    /// What stands for −∞: no candidate.
    package static let excluded: Float = -1e30

    /// −n^−ρ Σ_labels log p, p the softmax over all candidates.
    package static func softmax(
        _ logits: UnsafeMutablePointer<Float>, _ count: Int, labels: [Int], rho: Double
    ) -> Double {
        let n = Double(labels.count)
        let weight = power(n, -rho)
        var labelSum = 0.0
        for label in labels { labelSum += Double(logits[label]) }
        let top = Vector.max(count, logits)
        let sum = Vector.expSum(count, logits, shift: top, into: logits)
        Vector.scale(count, Float(weight * n / sum), logits)
        for label in labels { logits[label] -= Float(weight) }
        return weight * (n * (Double(top) + Scalar.log(sum)) - labelSum)
    }

    /// As TensorFlow's sampled softmax: each label alone against the sampled courses that are not its learner's labels.
    /// Logits must have been lessened by the log of each candidate's probability of being in the sample.
    package static func sampledSoftmax(
        _ logits: UnsafeMutablePointer<Float>, _ count: Int, labels: [Int], rho: Double
    ) -> Double {
        let weight = power(Double(labels.count), -rho)
        let scores = labels.map { Double(logits[$0]) }
        for label in labels { logits[label] = excluded }
        let top = max(Vector.max(count, logits), FusedLoss.floor)
        let others = Vector.expSum(count, logits, shift: top, into: logits)
        var (loss, inverse) = (0.0, 0.0)
        for (label, score) in zip(labels, scores) {
            let shift = max(Double(top), score)
            let (own, below) = (Scalar.exp(score - shift), Scalar.exp(Double(top) - shift))
            let sum = others * below + own
            loss += weight * (shift + Scalar.log(sum) - score)
            inverse += weight * below / sum
            logits[label] = Float(weight * (own / sum - 1))
        }
        let labelGradients = labels.map { logits[$0] }
        Vector.scale(count, Float(inverse), logits)
        for (label, gradient) in zip(labels, labelGradients) { logits[label] = gradient }
        return loss
    }

    /// Σ over candidates of log(1 + eˢ) − y·s, y = 1 for labels.
    package static func bce(_ logits: UnsafeMutablePointer<Float>, _ count: Int, labels: [Int]) -> Double {
        var loss = 0.0
        for label in labels { loss -= Double(logits[label]) }
        _ = Vector.expSum(count, logits, shift: 0, into: logits)
        // Σ log(1 + e) as logs of products of eight factors, none above e^88.
        var i = 0
        while i < count {
            let end = min(i + 8, count)
            var product = 1.0
            for k in i..<end {
                let e = logits[k]
                product *= 1 + Double(e)
                logits[k] = e / (1 + e)
            }
            loss += Scalar.log(product)
            i = end
        }
        for label in labels { logits[label] -= 1 }
        return loss
    }

    static func power(_ base: Double, _ exponent: Double) -> Double {
        base == 1 ? 1 : Scalar.exp(exponent * Scalar.log(base))
    }
}

extension NCFParameters.Loss {
    /// What an example loses where all its candidates have the same logit (0, for those that count each candidate by itself).
    /// - Parameter labels: at least 1.
    func ofEqualLogits(labels: Int, candidates: Int, rho: Double) -> Double {
        switch self {
        case .auto, .softmax, .sampledSoftmax:
            return RowLoss.power(Double(labels), 1 - rho) * Scalar.log(Double(candidates))
        case .bce, .sampledBCE: return Double(candidates) * Scalar.log(2)
        }
    }
}
