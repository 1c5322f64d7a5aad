import LinearAlgebra
import Platform

/// Which rows and features each entity of a random effect has: found once, then read in every pass.
///
/// Passes stream through a copy of the features in the order of `fitted.rows`, with columns renumbered within the
/// entity: 8 bytes per non-zero and coordinate buy passes at memory speed instead of at the speed of cache misses.
struct EntityLayout: Sendable {
    let bags: [FeatureBag]
    /// Features of the coordinate (its bags side by side), the intercept (last) included.
    let featureCount: Int
    /// All rows of each entity.
    let groups: RowGroups
    /// The rows that an entity is fitted on: all, or `maxRows` of them; none below `minRows`.
    let fitted: RowGroups
    /// Entities of which `maxRows` removed rows.
    let limited: Int
    /// Features that occur in an entity's fitted rows, ascending; the intercept is always the last.
    let offsets: [Int]
    let features: [UInt32]
    /// The fitted row at position i of `fitted.rows` has `columns` and `values` at `starts[i]..<starts[i + 1]`; columns
    /// are positions among the entity's features, the intercept's 1 is the last.
    let starts: [Int]
    let columns: [UInt32]
    let values: [Float]
    /// Most fitted rows of an entity.
    let mostRows: Int
    /// Blocks of `block` entities, those with most rows first.
    let order: [Int]
    let block: Int

    /// Factor of every feature of an entity, by position in `features`; empty: all 1.
    let scale: [Double]

    /// - Parameter scale: factors of the features (`offsets`, `features`), a prior's (`FitPrior`); nil: all 1.
    init(
        _ coordinate: Coordinate, _ examples: Examples, seed: UInt64, workers: Workers,
        scale: (([Int], [UInt32]) -> [Double])? = nil
    ) {
        bags = coordinate.bags.map { examples.bag($0)! }
        featureCount = bags.reduce(1) { $0 + $1.featureCount }
        let grouping = examples.grouping(coordinate.by!)!
        groups = RowGroups(count: grouping.entityCount, group: grouping.entities)
        (fitted, limited) = Self.selectRows(groups, grouping, coordinate, seed: seed)
        let (count, rows) = (fitted.count, fitted.offsets)
        mostRows = (0..<fitted.count).reduce(0) { max($0, rows[$1 + 1] - rows[$1]) }
        let block = max(1, min(32, count / 64))  // a few large entities (segments) are shared out one by one
        self.block = block
        let blocks = (count + block - 1) / block
        let sizes = (0..<blocks).map { rows[min(count, ($0 + 1) * block)] - rows[$0 * block] }
        order = (0..<blocks).sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
        (offsets, features) = Self.support(bags, fitted, featureCount: featureCount, block: block, workers)
        self.scale = scale?(offsets, features) ?? []
        (starts, columns, values) = Self.copy(
            bags, fitted, offsets, features, self.scale, featureCount: featureCount, block: block, workers)
    }

    var entityCount: Int { fitted.count }

    func range(_ entity: Int) -> Range<Int> { offsets[entity]..<offsets[entity + 1] }

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

    /// The distinct features of every entity's fitted rows.
    private static func support(
        _ bags: [FeatureBag], _ fitted: RowGroups, featureCount: Int, block: Int, _ workers: Workers
    ) -> ([Int], [UInt32]) {
        let blocks = (fitted.count + block - 1) / block
        var found = [(counts: [Int], features: [UInt32])](repeating: ([], []), count: blocks)
        found.withUnsafeMutableBufferPointer { slots in
            let slots = slots.baseAddress!
            withBagPointers(bags) { bags in
                workers.forEach(blocks, scratch: { [Bool](repeating: false, count: featureCount) }) { seen, item in
                    var (counts, features): ([Int], [UInt32]) = ([], [])
                    for e in item * block..<min(fitted.count, (item + 1) * block) {
                        let start = features.count
                        for at in fitted.range(e) {
                            bags.forEachFeature(Int(fitted.rows[at])) { feature, _ in
                                if !seen[feature] {
                                    seen[feature] = true
                                    features.append(UInt32(feature))
                                }
                            }
                        }
                        features[start...].sort()
                        for f in features[start...] { seen[Int(f)] = false }
                        if !fitted.range(e).isEmpty { features.append(UInt32(featureCount - 1)) }
                        counts.append(features.count - start)
                    }
                    slots[item] = (counts, features)
                }
            }
        }
        var offsets = [0]
        var features: [UInt32] = []
        features.reserveCapacity(found.reduce(0) { $0 + $1.features.count })
        for block in found {
            for c in block.counts { offsets.append(offsets.last! + c) }
            features += block.features
        }
        return (offsets, features)
    }

