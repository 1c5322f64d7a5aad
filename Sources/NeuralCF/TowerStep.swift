import LinearAlgebra
import Platform

/// Forward and backward of one step, in the order in which `TowerTrainer.accumulate` calls them.
final class TowerStep {
    private let trainer: TowerTrainer
    private let batch: TowerBatch
    private let candidates: Candidates
    private let weights: UnsafePointer<Float>
    private let learnerPass: TowerPass
    private let coursePass: TowerPass
    private let learners: TowerActivations
    private let courses: TowerActivations
    /// What a learner's entries point at: projected co-watch rows (C × width) or the table itself.
    private let projected: FloatBuffer
    private var learnerSmall: [[Float]] = []
    private var courseSmall: [[Float]] = []
    private let outputBias: FloatBuffer
    private let attention: Attention?

    private var layout: TowerLayout { trainer.layout }
    private var workers: Workers { trainer.workers }
    private var isCoWatch: Bool { trainer.parameters.learnerRows == .cowatch }

    init(
        trainer: TowerTrainer, batch: TowerBatch, candidates: Candidates, weights: UnsafePointer<Float>, step: Int
    ) {
        (self.trainer, self.batch, self.candidates, self.weights) = (trainer, batch, candidates, weights)
        let (parameters, layout) = (trainer.parameters, trainer.layout)
        attention = Attention(layout, weights)
        func pass(_ side: TowerLayout.Side) -> TowerPass {
            // A key of its own per step: rows of different steps draw different masks.
            let seed = mix(parameters.seed ^ mix(UInt64(step)))
            return TowerPass(
                layout: layout, side: side, cosine: parameters.output == .cosine, dropout: parameters.dropout,
                dropoutKey: RandomKey(seed: seed, purpose: "ncf.dropout.\(side)"))
        }
        learnerPass = pass(.learner)
        coursePass = pass(.course)
        learners = TowerActivations(
            rowCount: batch.examples.count, dimensions: layout.dimensions, forTraining: true)
        courses = TowerActivations(rowCount: candidates.count, dimensions: layout.dimensions, forTraining: true)
        projected = FloatBuffer(parameters.learnerRows == .cowatch ? layout.courseCount * layout.width : 0)
        outputBias = FloatBuffer(parameters.output == .dot ? candidates.count : 0)
    }

    private func tensor(_ name: String) -> UnsafePointer<Float> { weights + layout.tensor(name)!.offset }

    private func forEachBlock(_ count: Int, _ size: Int, _ body: (Int, Range<Int>) -> Void) {
        workers.forEach((count + size - 1) / size) { body($0, TowerBatch.rows($0, count, size)) }
    }

    /// Course tower of every candidate, and the projected co-watch rows of the learner tower.
    func forwardCourses() {
        let (width, table, bias) = (layout.width, tensor("course.table"), tensor("course.bias"))
        candidates.courses.withUnsafeBufferPointer { list in
            forEachBlock(candidates.count, TowerTrainer.courseBlock) { _, rows in
                batch.snapshot.project(
                    UnsafeBufferPointer(rebasing: list[rows]), table: table, bias: bias, width: width,
                    into: courses.layers[0].start + rows.lowerBound * width)
                coursePass.forward(rows, courses, weights: weights)
            }
        }
        if isCoWatch {
            let all = (0..<layout.courseCount).map { UInt32($0) }
            let table = tensor("learner.table")
            all.withUnsafeBufferPointer { all in
                forEachBlock(layout.courseCount, TowerTrainer.courseBlock) { _, rows in
                    batch.snapshot.project(
                        UnsafeBufferPointer(rebasing: all[rows]), table: table, bias: nil, width: width,
                        into: projected.start + rows.lowerBound * width)
                }
            }
        }
        if let bias = layout.tensor("course.output_bias") {
            for (k, course) in candidates.courses.enumerated() {
                outputBias.start[k] = weights[bias.offset + Int(course)]
            }
        }
    }

    private var learnerRows: UnsafePointer<Float> {
        isCoWatch ? UnsafePointer(projected.start) : tensor("learner.table")
    }

    /// Learner tower, logits, loss and its way back to the learners' first layer. Afterwards `logits` holds
    /// ∂(mean loss)/∂logits.
    func learners(_ logits: FloatBuffer) -> Double {
        let blocks = (batch.examples.count + TowerTrainer.learnerBlock - 1) / TowerTrainer.learnerBlock
        var results = [(loss: Double, small: [Float])](repeating: (0, []), count: blocks)
        results.withUnsafeMutableBufferPointer { slots in
            workers.forEach(blocks, scratch: { ExampleScratch(courseCount: layout.courseCount) }) { scratch, block in
                let rows = TowerBatch.rows(block, batch.examples.count, TowerTrainer.learnerBlock)
                let loss = forwardBlock(rows, logits.start, scratch)
                slots[block] = (loss, backwardBlock(rows, logits.start))
            }
        }
        learnerSmall = results.map(\.small)
        return treeSum(results.map(\.loss))
    }

