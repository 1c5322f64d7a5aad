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
        let block = max(1, min(64, count / 64))  // a few large entities (segments) are shared out one by one
        self.block = block
        let blocks = (count + block - 1) / block
        let sizes = (0..<blocks).map { rows[min(count, ($0 + 1) * block)] - rows[$0 * block] }
        order = (0..<blocks).sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
        starts = Self.starts(bags, fitted)
        var columns = [UInt32](filledLater: starts.last!)
        var values = [Float](filledLater: starts.last!)
        (offsets, features) = Self.fill(
            &columns, &values, starts, bags, fitted, featureCount: featureCount, block: block, workers)
        self.scale = scale?(offsets, features) ?? []
        if !self.scale.isEmpty { Self.multiply(&values, columns, starts, self.scale, offsets, fitted) }
        (self.columns, self.values) = (columns, values)
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

    /// Where each fitted row begins in `columns` and `values`; a row has an intercept beside its bags' features.
    private static func starts(_ bags: [FeatureBag], _ fitted: RowGroups) -> [Int] {
        var starts = [Int](repeating: 0, count: fitted.rows.count + 1)
        starts.withUnsafeMutableBufferPointer { starts in
            withBagPointers(bags) { bags in
                fitted.rows.withUnsafeBufferPointer { rows in
                    for i in rows.indices {
                        var count = 1
                        for part in bags.parts { count += part.nonzeros(of: Int(rows[i])).count }
                        starts[i + 1] = starts[i] + count
                    }
                }
            }
        }
        return starts
    }

    /// Copies all fitted rows, in the order of their entities, and returns the entities' features.
    private static func fill(
        _ columns: inout [UInt32], _ values: inout [Float], _ starts: [Int], _ bags: [FeatureBag], _ fitted: RowGroups,
        featureCount: Int, block: Int, _ workers: Workers
    ) -> ([Int], [UInt32]) {
        let blocks = (fitted.count + block - 1) / block
        var found = [(counts: [Int], features: [UInt32])](repeating: ([], []), count: blocks)
        found.withUnsafeMutableBufferPointer { slots in
            columns.withUnsafeMutableBufferPointer { columns in
                values.withUnsafeMutableBufferPointer { values in
                    let (slots, columns, values) = (slots.baseAddress!, columns.baseAddress, values.baseAddress)
                    withBagPointers(bags) { bags in
                        workers.forEach(blocks, scratch: { LayoutScratch(featureCount) }) { scratch, item in
                            let entities = item * block..<min(fitted.count, (item + 1) * block)
                            slots[item] = scratch.layOut(entities, fitted, starts, bags, columns, values)
                        }
                    }
                }
            }
        }
        var offsets = [0]
        offsets.reserveCapacity(fitted.count + 1)
        var features: [UInt32] = []
        features.reserveCapacity(found.reduce(0) { $0 + $1.features.count })
        for block in found {
            for c in block.counts { offsets.append(offsets.last! + c) }
            features += block.features
        }
        return (offsets, features)
    }

    private static func multiply(
        _ values: inout [Float], _ columns: [UInt32], _ starts: [Int], _ scale: [Double], _ offsets: [Int],
        _ fitted: RowGroups
    ) {
        for e in 0..<fitted.count {
            let rows = fitted.range(e)
            for at in starts[rows.lowerBound]..<starts[rows.upperBound] {
                values[at] *= Float(scale[offsets[e] + Int(columns[at])])
            }
        }
    }

    /// Calls `body` for every entity with fitted rows, in parallel, with scratch per thread and a view for reading.
    func forEachEntity<Scratch>(
        _ workers: Workers, scratch: () -> Scratch, _ body: (inout Scratch, EntityView, Int) -> Void
    ) {
        forEachBlock(workers, scratch: scratch) { scratch, view, entities in
            for e in entities where view.rowOffsets[e] < view.rowOffsets[e + 1] { body(&scratch, view, e) }
        }
    }

    /// The same by blocks of consecutive entities, those with most rows first; each rank its own blocks.
    func forEachBlock<Scratch>(
        _ workers: Workers, scratch: () -> Scratch, _ body: (inout Scratch, EntityView, Range<Int>) -> Void
    ) {
        let own = workers.own(order.count)
        let chosen = workers.ranks.areSeveral ? order.filter(own.contains) : order
        withView { view in
            workers.forEach(chosen.count, scratch: scratch) { scratch, item in
                let first = chosen[item] * block
                body(&scratch, view, first..<min(entityCount, first + block))
            }
        }
    }

    /// Completes on every rank what each has filled for its own blocks of entities.
    /// - Parameter starts: where an entity's values begin, and the end.
    func share(_ values: UnsafeMutablePointer<Double>, _ starts: [Int], _ workers: Workers) {
        workers.share(values, items: order.count) { starts[min(entityCount, $0 * block)] }
    }

    /// The same for values by example; `rows`: those of each entity.
    func share(_ values: UnsafeMutablePointer<Double>, of rows: RowGroups, _ workers: Workers) {
        if !workers.ranks.areSeveral { return }
        var packed = rows.rows.map { values[Int($0)] }
        packed.withUnsafeMutableBufferPointer { packed in
            if let base = packed.baseAddress { share(base, rows.offsets, workers) }
        }
        for (row, value) in zip(rows.rows, packed) { values[Int(row)] = value }
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
    /// The examples of the entity's fitted rows.
    @inline(__always) func examples(_ e: Int) -> Slice<UnsafeBufferPointer<UInt32>> { rows[rowRange(e)] }
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

/// Buffers of one thread for `EntityKernels.layOut`.
private final class LayoutScratch {
    private let featureCount: Int
    private var features = Buffer<UInt32>()
    private let local: UnsafeMutablePointer<UInt32>
    private let seen: UnsafeMutablePointer<UInt64>
    private let summary: UnsafeMutablePointer<UInt64>

    init(_ featureCount: Int) {
        self.featureCount = featureCount
        (local, seen) = (.allocate(capacity: featureCount), .allocate(capacity: featureCount / 64 + 1))
        summary = .allocate(capacity: featureCount / 4096 + 1)
        seen.update(repeating: 0, count: featureCount / 64 + 1)
        summary.update(repeating: 0, count: featureCount / 4096 + 1)
    }

    deinit {
        local.deallocate()
        seen.deallocate()
        summary.deallocate()
    }

    /// Lays out consecutive entities; returns the numbers of their features and the features.
    func layOut(
        _ entities: Range<Int>, _ fitted: RowGroups, _ starts: [Int], _ bags: BagPointers,
        _ columns: UnsafeMutablePointer<UInt32>?, _ values: UnsafeMutablePointer<Float>?
    ) -> ([Int], [UInt32]) {
        var counts = [Int](repeating: 0, count: entities.count)
        let room = entities.reduce(0) { total, e in
            let rows = fitted.range(e)
            return total + min(featureCount, starts[rows.upperBound] - starts[rows.lowerBound])
        }
        features.reserve(room)
        var at = 0
        for e in entities where !fitted.range(e).isEmpty {
            let rows = fitted.range(e)
            let count = fitted.rows.withUnsafeBufferPointer { examples in
                starts.withUnsafeBufferPointer { starts in
                    EntityKernels.layOut(
                        rows: rows.count, examples.baseAddress! + rows.lowerBound, bags.parts,
                        intercept: featureCount - 1, starts: starts.baseAddress! + rows.lowerBound, columns: columns!,
                        values: values!, features: features.base + at, seen: seen, summary: summary, local: local)
                }
            }
            counts[e - entities.lowerBound] = count
            at += count
        }
        return (counts, Array(UnsafeBufferPointer(start: features.base, count: at)))
    }
}

/// Pointers into feature bags that stand side by side.
struct BagPointers {
    let parts: UnsafeBufferPointer<BagRows>

    /// Gives every non-zero of an example to `body` as (feature, value), features ascending.
    @inline(__always)
    func forEachFeature(_ example: Int, _ body: (Int, Float) -> Void) {
        for part in parts {
            for at in part.nonzeros(of: example) {
                body(Int(part.base) + Int(part.columns[at]), part.values[at])
            }
        }
    }
}

extension BagRows {
    /// Positions of an example's columns and values.
    @inline(__always)
    func nonzeros(of example: Int) -> Range<Int> {
        let row = row_of == nil ? example : Int(row_of[example])
        return offsets[row]..<offsets[row + 1]
    }
}

/// Opens the bags' memory for reading: one nested scope per bag.
func withBagPointers<Result>(_ bags: [FeatureBag], _ body: (BagPointers) -> Result) -> Result {
    func open(_ number: Int, _ base: Int, _ parts: [BagRows]) -> Result {
        if number == bags.count { return parts.withUnsafeBufferPointer { body(BagPointers(parts: $0)) } }
        let bag = bags[number]
        return bag.table.withPointers { offsets, columns, values in
            func next(_ rowOf: UnsafePointer<UInt32>?) -> Result {
                let part = BagRows(
                    offsets: offsets, columns: columns, values: values, row_of: rowOf, base: UInt32(base))
                return open(number + 1, base + bag.featureCount, parts + [part])
            }
            guard let rowOf = bag.rowOf else { return next(nil) }
            return rowOf.withUnsafeBufferPointer { next($0.baseAddress!) }
        }
    }
    return open(0, 0, [])
}
