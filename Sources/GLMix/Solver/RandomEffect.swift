import LinearAlgebra
import Platform

/// A random effect: independent small problems, one per entity, given everything else as offsets (`EntitySolver`).
/// Entities run in parallel, those with many rows first; each writes only its own coefficients and the scores of its
/// own rows.
final class RandomEffect {
    let coordinate: Coordinate
    /// Which features each entity has, all values 0; the values are apart because they change while this is read.
    private(set) var support = Coefficients(offsets: [0], features: [], values: [])
    /// Aligned with `support.features`.
    private(set) var values: [Double] = []
    /// Features of the coordinate, the intercept (last) included.
    let featureCount: Int
    /// All rows of each entity.
    let groups: RowGroups
    /// The rows that an entity is fitted on: all, or `maxRows` of them; none below `minRows`.
    let fitted: RowGroups
    /// Entities of which `maxRows` removed rows.
    let limited: Int
    private let examples: Examples
    private let parts: [(bag: FeatureBag, base: Int)]
    /// α of the dual form, in the order of `fitted.rows`; kept as a warm start.
    private var alpha: [Double]
    private let workers: Workers
    /// Blocks of entities, those with most rows first.
    private let order: [Int]

    static let block = 32

    init(_ coordinate: Coordinate, _ examples: Examples, seed: UInt64, workers: Workers) {
        self.coordinate = coordinate
        self.examples = examples
        self.workers = workers
        var base = 0
        var parts: [(FeatureBag, Int)] = []
        for name in coordinate.bags {
            let bag = examples.bag(name)!
            parts.append((bag, base))
            base += bag.featureCount
        }
        self.parts = parts
        featureCount = base + 1
        let grouping = examples.grouping(coordinate.by!)!
        groups = RowGroups(count: grouping.entityCount, group: grouping.entities)
        (fitted, limited) = Self.selectRows(groups, grouping, coordinate, seed: seed)
        alpha = [Double](repeating: 0, count: fitted.rows.count)
        let fitted = fitted
        let blocks = (grouping.entityCount + Self.block - 1) / Self.block
        let sizes = (0..<blocks).map {
            fitted.offsets[min(grouping.entityCount, ($0 + 1) * Self.block)] - fitted.offsets[$0 * Self.block]
        }
        order = (0..<blocks).sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
        support = findSupport()
        values = support.values
    }

    private static func selectRows(
        _ groups: RowGroups, _ grouping: Grouping, _ coordinate: Coordinate, seed: UInt64
    ) -> (RowGroups, limited: Int) {
        if coordinate.minRows <= 1 && coordinate.maxRows == 0 { return (groups, 0) }
        let key = RandomKey(seed: seed, purpose: "glmix.max_rows")
        var chosen = [Int32](repeating: -1, count: grouping.entities.count)
        var limited = 0
        for e in 0..<groups.count {
            var rows = Array(groups.rows[groups.range(e)])
            if rows.count < coordinate.minRows { continue }
            if coordinate.maxRows > 0 && rows.count > coordinate.maxRows {
                limited += 1
                let hashed = rows.map { row -> (UInt64, UInt32) in
                    var stream = key.stream(Int(row))
                    return (stream.next(), row)
                }
                rows = hashed.sorted { $0 < $1 }.prefix(coordinate.maxRows).map(\.1)
            }
            for row in rows { chosen[Int(row)] = Int32(e) }
        }
        return (RowGroups(count: groups.count, group: chosen), limited)
    }

    /// The distinct features of every entity's rows, all coefficients 0.
    private func findSupport() -> Coefficients {
        let count = fitted.count
        var perBlock = [(counts: [Int], features: [UInt32])](repeating: ([], []), count: order.count)
        perBlock.withUnsafeMutableBufferPointer { slots in
            let slots = slots.baseAddress!
            workers.forEach(order.count, scratch: { [Bool](repeating: false, count: featureCount) }) { seen, block in
                var (counts, features): ([Int], [UInt32]) = ([], [])
                for e in block * Self.block..<min(count, (block + 1) * Self.block) {
                    let start = features.count
                    for at in fitted.range(e) { addFeatures(of: Int(fitted.rows[at]), &seen, &features) }
                    features[start...].sort()
                    for f in features[start...] { seen[Int(f)] = false }
                    if !fitted.range(e).isEmpty { features.append(UInt32(featureCount - 1)) }
                    counts.append(features.count - start)
                }
                slots[block] = (counts, features)
            }
        }
        var offsets = [0]
        var features: [UInt32] = []
        features.reserveCapacity(perBlock.reduce(0) { $0 + $1.features.count })
        for block in perBlock {
            for c in block.counts { offsets.append(offsets.last! + c) }
            features += block.features
        }
        return Coefficients(
            offsets: offsets, features: features, values: [Double](repeating: 0, count: features.count))
    }

