import LinearAlgebra
import Platform

/// A random effect: independent small problems, one per entity, given everything else as offsets (`EntitySolver`).
/// Entities run in parallel, those with many rows first; each writes only its own coefficients and the scores of its
/// own rows. Several ranks share the entities out; then each knows all.
final class RandomEffect {
    let coordinate: Coordinate
    private(set) var layout: EntityLayout
    /// One per feature of each entity.
    private(set) var values: [Double]
    private let examples: Examples
    /// α of the dual form, one per fitted row in their order; kept as a warm start, by the entity's rank alone.
    private var alpha: [Double]
    private let workers: Workers
    /// The same matrix by rows that examples share, where that is much smaller than the layout's copy.
    private let shared: DesignMatrix?

    /// - Parameter scale: see `EntityLayout`.
    init(
        _ coordinate: Coordinate, _ examples: Examples, seed: UInt64, workers: Workers,
        scale: (([Int], [UInt32]) -> [Double])? = nil
    ) {
        self.coordinate = coordinate
        self.examples = examples
        self.workers = workers
        layout = EntityLayout(coordinate, examples, seed: seed, workers: workers, scale: scale)
        shared = SharedRows.matrix(layout, exampleCount: examples.count)
        values = [Double](zeros: layout.features.count)
        alpha = [Double](zeros: layout.fitted.rows.count)
    }

    /// Prepares for many passes (`EntityLayout.gatherRows`).
    func gatherRows(room: inout Int) {
        if shared == nil { layout.gatherRows(room: &room, workers) }
    }

    var coefficients: Coefficients {
        Coefficients(offsets: layout.offsets, features: layout.features, values: values)
    }

    /// Puts other coefficients in the place of the present ones.
    func replaceValues(_ values: ArraySlice<Double>) { self.values = Array(values) }

    /// Takes what another fit found for the same entities and features; 0 for what it did not have.
    func takeValues(of other: Coefficients) {
        for e in 0..<layout.entityCount {
            var from = e < other.entityCount ? other.range(e) : 0..<0
            for at in layout.range(e) {
                while let next = from.first, other.features[next] < layout.features[at] { from = from.dropFirst() }
                guard let next = from.first else { break }
                if other.features[next] == layout.features[at] { values[at] = other.values[next] }
            }
        }
    }

    /// (λ/2)·Σ θ².
    var penalty: Double {
        let total = values.withUnsafeBufferPointer { values in
            blockSum(values.count, workers) { range in
                var sum = 0.0
                for j in range { sum += values[j] * values[j] }
                return sum
            }
        }
        return 0.5 * coordinate.l2 * total
    }

    /// Improves all coefficients for the given offsets (own rows' offsets and all other coordinates' scores).
    /// - Parameters: offsets and scores: one per example; scores of rows of these entities are overwritten.
    func fit(offsets: [Double], scores: inout [Double]) {
        scores.withUnsafeMutableBufferPointer { scores in
            values.withUnsafeMutableBufferPointer { values in
                alpha.withUnsafeMutableBufferPointer { alpha in
                    offsets.withUnsafeBufferPointer { offsets in
                        fit(
                            offsets: offsets.baseAddress!, values: values.baseAddress!, alpha: alpha.baseAddress!,
                            scores: scores.baseAddress!)
                    }
                }
            }
        }
    }

    private func fit(
        offsets: UnsafePointer<Double>, values: UnsafeMutablePointer<Double>, alpha: UnsafeMutablePointer<Double>,
        scores: UnsafeMutablePointer<Double>
    ) {
        let (layout, l2) = (layout, coordinate.l2)
        examples.withRowPointers { data in
            withBagPointers(layout.bags) { bags in
                let count = layout.featureCount
                let scratch = { (EntitySolver(l2: l2, features: count), EntityBatch(l2: l2, features: count)) }
                layout.forEachBlock(workers, scratch: scratch) { solvers, view, entities in
                    let (solver, batch) = solvers
                    for e in entities where !view.rowRange(e).isEmpty && !batch.takes(e, view) {
                        solver.load(view, e, data, offsets: offsets, all: layout.groups.range(e).count)
                        solver.solve(
                            theta: values + view.range(e).lowerBound, alpha: alpha + view.rowRange(e).lowerBound)
                        for (i, row) in view.rows(e).enumerated() { scores[Int(row)] = solver.margins.base[i] }
                    }
                    batch.solve(
                        view, data, offsets, allRows: layout.groups, values: values, alpha: alpha, scores: scores)
                    for e in entities where !view.rowRange(e).isEmpty {
                        let all = layout.groups.range(e)
                        if all.count == view.rowRange(e).count { continue }
                        for at in all {  // also the rows that it was not fitted on
                            let row = Int(layout.groups.rows[at])
                            scores[row] = layout.score(row, e, values + view.range(e).lowerBound, bags)
                        }
                    }
                }
            }
        }
        share(values)
        layout.share(scores, of: layout.groups, workers)
    }

    /// Completes coefficients, or what is aligned with them, that each rank has of its entities.
    func share(_ values: UnsafeMutablePointer<Double>) { layout.share(values, layout.offsets, workers) }

    /// Calls `body` for every entity that has a model, its rows loaded into the solver at a curvature w·ℓ″ (one per
    /// example).
    func forEachLoaded(curvature: [Double], _ body: (EntitySolver, EntityView, Int) -> Void) {
        let (layout, l2) = (layout, coordinate.l2)
        curvature.withUnsafeBufferPointer { curvature in
            let scratch = { EntitySolver(l2: l2, features: layout.featureCount) }
            layout.forEachEntity(workers, scratch: scratch) { solver, view, e in
                solver.load(view, e, curvature: curvature.baseAddress!, all: layout.groups.range(e).count)
                body(solver, view, e)
            }
        }
    }

    /// Calls `body` for every entity that has a model, with room for a number per fitted row and for one per feature of the
    /// coordinate.
    func forEachEntity(
        _ body: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>, EntityView, Int) -> Void
    ) {
        let most = layout.mostRows
        layout.forEachEntity(workers, scratch: { [Double](repeating: 0, count: most + layout.featureCount) }) {
            scratch, view, e in
            scratch.withUnsafeMutableBufferPointer { body($0.baseAddress!, $0.baseAddress! + most, view, e) }
        }
    }

    /// z += X·v on the fitted rows. v: aligned with the coefficients; z: one per example.
    func addProduct(_ v: UnsafePointer<Double>, to z: UnsafeMutablePointer<Double>) {
        if let shared { return shared.addProduct(v, to: z, workers: workers) }
        forEachEntity { products, dense, view, e in
            view.multiply(e, v + view.range(e).lowerBound, dense: dense, into: products)
            for (i, row) in view.rows(e).enumerated() { z[Int(row)] += products[i] }
        }
        layout.share(z, of: layout.fitted, workers)
    }

    /// g = Xᵀ·r (with `squared`: (X∘X)ᵀ·r). r: one per example; g: aligned with the coefficients, overwritten.
    func multiplyTransposed(
        _ r: UnsafePointer<Double>, into g: UnsafeMutablePointer<Double>, squared: Bool = false
    ) {
        if let shared { return shared.multiplyTransposed(r, into: g, squared: squared, workers: workers) }
        forEachEntity { gathered, dense, view, e in
            let own = g + view.range(e).lowerBound
            own.update(repeating: 0, count: view.range(e).count)
            for (i, row) in view.rows(e).enumerated() { gathered[i] = r[Int(row)] }
            view.addTransposed(e, gathered, squared: squared, dense: dense, to: own)
        }
        share(g)
    }
}
