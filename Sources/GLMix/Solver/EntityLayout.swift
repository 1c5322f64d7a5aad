import LinearAlgebra
import Platform

/// Which rows and features each entity of a random effect has: found once, then read in every pass.
///
/// Rows are read where they are, in bags that coordinates share. What depends on the entity's own numbering of features
/// goes through a table of all features, one per thread (`EntityKernels`).
struct EntityLayout: Sendable {
    let bags: [FeatureBag]
    /// The same; row numbers of a shared table in the order of `fitted.rows`, so that passes read them in turn.
    private var fittedBags: [FeatureBag]
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
        fittedBags = bags.map { [fitted] bag in
            guard let rowOf = bag.rowOf else { return bag }
            return FeatureBag(name: bag.name, table: bag.table, rowOf: fitted.rows.map { rowOf[Int($0)] })
        }
        let (count, rows) = (fitted.count, fitted.offsets)
        mostRows = (0..<fitted.count).reduce(0) { max($0, rows[$1 + 1] - rows[$1]) }
        let block = max(1, min(64, count / 64))  // a few large entities (segments) are shared out one by one
        self.block = block
        let blocks = (count + block - 1) / block
        let sizes = (0..<blocks).map { rows[min(count, ($0 + 1) * block)] - rows[$0 * block] }
        order = (0..<blocks).sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
        (offsets, features) = Self.findFeatures(bags, fitted, featureCount: featureCount, block: block, workers)
        self.scale = scale?(offsets, features) ?? []
    }

    var entityCount: Int { fitted.count }

    /// Copies rows that entities share or that lie in another order into the order of `fitted.rows`, so that passes read
    /// memory in turn: worth the copy where there are many of them. Values, and so results, are the same.
    /// - Parameter room: bytes that copies may take; what they take is subtracted. A bag without room stays where it is.
    mutating func gatherRows(room: inout Int, _ workers: Workers) {
        let own = (0..<UInt32(fitted.rows.count)).map { $0 }
        for b in bags.indices {
            let rowOf = fittedBags[b].rowOf ?? fitted.rows
            let table = bags[b].table
            var starts = [0]
            starts.reserveCapacity(rowOf.count + 1)
            for row in rowOf { starts.append(starts.last! + table.range(Int(row)).count) }
            if 8 * (starts.last! + starts.count) > room { continue }
            room -= 8 * (starts.last! + starts.count)
            fittedBags[b] = FeatureBag(
                name: bags[b].name, table: table.gathered(rowOf, starts: starts, workers), rowOf: own)
        }
    }

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

    /// The distinct features of the entities' fitted rows.
    private static func findFeatures(
        _ bags: [FeatureBag], _ fitted: RowGroups, featureCount: Int, block: Int, _ workers: Workers
    ) -> ([Int], [UInt32]) {
        let blocks = (fitted.count + block - 1) / block
        var found = [(counts: [Int], features: [UInt32])](repeating: ([], []), count: blocks)
        found.withUnsafeMutableBufferPointer { slots in
            let slots = slots.baseAddress
            withBagPointers(bags) { bags in
                workers.forEach(blocks, scratch: { FeatureFinder(featureCount) }) { finder, item in
                    let entities = item * block..<min(fitted.count, (item + 1) * block)
                    slots![item] = finder.find(entities, fitted, bags)
                }
            }
        }
        var offsets = [0]
        offsets.reserveCapacity(fitted.count + 1)
        var features = [UInt32](filledLater: found.reduce(0) { $0 + $1.features.count })
        var at = 0
        for block in found {
            for c in block.counts { offsets.append(offsets.last! + c) }
            features.withUnsafeMutableBufferPointer { _ = $0[at...].update(fromContentsOf: block.features) }
            at += block.features.count
        }
        return (offsets, features)
    }

    /// Calls `body` for every entity with fitted rows, in parallel, with scratch per thread and a view for reading.
    func forEachEntity<Scratch>(
        _ workers: Workers, scratch: () -> Scratch, _ body: (inout Scratch, EntityView, Int) -> Void
    ) {
        forEachBlock(workers, scratch: scratch) { scratch, view, entities in
            for e in entities where !view.rowRange(e).isEmpty { body(&scratch, view, e) }
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
                    features.withUnsafeBufferPointer { features in
                        scale.withUnsafeBufferPointer { scale in
                            withBagPointers(fittedBags) { bags in
                                body(
                                    EntityView(
                                        row_offsets: rowOffsets.baseAddress!, examples: rows.baseAddress!,
                                        feature_offsets: offsets.baseAddress!, features: features.baseAddress!,
                                        scale: scale.isEmpty ? nil : scale.baseAddress!, bag_count: bags.parts.count,
                                        bags: bags.parts.baseAddress))
                            }
                        }
                    }
                }
            }
        }
    }

    /// Where a feature stands among those of an entity; nil if it does not occur there.
    func position(of feature: Int, _ e: Int) -> Int? {
        var (low, high) = (offsets[e], offsets[e + 1])
        while low < high {
            let middle = (low + high) / 2
            if Int(features[middle]) < feature { low = middle + 1 } else { high = middle }
        }
        return low < offsets[e + 1] && Int(features[low]) == feature ? low - offsets[e] : nil
    }

    /// Calls `body(position among the entity's features, value)` for the non-zeros of an example that occur in the entity's
    /// fitted rows; the intercept is the last.
    func forEachKnown(_ example: Int, _ e: Int, _ bags: BagPointers, _ body: (Int, Double) -> Void) {
        let known = range(e)
        if known.isEmpty { return }
        func scaled(_ position: Int, _ value: Double) -> Double {
            scale.isEmpty ? value : scale[known.lowerBound + position] * value
        }
        bags.forEachFeature(example) { feature, value in
            if let position = position(of: feature, e) { body(position, scaled(position, Double(value))) }
        }
        body(known.count - 1, scaled(known.count - 1, 1))
    }

    /// x·θ of any row of an entity, also of one that it was not fitted on.
    func score(_ example: Int, _ e: Int, _ theta: UnsafePointer<Double>, _ bags: BagPointers) -> Double {
        var total = 0.0
        forEachKnown(example, e, bags) { total += $1 * theta[$0] }
        return total
    }
}