    private func addFeatures(of row: Int, _ seen: inout [Bool], _ features: inout [UInt32]) {
        for (bag, base) in parts {
            for at in bag.table.range(bag.rowOf.map { Int($0[row]) } ?? row) {
                let f = base + Int(bag.table.columns[at])
                if !seen[f] {
                    seen[f] = true
                    features.append(UInt32(f))
                }
            }
        }
    }

    /// Improves all coefficients for the given offsets (own rows' offsets and all other coordinates' scores).
    /// - Parameters: offsets and scores: one per example; scores of rows of these entities are overwritten.
    func fit(offsets: [Double], scores: inout [Double]) {
        scores.withUnsafeMutableBufferPointer { scores in
            let scores = scores.baseAddress!
            values.withUnsafeMutableBufferPointer { values in
                nonisolated(unsafe) let values = values
                alpha.withUnsafeMutableBufferPointer { alpha in
                    nonisolated(unsafe) let alpha = alpha
                    forEachEntity { scratch, e in
                        scratch.load(e, self, offsets: offsets)
                        scratch.solve(e, self, values: values, alpha: alpha)
                        scratch.score(e, self, scores)
                    }
                }
            }
        }
    }

    /// Calls `body` for every entity that has a model.
    func forEachEntity(_ body: (EntityScratch, Int) -> Void) {
        let order = order
        workers.forEach(order.count, scratch: { EntityScratch(featureCount: featureCount, l2: coordinate.l2) }) {
            scratch, item in
            let first = order[item] * Self.block
            for e in first..<min(fitted.count, first + Self.block) where !fitted.range(e).isEmpty {
                body(scratch, e)
            }
        }
    }

    /// z += X·v on the fitted rows. v: aligned with the coefficients; z: one per example.
    func addProduct(_ v: UnsafePointer<Double>, to z: UnsafeMutablePointer<Double>) {
        forEachEntityDense { dense, e in
            for at in support.range(e) { dense[Int(support.features[at])] = v[at] }
            for at in fitted.range(e) {
                let row = Int(fitted.rows[at])
                var total = dense[featureCount - 1]
                forEachFeature(row) { total += Double($1) * dense[$0] }
                z[row] += total
            }
            for at in support.range(e) { dense[Int(support.features[at])] = 0 }
        }
    }

    /// g = Xᵀ·r (with `squared`: (X∘X)ᵀ·r). r: one per example; g: aligned with the coefficients, overwritten.
    func multiplyTransposed(
        _ r: UnsafePointer<Double>, into g: UnsafeMutablePointer<Double>, squared: Bool = false
    ) {
        forEachEntityDense { dense, e in
            for at in fitted.range(e) {
                let row = Int(fitted.rows[at])
                dense[featureCount - 1] += r[row]
                forEachFeature(row) { dense[$0] += r[row] * Double(squared ? $1 * $1 : $1) }
            }
            for at in support.range(e) {
                g[at] = dense[Int(support.features[at])]
                dense[Int(support.features[at])] = 0
            }
        }
    }

    /// With an all-zero vector over the coordinate's features, to be left as it was.
    private func forEachEntityDense(_ body: (UnsafeMutablePointer<Double>, Int) -> Void) {
        let (order, p) = (order, featureCount)
        workers.forEach(order.count, scratch: { [Double](repeating: 0, count: p) }) { dense, item in
            let first = order[item] * Self.block
            dense.withUnsafeMutableBufferPointer { dense in
                for e in first..<min(fitted.count, first + Self.block) where !fitted.range(e).isEmpty {
                    body(dense.baseAddress!, e)
                }
            }
        }
    }

    /// Puts other coefficients in the place of the present ones.
    func replaceValues(_ values: ArraySlice<Double>) { self.values = Array(values) }