    private func forwardBlock(
        _ rows: Range<Int>, _ logits: UnsafeMutablePointer<Float>, _ scratch: ExampleScratch
    ) -> Double {
        let (width, embedding, count) = (layout.width, layout.embedding, candidates.count)
        let bias = tensor("learner.bias")
        for row in rows {
            attention?.weigh(row, batch.inputs, rows: learnerRows)
            batch.inputs.firstLayer(
                row, rows: learnerRows, bias: bias, width: width, into: learners.layers[0].start + row * width)
        }
        learnerPass.forward(rows, learners, weights: weights)
        for row in rows {
            // Tower 0 for an empty context: nothing but the bias of its courses is left.
            if batch.inputs.counts.start[row] == 0 {
                (learners.unit.start + row * embedding).update(repeating: 0, count: embedding)
            }
            fillOffsets(row, logits + row * count, scratch)
        }
        BLAS.multiply(
            m: rows.count, n: count, k: embedding, alpha: trainer.towers.outputScale,
            learners.unit.start + rows.lowerBound * embedding, lda: embedding, courses.unit.start, ldb: embedding,
            transposeB: true, beta: 1, logits + rows.lowerBound * count, ldc: count)
        return treeSum(rows.map { lossOf($0, logits + $0 * count) })
    }

    private func fillOffsets(_ row: Int, _ out: UnsafeMutablePointer<Float>, _ scratch: ExampleScratch) {
        let example = batch.examples[row]
        let count = candidates.count
        let resolved = batch.wideContext[row]
        let trend = trainer.trend.row(at: example.cut, emptyContext: resolved.context.isEmpty)
        scratch.fillWide(example, resolved, trainer)
        if candidates.logProbability.isEmpty {
            out.update(from: trend, count: count)
            scratch.wide.add(Float(trainer.linear.gamma), to: out)
        } else {
            let (gamma, wide) = (Float(trainer.linear.gamma), scratch.wide.values)
            candidates.courses.withUnsafeBufferPointer { courses in
                candidates.logProbability.withUnsafeBufferPointer { logs in
                    for k in 0..<count {
                        let course = Int(courses[k])
                        out[k] = trend[course] + gamma * wide[course] - logs[k]
                    }
                }
            }
        }
        if outputBias.count > 0 { Vector.addScaled(count, 1, outputBias.start, to: out) }
    }

    /// The loss of one example; its logits become ∂(mean loss)/∂logits.
    private func lossOf(_ row: Int, _ logits: UnsafeMutablePointer<Float>) -> Double {
        let example = batch.examples[row]
        let count = candidates.count
        for course in batch.contexts[row] {
            let slot = Int(candidates.slots[Int(course)])
            if slot >= 0 { logits[slot] = RowLoss.excluded }
        }
        let labels = batch.labels[row].map { Int(candidates.slots[Int($0)]) }
        maskUnpublished(example.cut, labels, logits)
        let rho = trainer.parameters.rho
        let loss =
            switch trainer.loss {
            case .bce: RowLoss.bce(logits, count, labels: labels)
            case .sampledSoftmax: RowLoss.sampledSoftmax(logits, count, labels: labels, rho: rho)
            case .softmax, .auto: RowLoss.softmax(logits, count, labels: labels, rho: rho)
            }
        Vector.scale(count, 1 / Float(batch.examples.count), logits)
        return loss
    }

    private func maskUnpublished(_ cut: Int64, _ labels: [Int], _ logits: UnsafeMutablePointer<Float>) {
        if trainer.latestPublication <= cut { return }
        trainer.data.publishedAt.withUnsafeBufferPointer { published in
            for (k, course) in candidates.courses.enumerated()
            where published[Int(course)] > cut && !labels.contains(k) { logits[k] = RowLoss.excluded }
        }
    }

    /// - Returns: gradients of the learner tower's biases, fully connected layers and decay from these rows.
    private func backwardBlock(_ rows: Range<Int>, _ logits: UnsafePointer<Float>) -> [Float] {
        let (embedding, count) = (layout.embedding, candidates.count)
        BLAS.multiply(
            m: rows.count, n: embedding, k: count, alpha: trainer.towers.outputScale,
            logits + rows.lowerBound * count, lda: count, courses.unit.start, ldb: embedding,
            learners.unitGradient.start + rows.lowerBound * embedding, ldc: embedding)
        for row in rows where batch.inputs.counts.start[row] == 0 {
            (learners.unitGradient.start + row * embedding).update(repeating: 0, count: embedding)
        }
        var small = [Float](repeating: 0, count: layout.small(.learner).count)
        small.withUnsafeMutableBufferPointer {
            learnerPass.backward(rows, learners, weights: weights, small: $0.baseAddress!)
            if let decay = layout.tensor("learner.decay") {
                decayGradient(rows, $0.baseAddress! + decay.offset - layout.small(.learner).lowerBound)
            }
            if let attention {
                for row in rows {
                    attention.backward(
                        row, batch.inputs, rows: learnerRows,
                        gradient: learners.firstGradient.start + row * layout.width, small: $0.baseAddress!)
                }
            }
        }
        return small
    }

