import LinearAlgebra

/// `sampled-bce`: the same step over single pairs in place of tiles.
extension TowerStep {
    /// - Returns: the sum of the examples' losses.
    func forwardAndBackwardLearners(_ pairs: NegativePairs) -> Double {
        var gradients = [Float](repeating: 0, count: pairs.courses.count)
        let loss = gradients.withUnsafeMutableBufferPointer { gradients in
            forEachLearnerBlock { rows, scratch, _, _ in
                rows.enumerated().reduce(0.0) { sum, row in
                    sum + pairLoss(row.element, row.offset, pairs, gradients.baseAddress!, scratch)
                }
            }
        }
        let byCourse = PairsByCourse(pairs, gradients, candidates)
        let (embedding, scale) = (layout.embedding, trainer.towers.outputScale)
        forEachBlock(candidates.count, TowerTrainer.courseBlock) { _, rows in
            for slot in rows {
                let out = courses.unitGradient.start + slot * embedding
                let sum = byCourse.gather(slot, learners.unit.start, width: embedding, into: out)
                Vector.scale(embedding, scale, out)
                if !outputBias.isEmpty { workspace.biasGradients.start[slot] = sum }
            }
        }
        return loss
    }

    /// Σ over an example's pairs of weight·(log(1 + eˢ) − y·s), y = 1 for labels; ∂/∂s over the batch to `gradients`,
    /// ∂/∂u to the learner's row.
    private func pairLoss(
        _ row: Int, _ index: Int, _ pairs: NegativePairs, _ gradients: UnsafeMutablePointer<Float>,
        _ scratch: BlockScratch
    ) -> Double {
        let (embedding, scale) = (layout.embedding, trainer.towers.outputScale)
        let (unit, out) = (learners.unit.start + row * embedding, learners.unitGradient.start + row * embedding)
        let hasOffsets = fillOffsetsIfAny(row, index, scratch)
        out.update(repeating: 0, count: embedding)
        let first = pairs.offsets[row]
        var loss = 0.0
        for at in first..<pairs.offsets[row + 1] {
            let slot = Int(candidates.slots[Int(pairs.courses[at])])
            let vector = courses.unit.start + slot * embedding
            var score = Double(scale * Vector.dot(embedding, unit, vector))
            if hasOffsets { score += Double(scratch.offsets.start[slot]) }
            let weight = Double(pairs.weights[at])
            let isLabel = at < first + pairs.labelCount[row]
            loss += weight * Scalar.log1pExp(isLabel ? -score : score)
            let gradient = weight * (isLabel ? -Scalar.sigmoid(-score) : Scalar.sigmoid(score))
            gradients[at] = Float(gradient / Double(batch.examples.count))
            Vector.addScaled(embedding, scale * gradients[at], vector, to: out)
        }
        return loss
    }
}