/// An `EntityLayout` for reading, valid inside `forEachBlock`.
typealias EntityView = EntityRows

extension EntityView {
    /// Positions of the entity's fitted rows.
    @inline(__always) func rowRange(_ e: Int) -> Range<Int> { row_offsets[e]..<row_offsets[e + 1] }
    /// The examples of the entity's fitted rows.
    @inline(__always)
    func rows(_ e: Int) -> UnsafeBufferPointer<UInt32> {
        UnsafeBufferPointer(start: examples + row_offsets[e], count: rowRange(e).count)
    }
    /// Positions of the entity's features and coefficients.
    @inline(__always) func range(_ e: Int) -> Range<Int> { feature_offsets[e]..<feature_offsets[e + 1] }
}

/// Buffers of one thread for `EntityKernels.findFeatures`.
private final class FeatureFinder {
    private let featureCount: Int
    private var features = Buffer<UInt32>()
    private let seen: UnsafeMutablePointer<UInt64>
    private let summary: UnsafeMutablePointer<UInt64>

    init(_ featureCount: Int) {
        self.featureCount = featureCount
        seen = .allocate(capacity: featureCount / 64 + 1)
        summary = .allocate(capacity: featureCount / 4096 + 1)
        seen.update(repeating: 0, count: featureCount / 64 + 1)
        summary.update(repeating: 0, count: featureCount / 4096 + 1)
    }

    deinit {
        seen.deallocate()
        summary.deallocate()
    }

    /// The numbers of the features of consecutive entities and the features.
    func find(_ entities: Range<Int>, _ fitted: RowGroups, _ bags: BagPointers) -> ([Int], [UInt32]) {
        var counts = [Int](repeating: 0, count: entities.count)
        var found: [UInt32] = []
        for e in entities where !fitted.range(e).isEmpty {
            let rows = fitted.range(e)
            features.reserve(room(rows, fitted, bags))
            let count = fitted.rows.withUnsafeBufferPointer {
                EntityKernels.findFeatures(
                    rows: rows.count, $0.baseAddress! + rows.lowerBound, bags.parts, intercept: featureCount - 1,
                    into: features.base, seen: seen, summary: summary)
            }
            counts[e - entities.lowerBound] = count
            found.append(contentsOf: UnsafeBufferPointer(start: features.base, count: count))
        }
        return (counts, found)
    }

    /// No less than the features of some rows.
    private func room(_ rows: Range<Int>, _ fitted: RowGroups, _ bags: BagPointers) -> Int {
        var count = 1
        for i in rows {
            for part in bags.parts { count += part.nonzeros(of: Int(fitted.rows[i])).count }
            if count >= featureCount { return featureCount }
        }
        return count
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
