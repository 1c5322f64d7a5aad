import LinearAlgebra
import Synchronization

/// What a training keeps from step to step, so that no step touches fresh memory.
final class TowerWorkspace {
    private var learnerActivations: TowerActivations?
    private var courseActivations: TowerActivations?
    /// Projected co-watch rows (C × width), and their gradient; only with `cowatch` learner rows.
    let projected: FloatBuffer
    let rowGradient: FloatBuffer
    let packed: PackedCourses
    /// Per group of learner blocks, ∂loss/∂V as `PackedCourses.byCourse` and ∂loss/∂bias.
    private(set) var courseGradients = FloatBuffer(0)
    private(set) var biasGradients = FloatBuffer(0)
    /// Per group of learner blocks and per block of courses: gradients of everything but the tables.
    var learnerSmall: [[Float]] = []
    var courseSmall: [[Float]] = []
    let passes = Pool<PassScratch>()
    let blocks = Pool<BlockScratch>()
    private let layout: TowerLayout

    init(layout: TowerLayout, parameters: NCFParameters) {
        self.layout = layout
        let rows = parameters.learnerRows == .cowatch ? layout.courseCount * layout.width : 0
        (projected, rowGradient) = (FloatBuffer(rows), FloatBuffer(rows))
        packed = PackedCourses(embedding: layout.embedding)
    }

    func learners(_ count: Int) -> TowerActivations { Self.activations(&learnerActivations, count, layout) }
    func courses(_ count: Int) -> TowerActivations { Self.activations(&courseActivations, count, layout) }

    private static func activations(
        _ kept: inout TowerActivations?, _ count: Int, _ layout: TowerLayout
    ) -> TowerActivations {
        if let kept, kept.rowCount >= count { return kept }
        // Some room to spare: sampled candidates are not of one number.
        let made = TowerActivations(rowCount: count + count / 8, dimensions: layout.dimensions, forTraining: true)
        kept = made
        return made
    }

    func reserveGradients(groups: Int, hasBias: Bool) {
        reserve(&courseGradients, groups * packed.paddedCount * packed.depth)
        if hasBias { reserve(&biasGradients, groups * packed.paddedCount) }
    }

    /// `parts` zeroed vectors of `count` values.
    static func clear(_ sums: inout [[Float]], parts: Int, count: Int) {
        if sums.count != parts || sums.first?.count != count {
            sums = [[Float]](repeating: [Float](repeating: 0, count: count), count: parts)
            return
        }
        for i in sums.indices { for j in sums[i].indices { sums[i][j] = 0 } }
    }
}

/// What one thread needs for a block of learners.
final class BlockScratch {
    let example: ExampleScratch
    let pass = PassScratch()
    let fused: FusedScratch
    /// Offsets of one learner's logits.
    let offsets: FloatBuffer

    /// - Parameter tiled: candidates whose weights are kept tile by tile; 0 for single pairs.
    init(courseCount: Int, candidates: Int, tiled: Int, depth: Int) {
        // Some room to spare: sampled candidates are not of one number.
        func roomy(_ count: Int) -> Int { min(courseCount, count + count / 8) }
        example = ExampleScratch(courseCount: courseCount)
        fused = FusedScratch(candidates: roomy(tiled), depth: depth)
        offsets = FloatBuffer(roomy(candidates))
    }
}

/// Scratch values that outlive the threads that use them: each thread borrows one, whose content means nothing.
final class Pool<Item: AnyObject>: @unchecked Sendable {
    private let lock = Mutex<Void>(())
    nonisolated(unsafe) private var idle: [Item] = []

    /// Holds an item until it goes out of use.
    final class Loan {
        let item: Item
        private let pool: Pool<Item>

        fileprivate init(_ item: Item, _ pool: Pool<Item>) { (self.item, self.pool) = (item, pool) }

        deinit { pool.giveBack(item) }
    }

    /// - Parameters:
    ///   - fits: whether an idle item will do; the others are dropped.
    func borrow(fits: (Item) -> Bool = { _ in true }, make: () -> Item) -> Loan {
        let found = lock.withLock { _ -> Item? in
            while let item = idle.popLast() { if fits(item) { return item } }
            return nil
        }
        return Loan(found ?? make(), self)
    }

    private func giveBack(_ item: Item) {
        lock.withLock { _ in idle.append(item) }
    }
}
