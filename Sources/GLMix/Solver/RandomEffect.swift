import LinearAlgebra
import Platform

/// A random effect: independent small problems, one per entity, given everything else as offsets (`EntitySolver`).
/// Entities run in parallel, those with many rows first; each writes only its own coefficients and the scores of its
/// own rows.
final class RandomEffect {
    let coordinate: Coordinate
    let layout: EntityLayout
    /// One per feature of each entity.
    private(set) var values: [Double]
    private let examples: Examples
    /// α of the dual form, one per fitted row in their order; kept as a warm start.
    private var alpha: [Double]
    private let workers: Workers

    /// - Parameter scale: see `EntityLayout`.
    init(
        _ coordinate: Coordinate, _ examples: Examples, seed: UInt64, workers: Workers,
        scale: (([Int], [UInt32]) -> [Double])? = nil
    ) {
        self.coordinate = coordinate
        self.examples = examples
        self.workers = workers
        layout = EntityLayout(coordinate, examples, seed: seed, workers: workers, scale: scale)
        values = [Double](repeating: 0, count: layout.features.count)
        alpha = [Double](repeating: 0, count: layout.fitted.rows.count)
    }

    var coefficients: Coefficients {
        Coefficients(offsets: layout.offsets, features: layout.features, values: values)
    }

    /// Puts other coefficients in the place of the present ones.
    func replaceValues(_ values: ArraySlice<Double>) { self.values = Array(values) }

    /// (λ/2)·Σ θ².
    var penalty: Double {
        var total = 0.0
        for v in values { total += v * v }
        return 0.5 * coordinate.l2 * total
    }

    /// Improves all coefficients for the given offsets (own rows' offsets and all other coordinates' scores).
    /// - Parameters: offsets and scores: one per example; scores of rows of these entities are overwritten.
    func fit(offsets: [Double], scores: inout [Double]) {
        let layout = layout
        scores.withUnsafeMutableBufferPointer { scores in
            values.withUnsafeMutableBufferPointer { values in
                alpha.withUnsafeMutableBufferPointer { alpha in
                    withBagPointers(layout.bags) { bags in
                        forEachLoaded(offsets) { solver, view, e in
                            let own = values.baseAddress! + view.offsets[e]
                            solver.solve(theta: own, alpha: alpha.baseAddress! + view.rowOffsets[e])
                            let rows = layout.groups.range(e)
                            let isComplete = rows.count == solver.rowCount
                            for (i, at) in rows.enumerated() {
                                let row = Int(layout.groups.rows[at])
                                scores[row] = isComplete ? solver.margins.base[i] : layout.score(row, e, own, bags)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Calls `body` for every entity that has a model, its rows loaded into the solver with `offsets` (one per
    /// example).
    private func forEachLoaded(_ offsets: [Double], _ body: (EntitySolver, EntityView, Int) -> Void) {
        let layout = layout
        examples.withRowPointers { data in
            offsets.withUnsafeBufferPointer { offsets in
                layout.forEachEntity(workers, scratch: { EntitySolver(l2: coordinate.l2) }) { solver, view, e in
                    let all = layout.groups.range(e).count
                    solver.load(view, e, data, offsets: offsets.baseAddress!, all: all)
                    body(solver, view, e)
                }
            }
        }
    }

    /// Calls `body` for every entity that has a model, its rows loaded into the solver at a curvature w·ℓ″ (one per
    /// example).
    func forEachLoaded(curvature: [Double], _ body: (EntitySolver, EntityView, Int) -> Void) {
        let layout = layout
        curvature.withUnsafeBufferPointer { curvature in
            layout.forEachEntity(workers, scratch: { EntitySolver(l2: coordinate.l2) }) { solver, view, e in
                solver.load(view, e, curvature: curvature.baseAddress!, all: layout.groups.range(e).count)
                body(solver, view, e)
            }
        }
    }

    /// Calls `body` for every entity that has a model, with room for two numbers per fitted row.
    func forEachEntity(_ body: (UnsafeMutablePointer<Double>, EntityView, Int) -> Void) {
        layout.forEachEntity(workers, scratch: { [Double](repeating: 0, count: 2 * layout.mostRows) }) {
            scratch, view, e in
            scratch.withUnsafeMutableBufferPointer { body($0.baseAddress!, view, e) }
        }
    }

    /// z += X·v on the fitted rows. v: aligned with the coefficients; z: one per example.
    func addProduct(_ v: UnsafePointer<Double>, to z: UnsafeMutablePointer<Double>) {
        forEachEntity { products, view, e in
            view.multiply(e, v + view.offsets[e], into: products)
            let rows = view.rows.baseAddress! + view.rowOffsets[e]
            for i in 0..<view.rowRange(e).count { z[Int(rows[i])] += products[i] }
        }
    }

    /// g = Xᵀ·r (with `squared`: (X∘X)ᵀ·r). r: one per example; g: aligned with the coefficients, overwritten.
    func multiplyTransposed(
        _ r: UnsafePointer<Double>, into g: UnsafeMutablePointer<Double>, squared: Bool = false
    ) {
        forEachEntity { gathered, view, e in
            let own = g + view.offsets[e]
            own.update(repeating: 0, count: view.range(e).count)
            let rows = view.rows.baseAddress! + view.rowOffsets[e]
            for i in 0..<view.rowRange(e).count { gathered[i] = r[Int(rows[i])] }
            view.addTransposed(e, gathered, squared: squared, to: own)
        }
    }
}
