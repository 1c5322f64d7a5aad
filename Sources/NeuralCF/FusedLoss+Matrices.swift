import LinearAlgebra

extension FusedLoss {
    package struct Result {
        package var loss: Double
        /// ∂/∂U, ∂/∂V and the sum of ∂/∂S over learners, one per candidate.
        package var units: Matrix
        package var vectors: Matrix
        package var bias: [Float]
    }

    /// The loss of any number of learners and its gradients in one call, for tests and small problems: one thread, fresh
    /// memory, one group of blocks.
    /// - Parameters:
    ///   - offsets: one per candidate, the same for every learner; nil: 0.
    ///   - rank: place of each candidate in the order of publication; `firstUnpublished`: per learner, the first place
    ///     that is no candidate yet.
    package static func gradients(
        _ loss: NCFParameters.Loss, rho: Double, share: Float, scale: Float, units: Matrix, vectors: Matrix,
        offsets: [Float]?, labels: [[UInt32]], excluded: [[UInt32]], rank: [Int32], firstUnpublished: [Int32]
    ) -> Result {
        let (count, embedding) = (vectors.rows, vectors.columns)
        let packed = PackedCourses(embedding: embedding)
        packed.resize(count)
        let scratch = FusedScratch(candidates: count, depth: packed.depth)
        let gradient = FloatBuffer(packed.paddedCount * packed.depth)
        let bias = FloatBuffer(packed.paddedCount)
        var result = Result(
            loss: 0, units: Matrix(rows: units.rows, columns: embedding),
            vectors: Matrix(rows: count, columns: embedding), bias: [])
        let slots = (0..<Int32(count)).map { $0 }
        vectors.values.withUnsafeBufferPointer { v in
            packed.pack(0..<count, from: v.baseAddress!)
            let fused = FusedLoss(
                loss: loss, rho: rho, share: share, scale: scale, courses: packed, vectors: v.baseAddress!)
            for start in Swift.stride(from: 0, to: units.rows, by: rows) {
                let range = start..<min(start + rows, units.rows)
                if let offsets { for row in 0..<range.count { scratch.setOffsets(row, offsets, count: count) } }
                let entries = TileEntries(
                    labels: labels[range], excluded: excluded[range], slots: slots, candidates: count)
                units.values.withUnsafeBufferPointer { u in
                    rank.withUnsafeBufferPointer { rank in
                        result.units.values.withUnsafeMutableBufferPointer { out in
                            result.loss += fused.run(
                                Block(
                                    units: u.baseAddress! + start * embedding, count: range.count, entries: entries,
                                    hasOffsets: offsets != nil, rank: rank.baseAddress!,
                                    firstUnpublished: Array(firstUnpublished[range])),
                                scratch, unitGradient: out.baseAddress! + start * embedding,
                                courseGradient: gradient.start, biasGradient: bias.start, isFirst: start == 0)
                        }
                    }
                }
            }
        }
        result.vectors.values.withUnsafeMutableBufferPointer {
            packed.unpack(0..<count, gradient.start, into: $0.baseAddress!)
        }
        result.bias = Array(bias.array.prefix(count))
        return result
    }
}