    var coefficients: Coefficients {
        Coefficients(offsets: support.offsets, features: support.features, values: values)
    }

    /// Gives every non-zero of a row to `body` as (feature of the coordinate, value), the intercept apart.
    @inline(__always)
    fileprivate func forEachFeature(_ row: Int, _ body: (Int, Float) -> Void) {
        for (bag, base) in parts {
            let table = bag.table
            for at in table.range(bag.rowOf.map { Int($0[row]) } ?? row) {
                body(base + Int(table.columns[at]), table.values[at])
            }
        }
    }

    /// (λ/2)·Σ θ².
    var penalty: Double {
        var total = 0.0
        for v in values { total += v * v }
        return 0.5 * coordinate.l2 * total
    }

    fileprivate var data: Examples { examples }
}

/// One thread's room for working on entities of a random effect.
final class EntityScratch {
    let solver: EntitySolver
    /// Feature of the coordinate → local feature; meaningful only for features of the entity at hand.
    private var local: [Int32]

    init(featureCount: Int, l2: Double) {
        solver = EntitySolver(l2: l2)
        local = [Int32](repeating: -1, count: featureCount)
    }

    /// Copies the entity's rows into the solver, features renumbered.
    func load(_ e: Int, _ effect: RandomEffect, offsets: [Double]) {
        let known = effect.support.range(e)
        let rows = effect.fitted.range(e)
        let n = known.count
        for (j, at) in known.enumerated() { local[Int(effect.support.features[at])] = Int32(j) }
        let data = effect.data
        var nonzeros = 0
        for at in rows { effect.forEachFeature(Int(effect.fitted.rows[at])) { _, _ in nonzeros += 1 } }
        solver.prepare(rows: rows.count, features: n, nonzeros: nonzeros + rows.count)
        let scale = Double(effect.groups.range(e).count) / Double(rows.count)
        let (columns, values) = (solver.columns.base, solver.values.base)
        var next = 0
        for (i, at) in rows.enumerated() {
            let row = Int(effect.fitted.rows[at])
            solver.starts.base[i] = next
            effect.forEachFeature(row) { feature, value in
                columns[next] = local[feature]
                values[next] = Double(value)
                next += 1
            }
            columns[next] = Int32(n - 1)
            values[next] = 1
            next += 1
            solver.positive.base[i] = data.labels[row] == 1
            solver.weights.base[i] = Double(data.weights[row]) * scale
            solver.offsets.base[i] = offsets[row]
        }
        solver.starts.base[rows.count] = next
    }

    func solve(
        _ e: Int, _ effect: RandomEffect, values: UnsafeMutableBufferPointer<Double>,
        alpha: UnsafeMutableBufferPointer<Double>
    ) {
        let first = effect.support.offsets[e]
        let firstRow = effect.fitted.offsets[e]
        for j in 0..<solver.featureCount { solver.theta.base[j] = values[first + j] }
        if solver.usesDual { for i in 0..<solver.rowCount { solver.alpha.base[i] = alpha[firstRow + i] } }
        solver.solve()
        for j in 0..<solver.featureCount { values[first + j] = solver.theta.base[j] }
        if solver.usesDual { for i in 0..<solver.rowCount { alpha[firstRow + i] = solver.alpha.base[i] } }
    }

    /// Writes x·θ for all rows of the entity, those that it was not fitted on included.
    func score(_ e: Int, _ effect: RandomEffect, _ scores: UnsafeMutablePointer<Double>) {
        let rows = effect.groups.range(e)
        if rows.count == solver.rowCount {
            for (i, at) in rows.enumerated() { scores[Int(effect.groups.rows[at])] = solver.margins.base[i] }
            return
        }
        let known = effect.support.range(e)
        for at in rows {
            let row = Int(effect.groups.rows[at])
            var total = solver.theta.base[solver.featureCount - 1]
            effect.forEachFeature(row) { feature, value in
                let j = Int(local[feature])
                // the mark may be another entity's: it counts only if this entity has that feature there
                if j >= 0 && j < known.count - 1
                    && Int(effect.support.features[known.lowerBound + j]) == feature
                {
                    total += Double(value) * solver.theta.base[j]
                }
            }
            scores[row] = total
        }
    }
}