    private static func copy(
        _ bags: [FeatureBag], _ fitted: RowGroups, _ offsets: [Int], _ features: [UInt32], _ scale: [Double],
        featureCount: Int, block: Int, _ workers: Workers
    ) -> ([Int], [UInt32], [Float]) {
        var starts = [Int](repeating: 0, count: fitted.rows.count + 1)
        for (i, row) in fitted.rows.enumerated() {
            starts[i + 1] = starts[i] + 1
            for bag in bags { starts[i + 1] += bag.table.range(bag.rowOf.map { Int($0[Int(row)]) } ?? Int(row)).count }
        }
        let count = starts.last!
        var columns = [UInt32](unsafeUninitializedCapacity: count) { $1 = count }
        var values = [Float](unsafeUninitializedCapacity: count) { $1 = count }
        columns.withUnsafeMutableBufferPointer { columns in
            values.withUnsafeMutableBufferPointer { values in
                withBagPointers(bags) { bags in
                    workers.forEach(
                        (fitted.count + block - 1) / block,
                        scratch: { [UInt32](repeating: 0, count: featureCount) }
                    ) { local, item in
                        for e in item * block..<min(fitted.count, (item + 1) * block) {
                            let known = offsets[e]..<offsets[e + 1]
                            for at in known { local[Int(features[at])] = UInt32(at - known.lowerBound) }
                            for i in fitted.range(e) {
                                var next = starts[i]
                                bags.forEachFeature(Int(fitted.rows[i])) { feature, value in
                                    columns[next] = local[feature]
                                    values[next] = value
                                    next += 1
                                }
                                columns[next] = UInt32(known.count - 1)
                                values[next] = 1
                                if scale.isEmpty { continue }
                                for at in starts[i]...next {
                                    values[at] *= Float(scale[known.lowerBound + Int(columns[at])])
                                }
                            }
                        }
                    }
                }
            }
        }
        return (starts, columns, values)
    }

    /// Calls `body` for every entity with fitted rows, in parallel, with scratch per thread and a view for reading.
    func forEachEntity<Scratch>(
        _ workers: Workers, scratch: () -> Scratch, _ body: (inout Scratch, EntityView, Int) -> Void
    ) {
        withView { view in
            workers.forEach(order.count, scratch: scratch) { scratch, item in
                let first = order[item] * block
                for e in first..<min(entityCount, first + block) where view.rowOffsets[e] < view.rowOffsets[e + 1] {
                    body(&scratch, view, e)
                }
            }
        }
    }

    private func withView<Result>(_ body: (EntityView) -> Result) -> Result {
        fitted.offsets.withUnsafeBufferPointer { rowOffsets in
            fitted.rows.withUnsafeBufferPointer { rows in
                offsets.withUnsafeBufferPointer { offsets in
                    starts.withUnsafeBufferPointer { starts in
                        columns.withUnsafeBufferPointer { columns in
                            values.withUnsafeBufferPointer { values in
                                body(
                                    EntityView(
                                        rowOffsets: rowOffsets.baseAddress!, rows: rows, offsets: offsets.baseAddress!,
                                        starts: starts.baseAddress!, columns: columns, values: values))
                            }
                        }
                    }
                }
            }
        }
    }

