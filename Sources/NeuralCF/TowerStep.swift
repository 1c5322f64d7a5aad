import LinearAlgebra
import Platform

/// Forward and backward of one step, in the order in which `TowerTrainer.accumulate` calls them.
final class TowerStep {
    /// Sums over learner blocks are kept in at most so many parts, whatever the number of threads.
    static let mostGroups = 8

    let trainer: TowerTrainer
    let batch: TowerBatch
    let candidates: Candidates
    private let weights: UnsafePointer<Float>
    private let learnerPass: TowerPass
    private let coursePass: TowerPass
    let learners: TowerActivations
    let courses: TowerActivations
    private let blocks: Int
    private let groups: Int
    private let isDealt: Bool
    /// The sum over groups.
    private let tree: DealtTree
    /// What ranks have to complete before the step goes on.
    private var due: Meeting
    let outputBias: [Float]
    private let attention: Attention?

    var layout: TowerLayout { trainer.layout }
    private var workers: Workers { trainer.workers }
    var workspace: TowerWorkspace { trainer.workspace }
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
        learners = trainer.workspace.learners(batch.examples.count)
        courses = trainer.workspace.courses(candidates.count)
        blocks = (batch.examples.count + FusedLoss.rows - 1) / FusedLoss.rows
        groups = min(Self.mostGroups, blocks)
        isDealt = trainer.isDealt
        tree = (isDealt ? trainer.workers : Workers(count: 1)).tree(groups)
        due = Meeting(trainer.workers)
        outputBias =
            layout.tensor("course.output_bias").map { bias in
                candidates.courses.map { weights[bias.offset + Int($0)] }
            } ?? []
        trainer.workspace.packed.resize(candidates.count)
        trainer.workspace.reserveGradients(groups: groups, hasBias: !outputBias.isEmpty)
    }

    private func tensor(_ name: String) -> UnsafePointer<Float> { weights + layout.tensor(name)!.offset }

    func forEachBlock(_ count: Int, _ size: Int, _ body: (Int, Range<Int>) -> Void) {
        workers.forEach((count + size - 1) / size) { body($0, TowerBatch.rows($0, count, size)) }
    }

    /// The items of a step that this rank works on.
    private func own(_ items: Int) -> Range<Int> { isDealt ? workers.own(items) : 0..<items }

    /// Blocks of courses, dealt to ranks.
    private func forEachDealtBlock(_ count: Int, _ body: (Range<Int>) -> Void) {
        let size = TowerTrainer.courseBlock
        let blocks = (count + size - 1) / size
        let own = own(blocks)
        workers.forEach(own.count) { body(TowerBatch.rows(own.lowerBound + $0, count, size)) }
    }

    /// The same, but course by course in the order of the snapshot's walk: `body` gets some of the courses and all slots.
    /// - Parameter slots: row of each course among `count`; −1: it has none.
    private func forEachDealtCourse(
        _ count: Int, _ slots: [Int32], _ body: (UnsafeBufferPointer<UInt32>, UnsafePointer<Int32>) -> Void
    ) {
        let size = TowerTrainer.courseBlock
        let own = own((count + size - 1) / size)
        let rows = own.lowerBound * size..<own.upperBound * size
        let courses = batch.snapshot.walk.filter { rows.contains(Int(slots[Int($0)])) }
        courses.withUnsafeBufferPointer { courses in
            slots.withUnsafeBufferPointer { slots in
                forEachBlock(courses.count, size) { _, part in
                    body(UnsafeBufferPointer(rebasing: courses[part]), slots.baseAddress!)
                }
            }
        }
    }

    /// Every course's own number, as slots.
    private var everyCourse: [Int32] { (0..<Int32(layout.courseCount)).map { $0 } }

    /// `count` rows that were computed in dealt blocks are to be completed by the next `meet`.
    private func share(_ rows: UnsafeMutablePointer<Float>, _ count: Int, _ width: Int) {
        if !isDealt { return }
        let size = TowerTrainer.courseBlock
        due.add(rows, items: (count + size - 1) / size) { min($0 * size, count) * width }
    }

    private func meet() { due.hold() }

    /// Course tower of every candidate, and the projected co-watch rows of the learner tower.
    func forwardCourses() {
        let (width, table, bias) = (layout.width, tensor("course.table"), tensor("course.bias"))
        forEachDealtCourse(candidates.count, candidates.slots) { list, slots in
            batch.snapshot.project(
                list, slot: slots, table: table, bias: bias, width: width, into: courses.layers[0].start)
        }
        forEachDealtBlock(candidates.count) { coursePass.forward($0, courses, weights: weights) }
        share(courses.unit.start, candidates.count, layout.embedding)
        if isCoWatch { projectRows() }
        meet()
        if trainer.loss == .sampledBCE { return }
        forEachBlock(candidates.count, TowerTrainer.courseBlock) { _, rows in
            workspace.packed.pack(rows, from: courses.unit.start)
        }
    }

    private func projectRows() {
        let (width, learnerTable) = (layout.width, tensor("learner.table"))
        forEachDealtCourse(layout.courseCount, everyCourse) { list, slots in
            batch.snapshot.project(
                list, slot: slots, table: learnerTable, bias: nil, width: width, into: workspace.projected.start)
        }
        share(workspace.projected.start, layout.courseCount, width)
    }

    /// What a learner's entries point at: projected co-watch rows (C × width) or the table itself.
    private var learnerRows: UnsafePointer<Float> {
        isCoWatch ? UnsafePointer(workspace.projected.start) : tensor("learner.table")
    }

    // MARK: Learners, block by block: tower, logits, loss, and back to the learners' first layer

    /// - Returns: the sum of the examples' losses.
    func forwardAndBackwardLearners() -> Double {
        let fused = FusedLoss(
            loss: trainer.loss, rho: trainer.parameters.rho, share: 1 / Float(batch.examples.count),
            scale: trainer.towers.outputScale, courses: workspace.packed, vectors: courses.unit.start)
        let packed = workspace.packed
        return trainer.publication.ranks(of: candidates).withUnsafeBufferPointer { rank in
            forEachLearnerBlock { rows, scratch, group, isFirst in
                fused.run(
                    fusedBlock(rows, rank.baseAddress!, scratch), scratch.fused,
                    unitGradient: learners.unitGradient.start + rows.lowerBound * layout.embedding,
                    courseGradient: workspace.courseGradients.start + group * packed.paddedCount * packed.depth,
                    biasGradient: outputBias.isEmpty
                        ? nil : workspace.biasGradients.start + group * packed.paddedCount,
                    isFirst: isFirst)
            }
        }
    }

    /// Builds learner inputs, runs the learner tower forward, `body` (rows, scratch, group, whether it is the group's first
    /// block), which must leave the gradient of the learners' embeddings and return its loss, and the tower backward.
    func forEachLearnerBlock(_ body: (Range<Int>, BlockScratch, Int, Bool) -> Double) -> Double {
        TowerWorkspace.clear(&workspace.learnerSmall, parts: groups, count: layout.small(.learner).count)
        var losses = [Double](repeating: 0, count: groups)
        losses.withUnsafeMutableBufferPointer { losses in
            workspace.learnerSmall.withUnsafeMutableBufferPointer { small in
                let own = own(groups)
                workers.forEach(own.count, scratch: borrowBlock) { loan, index in
                    let group = own.lowerBound + index
                    let (first, end) = (group * blocks / groups, (group + 1) * blocks / groups)
                    var builder = batch.inputBuilder()
                    for block in first..<end {
                        let rows = TowerBatch.rows(block, batch.examples.count, FusedLoss.rows)
                        batch.resolve(rows, &loan.item.example.contexts)
                        batch.fillInputs(rows, loan.item.example.contexts, &builder)
                        forwardTower(rows)
                        losses[group] += body(rows, loan.item, group, block == first)
                        small[group].withUnsafeMutableBufferPointer {
                            backwardTower(rows, loan.item.pass, $0.baseAddress!)
                        }
                    }
                }
            }
        }
        if isDealt { shareLearners(&losses) }
        return treeSum(losses)
    }

    /// What the course side needs of every learner: its input and the gradient of its first layer, to go to the table of
    /// courses, and the sums over a rank's own groups.
    private func shareLearners(_ losses: inout [Double]) {
        forEachBlock(candidates.count, TowerTrainer.courseBlock) { _, rows in addGroups(tree.own, rows) }
        losses.withUnsafeMutableBufferPointer { losses in
            due.add(losses.baseAddress!, items: groups) { $0 }
            func firstRow(_ group: Int) -> Int { min(group * blocks / groups * FusedLoss.rows, batch.examples.count) }
            due.add(learners.firstGradient.start, items: groups) { firstRow($0) * layout.width }
            let inputs = batch.inputs
            due.add(inputs.counts.start, items: groups, start: firstRow)
            due.add(inputs.columns.start, items: groups) { inputs.starts[firstRow($0)] }
            due.add(inputs.coefficients.start, items: groups) { inputs.starts[firstRow($0)] }
            let packed = workspace.packed
            shareGroups(workspace.courseGradients, packed.paddedCount * packed.depth)
            if !outputBias.isEmpty { shareGroups(workspace.biasGradients, packed.paddedCount) }
            meet()
        }
    }

    private func shareGroups(_ sums: FloatBuffer, _ size: Int) {
        for roots in tree.rounds {
            due.add(sums.start, parts: roots.map { root in root.map { size * $0..<size * ($0 + 1) } ?? 0..<0 })
        }
    }

    private func borrowBlock() -> Pool<BlockScratch>.Loan {
        let tiled = trainer.loss == .sampledBCE ? 0 : candidates.count
        return workspace.blocks.borrow(
            fits: { $0.fused.candidates >= tiled && $0.offsets.count >= candidates.count }
        ) {
            BlockScratch(
                courseCount: layout.courseCount, candidates: candidates.count, tiled: tiled,
                depth: workspace.packed.depth)
        }
    }

    private func forwardTower(_ rows: Range<Int>) {
        let (width, bias) = (layout.width, tensor("learner.bias"))
        for row in rows {
            attention?.weigh(row, batch.inputs, rows: learnerRows)
            batch.inputs.firstLayer(
                row, rows: learnerRows, bias: bias, width: width, into: learners.layers[0].start + row * width)
        }
        learnerPass.forward(rows, learners, weights: weights)
        // Tower 0 for an empty context: nothing but the bias of its courses is left.
        clearEmpty(rows, learners.unit)
    }

    private func clearEmpty(_ rows: Range<Int>, _ values: FloatBuffer) {
        for row in rows where batch.inputs.counts.start[row] == 0 {
            (values.start + row * layout.embedding).update(repeating: 0, count: layout.embedding)
        }
    }

    private func fusedBlock(
        _ rows: Range<Int>, _ rank: UnsafePointer<Int32>, _ scratch: BlockScratch
    ) -> FusedLoss.Block {
        var hasOffsets = false
        for (index, row) in rows.enumerated() where fillOffsetsIfAny(row, index, scratch) {
            hasOffsets = true
            scratch.fused.setOffsets(index, scratch.offsets.start, count: candidates.count)
        }
        return FusedLoss.Block(
            units: learners.unit.start + rows.lowerBound * layout.embedding, count: rows.count,
            entries: TileEntries(
                labels: batch.labels[rows], excluded: scratch.example.contexts[..<rows.count].map(\.courses)[...],
                slots: candidates.slots, candidates: candidates.count),
            hasOffsets: hasOffsets, rank: rank,
            firstUnpublished: rows.map { trainer.publication.count(at: batch.examples[$0].cut) })
    }

    /// Puts what a learner's logits begin with into `scratch.offsets`.
    /// - Parameter index: of the learner within its block.
    /// - Returns: false if that is 0 for every learner.
    func fillOffsetsIfAny(_ row: Int, _ index: Int, _ scratch: BlockScratch) -> Bool {
        if !trainer.hasOffsets && candidates.logProbability.isEmpty && outputBias.isEmpty { return false }
        fillOffsets(row, index, scratch.offsets.start, scratch.example)
        return true
    }

    private func fillOffsets(
        _ row: Int, _ index: Int, _ out: UnsafeMutablePointer<Float>, _ scratch: ExampleScratch
    ) {
        let example = batch.examples[row]
        let count = candidates.count
        let trend = trainer.trend.row(at: example.cut, emptyContext: scratch.contexts[index].courses.isEmpty)
        scratch.fillWide(example, index, trainer)
        if count == layout.courseCount && candidates.logProbability.isEmpty {
            out.update(from: trend, count: count)
            scratch.wide.add(Float(trainer.linear.gamma), to: out)
        } else {
            let (gamma, wide) = (Float(trainer.linear.gamma), scratch.wide.values)
            candidates.courses.withUnsafeBufferPointer { courses in
                candidates.logProbability.withUnsafeBufferPointer { logs in
                    for k in 0..<count {
                        let course = Int(courses[k])
                        out[k] = trend[course] + gamma * wide[course] - (logs.isEmpty ? 0 : logs[k])
                    }
                }
            }
        }
        if outputBias.isEmpty { return }
        outputBias.withUnsafeBufferPointer { Vector.addScaled(count, 1, $0.baseAddress!, to: out) }
    }

    /// Adds the gradients of the learner tower's biases, fully connected layers and weights of moments from these rows to
    /// `small`.
    private func backwardTower(_ rows: Range<Int>, _ scratch: PassScratch, _ small: UnsafeMutablePointer<Float>) {
        clearEmpty(rows, learners.unitGradient)
        learnerPass.backward(rows, learners, weights: weights, scratch: scratch, small: small)
        if let decay = layout.tensor("learner.decay") {
            decayGradient(rows, small + decay.offset - layout.small(.learner).lowerBound)
        }
        guard let attention else { return }
        for row in rows {
            attention.backward(
                row, batch.inputs, rows: learnerRows, gradient: learners.firstGradient.start + row * layout.width,
                small: small)
        }
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

    // MARK: Courses

    /// Sums ∂loss/∂V over the groups of learners and goes back through the course tower.
    func backwardCourses() {
        let blocks = (candidates.count + TowerTrainer.courseBlock - 1) / TowerTrainer.courseBlock
        TowerWorkspace.clear(&workspace.courseSmall, parts: blocks, count: layout.small(.course).count)
        workspace.courseSmall.withUnsafeMutableBufferPointer { small in
            let own = own(blocks)
            workers.forEach(own.count, scratch: { workspace.passes.borrow { PassScratch() } }) { loan, index in
                let block = own.lowerBound + index
                let rows = TowerBatch.rows(block, candidates.count, TowerTrainer.courseBlock)
                if trainer.loss != .sampledBCE { sumGroups(rows) }
                small[block].withUnsafeMutableBufferPointer {
                    coursePass.backward(rows, courses, weights: weights, scratch: loan.item, small: $0.baseAddress!)
                }
            }
        }
        share(courses.firstGradient.start, candidates.count, layout.width)
        if !outputBias.isEmpty { share(workspace.biasGradients.start, candidates.count, 1) }
    }

    private func sumGroups(_ rows: Range<Int>) {
        addGroups(isDealt ? tree.rest : tree.own, rows)
        let packed = workspace.packed
        packed.unpack(rows, workspace.courseGradients.start, into: courses.unitGradient.start)
    }

    private func addGroups(_ pairs: [(left: Int, right: Int)], _ rows: Range<Int>) {
        let packed = workspace.packed
        let padded = rows.lowerBound..<Panels.padded(rows.upperBound)
        func sum(_ buffer: FloatBuffer, _ size: Int) {
            let start = buffer.start + padded.lowerBound * size
            for (left, right) in pairs {
                Vector.addScaled(
                    padded.count * size, 1, start + right * packed.paddedCount * size,
                    to: start + left * packed.paddedCount * size)
            }
        }
        sum(workspace.courseGradients, packed.depth)
        if !outputBias.isEmpty { sum(workspace.biasGradients, 1) }
    }

    /// Sums the blocks and spreads the first layers' gradients over the tables; a rank, over its own rows of them.
    func addGradients(to gradient: UnsafeMutablePointer<Float>) {
        let entries = EntriesByColumn(batch.inputs, columnCount: layout.courseCount)
        if isCoWatch {
            gather(entries, into: workspace.rowGradient.start)
            share(workspace.rowGradient.start, layout.courseCount, layout.width)
        }
        meet()
        addSmall(to: gradient)
        let courseTable = gradient + layout.tensor("course.table")!.offset
        backProject(slots: candidates.slots, courses.firstGradient, into: courseTable)
        let learnerTable = gradient + layout.tensor("learner.table")!.offset
        if isCoWatch {
            // Courses that no context holds have no gradient to pass on.
            let slots = (0..<layout.courseCount).map { entries.isEmpty($0) ? Int32(-1) : Int32($0) }
            backProject(slots: slots, workspace.rowGradient, into: learnerTable)
        } else {
            gather(entries, into: learnerTable)
        }
    }

    /// The gradients of everything but the tables.
    private func addSmall(to gradient: UnsafeMutablePointer<Float>) {
        let all = isDealt ? workers : Workers(count: 1)
        all.treeSum(&workspace.learnerSmall, size: layout.small(.learner).count)
        all.treeSum(&workspace.courseSmall, size: layout.small(.course).count)
        for (side, sum) in [(TowerLayout.Side.learner, workspace.learnerSmall[0]), (.course, workspace.courseSmall[0])]
        {
            let base = layout.small(side).lowerBound
            for (i, value) in sum.enumerated() { gradient[base + i] += value }
        }
        guard let bias = layout.tensor("course.output_bias") else { return }
        for (k, course) in candidates.courses.enumerated() {
            gradient[bias.offset + Int(course)] += workspace.biasGradients.start[k]
        }
    }

    /// Adds the gradients of learners' first layers to the rows of what they watched; rows of co-watch begin at 0.
    private func gather(_ entries: EntriesByColumn, into target: UnsafeMutablePointer<Float>) {
        let width = layout.width
        forEachDealtCourse(layout.courseCount, everyCourse) { list, _ in
            if isCoWatch { for c in list { (target + Int(c) * width).update(repeating: 0, count: width) } }
            entries.gather(list, learners.firstGradient.start, width: width, into: target)
            if let attention { entries.gather(list, attention, batch.inputs, into: target) }
        }
    }

    private func backProject(slots: [Int32], _ upstream: FloatBuffer, into table: UnsafeMutablePointer<Float>) {
        slots.withUnsafeBufferPointer { slots in
            forEachDealtCourse(layout.courseCount, everyCourse) { list, _ in
                batch.snapshot.backProject(
                    list, slot: slots.baseAddress!, upstream: upstream.start, width: layout.width, into: table)
            }
        }
    }
}