    /// ∂/∂a and ∂/∂b: with h = Σ w_i·row_i/‖x‖ and g = ∂loss/∂h,
    /// ∂loss/∂w_i = (g·row_i − (g·h)·cross_i)/‖x‖ and ∂w_i/∂a = −log(1 + age_i)·w_i.
    private func decayGradient(_ rows: Range<Int>, _ out: UnsafeMutablePointer<Float>) {
        let (width, inputs) = (layout.width, batch.inputs)
        var (age, position) = (0.0, 0.0)
        for row in rows {
            let range = inputs.starts[row]..<inputs.starts[row] + Int(inputs.counts.start[row])
            let gradient = learners.firstGradient.start + row * width
            let dots = range.map {
                Vector.dot(width, gradient, learnerRows + Int(inputs.columns.start[$0]) * width)
            }
            var along: Float = 0
            for (k, at) in range.enumerated() { along += inputs.coefficients.start[at] * dots[k] }
            for (k, at) in range.enumerated() {
                let change = (dots[k] - along * inputs.cross.start[at]) * inputs.coefficients.start[at]
                age -= Double(change * inputs.logAge.start[at])
                position -= Double(change * inputs.logPosition.start[at])
            }
        }
        out[0] += Float(age)
        out[1] += Float(position)
    }

    /// Gᵀ·Û and back through the course tower.
    func backwardCourses(_ logits: FloatBuffer) {
        let (embedding, count) = (layout.embedding, candidates.count)
        let blocks = (count + TowerTrainer.courseBlock - 1) / TowerTrainer.courseBlock
        courseSmall = workers.map(blocks) { block in
            let rows = TowerBatch.rows(block, count, TowerTrainer.courseBlock)
            BLAS.multiply(
                m: rows.count, n: embedding, k: batch.examples.count, alpha: trainer.towers.outputScale,
                logits.start + rows.lowerBound, lda: count, transposeA: true, learners.unit.start, ldb: embedding,
                courses.unitGradient.start + rows.lowerBound * embedding, ldc: embedding)
            if outputBias.count > 0 {
                let bias = outputBias.start + rows.lowerBound  // reused for its own gradient
                bias.update(repeating: 0, count: rows.count)
                for row in 0..<batch.examples.count {
                    Vector.addScaled(rows.count, 1, logits.start + row * count + rows.lowerBound, to: bias)
                }
            }
            var small = [Float](repeating: 0, count: layout.small(.course).count)
            small.withUnsafeMutableBufferPointer {
                coursePass.backward(rows, courses, weights: weights, small: $0.baseAddress!)
            }
            return small
        }
    }

    /// Sums the blocks and spreads the first layers' gradients over the tables.
    func addGradients(to gradient: UnsafeMutablePointer<Float>) {
        for (side, parts) in [(TowerLayout.Side.learner, learnerSmall), (.course, courseSmall)] {
            var parts = parts
            treeSum(&parts)
            let base = layout.small(side).lowerBound
            for (i, value) in parts[0].enumerated() { gradient[base + i] += value }
        }
        if let bias = layout.tensor("course.output_bias") {
            for (k, course) in candidates.courses.enumerated() {
                gradient[bias.offset + Int(course)] += outputBias.start[k]
            }
        }
        let courseTable = gradient + layout.tensor("course.table")!.offset
        backProject(slots: candidates.slots, courses.firstGradient, into: courseTable)
        addLearnerTable(to: gradient + layout.tensor("learner.table")!.offset)
    }

    private func addLearnerTable(to table: UnsafeMutablePointer<Float>) {
        let (width, courseCount) = (layout.width, layout.courseCount)
        let entries = EntriesByColumn(batch.inputs, columnCount: courseCount)
        if !isCoWatch {
            forEachBlock(courseCount, TowerTrainer.courseBlock) { _, rows in
                entries.gather(rows, learners.firstGradient.start, width: width, into: table)
                if let attention { entries.gather(rows, attention, batch.inputs, into: table) }
            }
            return
        }
        let rowGradient = FloatBuffer(courseCount * width)
        forEachBlock(courseCount, TowerTrainer.courseBlock) { _, rows in
            entries.gather(rows, learners.firstGradient.start, width: width, into: rowGradient.start)
            if let attention { entries.gather(rows, attention, batch.inputs, into: rowGradient.start) }
        }
        // Courses that no context holds have no gradient to pass on.
        let slots = (0..<courseCount).map { entries.isEmpty($0) ? Int32(-1) : Int32($0) }
        backProject(slots: slots, rowGradient, into: table)
    }

    private func backProject(slots: [Int32], _ upstream: FloatBuffer, into table: UnsafeMutablePointer<Float>) {
        slots.withUnsafeBufferPointer { slots in
            forEachBlock(layout.courseCount, TowerTrainer.courseBlock) { _, rows in
                batch.snapshot.backProject(
                    rows, slot: slots.baseAddress!, upstream: upstream.start, width: layout.width, into: table)
            }
        }
    }
}