    /// x·θ of any row of an entity, also of one that it was not fitted on.
    func score(_ example: Int, _ e: Int, _ theta: UnsafePointer<Double>, _ bags: BagPointers) -> Double {
        let known = range(e)
        var total = theta[known.count - 1] * (scale.isEmpty ? 1 : scale[known.upperBound - 1])
        bags.forEachFeature(example) { feature, value in
            var (low, high) = (known.lowerBound, known.upperBound - 1)
            while low < high {
                let middle = (low + high) / 2
                if Int(features[middle]) < feature { low = middle + 1 } else { high = middle }
            }
            if low < known.upperBound - 1, Int(features[low]) == feature {
                total += Double(value) * theta[low - known.lowerBound] * (scale.isEmpty ? 1 : scale[low])
            }
        }
        return total
    }
}

/// Pointers into an `EntityLayout`, valid inside `forEachEntity`.
struct EntityView {
    let rowOffsets: UnsafePointer<Int>
    let rows: UnsafeBufferPointer<UInt32>
    let offsets: UnsafePointer<Int>
    let starts: UnsafePointer<Int>
    let columns: UnsafeBufferPointer<UInt32>
    let values: UnsafeBufferPointer<Float>

    /// Positions in `rows` of the entity's fitted rows.
    @inline(__always) func rowRange(_ e: Int) -> Range<Int> { rowOffsets[e]..<rowOffsets[e + 1] }
    /// v = X·theta, one per fitted row of the entity.
    @inline(__always)
    func multiply(_ e: Int, _ theta: UnsafePointer<Double>, into v: UnsafeMutablePointer<Double>) {
        let rows = rowRange(e)
        v.update(repeating: 0, count: rows.count)
        RowProduct.add(
            rows: rows.count, starts + rows.lowerBound, columns.baseAddress!, values.baseAddress!, theta, to: v)
    }

    /// g += Xᵀ·r (with `squared`: (X∘X)ᵀ·r), r: one per fitted row of the entity.
    @inline(__always)
    func addTransposed(
        _ e: Int, _ r: UnsafePointer<Double>, squared: Bool = false, to g: UnsafeMutablePointer<Double>
    ) {
        let rows = rowRange(e)
        RowProduct.addTransposed(
            rows: rows.count, starts + rows.lowerBound, columns.baseAddress!, values.baseAddress!, r, squared: squared,
            to: g)
    }

    /// Positions of the entity's features and coefficients.
    @inline(__always) func range(_ e: Int) -> Range<Int> { offsets[e]..<offsets[e + 1] }
}

/// Pointers into feature bags that stand side by side.
struct BagPointers {
    struct Part {
        let offsets: UnsafePointer<Int>
        let columns: UnsafePointer<UInt32>
        let values: UnsafePointer<Float>
        let rowOf: UnsafePointer<UInt32>?
        let base: Int
    }
    let parts: UnsafeBufferPointer<Part>

    /// Gives every non-zero of an example to `body` as (feature, value), features ascending.
    @inline(__always)
    func forEachFeature(_ example: Int, _ body: (Int, Float) -> Void) {
        for part in parts {
            let row = part.rowOf.map { Int($0[example]) } ?? example
            for at in part.offsets[row]..<part.offsets[row + 1] {
                body(part.base + Int(part.columns[at]), part.values[at])
            }
        }
    }
}

/// Opens the bags' memory for reading: one nested scope per bag.
func withBagPointers<Result>(_ bags: [FeatureBag], _ body: (BagPointers) -> Result) -> Result {
    func open(_ number: Int, _ base: Int, _ parts: [BagPointers.Part]) -> Result {
        if number == bags.count { return parts.withUnsafeBufferPointer { body(BagPointers(parts: $0)) } }
        let bag = bags[number]
        return bag.table.withPointers { offsets, columns, values in
            func next(_ rowOf: UnsafePointer<UInt32>?) -> Result {
                let part = BagPointers.Part(
                    offsets: offsets, columns: columns, values: values, rowOf: rowOf, base: base)
                return open(number + 1, base + bag.featureCount, parts + [part])
            }
            guard let rowOf = bag.rowOf else { return next(nil) }
            return rowOf.withUnsafeBufferPointer { next($0.baseAddress!) }
        }
    }
    return open(0, 0, [])
}
