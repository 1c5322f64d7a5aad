import DenseAlgebra
import LinearAlgebra
import Platform

/// The trained towers at one co-watch snapshot: course embeddings, and the rows from which learner embeddings are made.
/// Nothing here depends on which learner is asked for, so it is made once and shared by all threads.
package final class TowersAtTime: Sendable {
    package let towers: Towers
    /// C × embedding; of length 1 with cosine output, 0 where the tower is silent.
    package let courseVectors: Matrix
    /// C, zero but with dot output.
    package let courseBias: [Float]
    private let inputs: SnapshotInputs
    /// C × width: what watching a course adds to the first layer.
    private let learnerRows: FloatBuffer

    /// - Parameters:
    ///   - snapshot: the newest at or before the time from which learners will be scored; nil: none yet.
    ///   - courseVectors: as stored; nil: computed here.
    package init(_ towers: Towers, snapshot: CoWatchSnapshot?, courseVectors: Matrix? = nil, workers: Workers) {
        let layout = towers.layout
        let inputs = SnapshotInputs(snapshot?.similarity, courseCount: layout.courseCount)
        self.towers = towers
        self.inputs = inputs
        self.courseVectors = courseVectors ?? Self.courseVectors(towers, inputs, workers)
        courseBias =
            layout.tensor("course.output_bias").map { Array(towers.weights[$0.range]) }
            ?? [Float](repeating: 0, count: layout.courseCount)
        if towers.parameters.learnerRows == .cowatch {
            learnerRows = Self.projected(towers, inputs, .learner, bias: false, workers)
        } else {
            let table = layout.tensor("learner.table")!
            learnerRows = FloatBuffer(table.count)
            towers.weights.withUnsafeBufferPointer {
                learnerRows.start.update(from: $0.baseAddress! + table.offset, count: table.count)
            }
        }
    }

    private static func courseVectors(_ towers: Towers, _ inputs: SnapshotInputs, _ workers: Workers) -> Matrix {
        let layout = towers.layout
        let activations = TowerActivations(
            rowCount: layout.courseCount, dimensions: layout.dimensions,
            first: projected(towers, inputs, .course, bias: true, workers))
        let pass = TowerPass(inference: towers, side: .course)
        towers.weights.withUnsafeBufferPointer { weights in
            forEachBlock(layout.courseCount, TowerTrainer.courseBlock, workers) { rows in
                pass.forward(rows, activations, weights: weights.baseAddress!)
            }
        }
        return Matrix(rows: layout.courseCount, columns: layout.embedding, values: activations.unit.array)
    }

    /// Every course's normalised co-watch row times a tower's table: C × width.
    private static func projected(
        _ towers: Towers, _ inputs: SnapshotInputs, _ side: TowerLayout.Side, bias: Bool, _ workers: Workers
    ) -> FloatBuffer {
        let layout = towers.layout
        let out = FloatBuffer(layout.courseCount * layout.width)
        let everyCourse = (0..<Int32(layout.courseCount)).map { $0 }
        let (table, offset) = (layout.tensor("\(side).table")!.offset, layout.tensor("\(side).bias")!.offset)
        towers.weights.withUnsafeBufferPointer { weights in
            inputs.walk.withUnsafeBufferPointer { walk in
                everyCourse.withUnsafeBufferPointer { slots in
                    let start = weights.baseAddress!
                    forEachBlock(walk.count, TowerTrainer.courseBlock, workers) { part in
                        inputs.project(
                            UnsafeBufferPointer(rebasing: walk[part]), slot: slots.baseAddress!, table: start + table,
                            bias: bias ? start + offset : nil, width: layout.width, into: out.start)
                    }
                }
            }
        }
        return out
    }

    /// Learner embeddings at a time (learners × embedding); zero for empty contexts.
    /// - Parameter learners: rows of `moments`; contexts are `[time − history, time)`.
    package func learnerVectors(
        _ moments: Moments, learners: [Int], at time: Int64, history: Int64, workers: Workers
    ) -> Matrix {
        let layout = towers.layout
        let ranges = learners.map { moments.range($0, from: time - history, to: time) }
        var result = Matrix(rows: learners.count, columns: layout.embedding)
        result.values.withUnsafeMutableBufferPointer { out in
            forEachBlock(learners.count, TowerTrainer.learnerBlock, workers) { rows in
                var builder = inputBuilder()
                let (built, activations) = forward(moments, Array(ranges[rows]), at: time, &builder)
                for (k, row) in rows.enumerated() where built.counts.start[k] > 0 {
                    (out.baseAddress! + row * layout.embedding).update(
                        from: activations.unit.start + k * layout.embedding, count: layout.embedding)
                }
            }
        }
        return result
    }

    /// Scratch of one thread for `forward`.
    func inputBuilder() -> LearnerInputBuilder {
        LearnerInputBuilder(
            courseCount: towers.layout.courseCount, cowatch: towers.parameters.learnerRows == .cowatch ? inputs : nil,
            decay: towers.decay)
    }

    /// What watching a course adds to the first layer, before its coefficient.
    func learnerRow(_ course: UInt32) -> UnsafePointer<Float> {
        UnsafePointer(learnerRows.start + Int(course) * towers.layout.width)
    }

    /// The learner tower of some contexts.
    func forward(
        _ moments: Moments, _ ranges: [Range<Int>], at time: Int64, _ builder: inout LearnerInputBuilder
    ) -> (LearnerInputs, TowerActivations) {
        let layout = towers.layout
        let built = LearnerInputs(
            lengths: ranges.map(\.count), input: towers.parameters.learnerInput)
        let first = FloatBuffer(ranges.count * layout.width)
        let activations = TowerActivations(rowCount: ranges.count, dimensions: layout.dimensions, first: first)
        towers.weights.withUnsafeBufferPointer { weights in
            let attention = Attention(layout, weights.baseAddress!)
            let bias = weights.baseAddress! + layout.tensor("learner.bias")!.offset
            for (k, range) in ranges.enumerated() {
                builder.begin()
                for at in range { builder.append(moments.courses[at], moments.times[at]) }
                builder.finish(k, at: time, into: built)
                attention?.weigh(k, built, rows: learnerRows.start)
                built.firstLayer(
                    k, rows: learnerRows.start, bias: bias, width: layout.width, into: first.start + k * layout.width)
            }
            TowerPass(inference: towers, side: .learner).forward(
                0..<ranges.count, activations, weights: weights.baseAddress!)
        }
        return (built, activations)
    }

    /// The gradient of tower scores at a learner's first layer (courses × width), the embedding's norm held fixed.
    /// - Parameters:
    ///   - mean: a course vector that is subtracted from every course's; nil: none.
    ///   - row: the learner's row of `activations`.
    func gradient(
        _ courses: [UInt32], mean: [Float]?, row: Int, _ activations: TowerActivations, scale: Float
    ) -> [Float] {
        let layout = towers.layout
        let norm = towers.parameters.output == .cosine ? activations.norms.start[row] : 1
        let factor = norm > 0 ? scale * towers.outputScale / norm : 0
        var gradient = [Float](repeating: 0, count: courses.count * layout.embedding)
        for (k, course) in courses.enumerated() {
            let (from, to) = (Int(course) * layout.embedding, k * layout.embedding)
            for d in 0..<layout.embedding {
                gradient[to + d] = factor * (courseVectors.values[from + d] - (mean?[d] ?? 0))
            }
        }
        for layer in stride(from: layout.dimensions.count - 1, to: 0, by: -1) {
            gradient = below(layer, gradient, courses.count, row, activations)
        }
        return gradient
    }

    private func below(
        _ layer: Int, _ gradient: [Float], _ count: Int, _ row: Int, _ activations: TowerActivations
    ) -> [Float] {
        let (inputs, outputs) = (towers.layout.dimensions[layer - 1], towers.layout.dimensions[layer])
        let weight = towers.layout.tensor("learner.dense.\(layer).weight")!.offset
        let own = activations.layers[layer - 1].start + row * inputs
        var result = [Float](repeating: 0, count: count * inputs)
        towers.weights.withUnsafeBufferPointer { weights in
            result.withUnsafeMutableBufferPointer { out in
                BLAS.multiply(
                    m: count, n: inputs, k: outputs, gradient, lda: outputs, weights.baseAddress! + weight,
                    ldb: outputs, transposeB: true, out.baseAddress!, ldc: inputs)
                for k in 0..<count { for i in 0..<inputs where own[i] <= 0 { out[k * inputs + i] = 0 } }
            }
        }
        return result
    }
}

/// Calls `body` with the row ranges of constant size that cover 0..<count.
func forEachBlock(_ count: Int, _ size: Int, _ workers: Workers, _ body: (Range<Int>) -> Void) {
    workers.forEach((count + size - 1) / size) { body(TowerBatch.rows($0, count, size)) }
}
