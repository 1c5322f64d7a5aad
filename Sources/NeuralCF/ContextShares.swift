import DenseAlgebra
import LinearAlgebra
import Platform

/// What each moment of a learner's context adds to NCF's scores of given courses: the wide part exactly, the towers by
/// the gradient of the score at their first layer (ReLUs and the embedding's norm held fixed) times what the moment put
/// there. Without hidden layers, shares and the bias's share sum to the score.
///
/// One per thread: learners are passed through the tower in blocks, scratch is reused.
package final class ContextShares {
    private let scorer: NCFScorer
    private var wide: WideRow
    private var builder: LearnerInputBuilder
    private let logs = LogTable()
    private var block: Block?
    /// Position + 1 of each course asked for; zero between calls.
    private var slots: [Int32]

    /// The forward pass of some learners.
    private struct Block {
        let learners: Range<Int>
        let inputs: LearnerInputs
        let activations: TowerActivations
    }

    package init(_ scorer: NCFScorer) {
        self.scorer = scorer
        wide = WideRow(courseCount: scorer.courseCount)
        builder = scorer.model.towers.inputBuilder()
        slots = [Int32](repeating: 0, count: scorer.courseCount)
    }

    /// Whether the wide part of a learner's scores is not zero throughout.
    package func hasWide(_ learner: Int) -> Bool {
        fillWide(scorer.context(learner))
        return wide.isNonZero
    }

    /// - Parameters:
    ///   - courses: distinct.
    ///   - means: subtract what each moment adds to the average course of the catalogue.
    /// - Returns: courses × context.
    package func contributions(_ learner: Int, to courses: [UInt32], over means: NCFCourseMeans? = nil) -> Matrix {
        let context = scorer.context(learner)
        var sum = Matrix(rows: courses.count, columns: context.count)
        if context.isEmpty || courses.isEmpty || scorer.model.pairs != nil { return sum }  // ids know of no context
        if scorer.model.model.alpha != 0 { addTowers(learner, context, courses, means, to: &sum) }
        if scorer.model.model.gamma > 0 { addWide(context, courses, means, to: &sum) }
        return sum
    }

    private func addTowers(
        _ learner: Int, _ context: Range<Int>, _ courses: [UInt32], _ means: NCFCourseMeans?, to sum: inout Matrix
    ) {
        let towers = scorer.model.towers
        let block = self.block(learner)
        let row = learner - block.learners.lowerBound
        let width = towers.towers.layout.width
        let gradient = towers.gradient(
            courses, mean: means?.vector, row: row, block.activations, scale: scorer.model.model.alpha)
        // The first layer's rows of the context, times their coefficients: context × width.
        var own = [Float](repeating: 0, count: context.count * width)
        own.withUnsafeMutableBufferPointer { own in
            let start = block.inputs.starts[row]
            for entry in 0..<context.count {
                Vector.addScaled(
                    width, block.inputs.coefficients.start[start + entry],
                    towers.learnerRow(block.inputs.columns.start[start + entry]), to: own.baseAddress! + entry * width)
            }
            sum.values.withUnsafeMutableBufferPointer { out in
                BLAS.multiply(
                    m: courses.count, n: context.count, k: width, gradient, lda: width, own.baseAddress!, ldb: width,
                    transposeB: true, out.baseAddress!, ldc: context.count)
            }
        }
    }

    private func block(_ learner: Int) -> Block {
        if let block, block.learners.contains(learner) { return block }
        let size = TowerTrainer.learnerBlock
        let first = learner / size * size
        let learners = first..<min(first + size, scorer.learnerCount)
        let (inputs, activations) = scorer.model.towers.forward(
            scorer.moments, learners.map(scorer.context), at: scorer.model.time, &builder)
        let made = Block(learners: learners, inputs: inputs, activations: activations)
        block = made
        return made
    }

    private func fillWide(_ context: Range<Int>) {
        let model = scorer.model
        scorer.moments.withSpan(context) {
            wide.fill($0, at: model.time, decay: model.model.linear.decay, matrix: model.wide)
        }
    }

    private func addWide(
        _ context: Range<Int>, _ courses: [UInt32], _ means: NCFCourseMeans?, to sum: inout Matrix
    ) {
        fillWide(context)
        if !wide.isNonZero { return }
        let model = scorer.model
        var weights = [Float](repeating: 0, count: context.count)
        scorer.moments.withSpan(context) { span in
            weights.withUnsafeMutableBufferPointer {
                model.model.linear.decay.weights(span, at: model.time, logs: logs, into: $0.baseAddress!)
            }
        }
        for (k, course) in courses.enumerated() { slots[Int(course)] = Int32(k + 1) }
        let scale = model.model.gamma / wide.largest
        for (entry, at) in context.enumerated() {
            let watched = scorer.moments.courses[at]
            let weight = scale * weights[entry]
            forEachWide(watched, courses) { k, value in sum[k, entry] += weight * value }
            if let mean = means?.wide[Int(watched)] {
                for k in courses.indices { sum[k, entry] -= weight * mean }
            }
        }
        for course in courses { slots[Int(course)] = 0 }
    }

    /// B[i, courses[k]] where it is not zero.
    @inline(__always)
    private func forEachWide(_ i: UInt32, _ courses: [UInt32], _ body: (Int, Float) -> Void) {
        switch scorer.model.wide {
        case .none: break
        case .dense(let matrix):
            for (k, course) in courses.enumerated() { body(k, matrix[Int(i), Int(course)]) }
        case .sparse(let rows):
            for at in rows.range(Int(i)) {
                let slot = slots[Int(rows.columns[at])]
                if slot > 0 { body(Int(slot) - 1, rows.values[at]) }
            }
        }
    }
}

/// The average course of a catalogue as NCF sees it. Made once, for all threads.
package struct NCFCourseMeans: Sendable {
    /// Mean course embedding.
    let vector: [Float]
    /// By watched course: mean of its row of B.
    let wide: [Float]

    package init(_ model: NCFAtTime) {
        let vectors = model.towers.courseVectors
        let courses = Double(max(1, vectors.rows))
        var sums = [Double](repeating: 0, count: vectors.columns)
        for row in 0..<vectors.rows { for d in sums.indices { sums[d] += Double(vectors[row, d]) } }
        vector = sums.map { Float($0 / courses) }
        wide = (0..<model.courseCount).map { row in
            switch model.wide {
            case .none: 0
            case .dense(let matrix):
                Float((0..<matrix.columns).reduce(0.0) { $0 + Double(matrix[row, $1]) } / courses)
            case .sparse(let rows): Float(rows.range(row).reduce(0.0) { $0 + Double(rows.values[$1]) } / courses)
            }
        }
    }
}
