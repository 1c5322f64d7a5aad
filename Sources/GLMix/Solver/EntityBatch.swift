import LinearAlgebra

/// Solves the small entities of a block eight at a time (`EntityKernels.solve`); one per thread. An entity's result does
/// not depend on which others it is solved with. Larger entities, and those with more rows than features, are left to
/// `EntitySolver`, which solves the same problem one at a time.
final class EntityBatch {
    /// Systems of this order still fit the cache eight at a time.
    static let mostRows = 32

    private let l2: Double
    private var waiting: [(rows: Int, entity: UInt32)] = []
    private var scratch = UnsafeMutableBufferPointer<Double>.alignedForVectors(0)
    private let entities = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: EntityKernels.lanes)
    private let weightScale = UnsafeMutablePointer<Double>.allocate(capacity: EntityKernels.lanes)
    private let local: UnsafeMutablePointer<UInt32>

    /// - Parameter features: of the coordinate, the intercept included.
    init(l2: Double, features: Int) {
        self.l2 = l2
        local = .allocate(capacity: features)
    }

    deinit {
        scratch.deallocate()
        entities.deallocate()
        weightScale.deallocate()
        local.deallocate()
    }

    /// Notes an entity for the next `solve`; false where it is not one of the small ones.
    func takes(_ e: Int, _ view: EntityView) -> Bool {
        let rows = view.rowRange(e).count
        if rows > Self.mostRows || rows >= view.range(e).count { return false }
        waiting.append((rows, UInt32(e)))
        return true
    }

    /// Solves all that was noted, those of like size together.
    /// - Parameters: offsets and scores: one per example; values and alpha: of all entities (`EntityLayout`).
    func solve(
        _ view: EntityView, _ data: RowPointers, _ offsets: UnsafePointer<Double>, allRows: RowGroups,
        values: UnsafeMutablePointer<Double>, alpha: UnsafeMutablePointer<Double>, scores: UnsafeMutablePointer<Double>
    ) {
        waiting.sort { $0 < $1 }
        for first in stride(from: 0, to: waiting.count, by: EntityKernels.lanes) {
            let chosen = waiting[first..<min(waiting.count, first + EntityKernels.lanes)]
            var features = 0
            for (lane, (rows, entity)) in chosen.enumerated() {
                entities[lane] = entity
                weightScale[lane] = Double(allRows.range(Int(entity)).count) / Double(rows)
                features = max(features, view.range(Int(entity)).count)
            }
            let most = chosen.last!.rows
            reserve(EntityKernels.scratchCount(rows: most, features: features))
            EntityKernels.solve(
                view, labels: data.labels, weights: data.weights, offsets: offsets,
                UnsafeBufferPointer(rebasing: entities[..<chosen.count]), weightScale: weightScale, rows: most,
                features: features, l2: l2, decrement: EntitySolver.decrement, mostSteps: EntitySolver.mostSteps,
                alpha: alpha, theta: values, scores: scores, scratch: scratch.baseAddress!, local: local)
        }
        waiting.removeAll(keepingCapacity: true)
    }

    private func reserve(_ count: Int) {
        if count <= scratch.count { return }
        scratch.deallocate()
        scratch = .alignedForVectors(2 * count)
    }
}

extension UnsafeMutableBufferPointer<Double> {
    fileprivate static func alignedForVectors(_ count: Int) -> Self {
        UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * count, alignment: 64).bindMemory(to: Double.self)
    }
}
