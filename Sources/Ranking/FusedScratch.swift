import LinearAlgebra
import Platform

/// What a thread of `FusedRanking` holds: a tile of every model's scores, and per learner of a block and list what may
/// still be among the best. Reused from block to block.
final class FusedScratch {
    private let models: Int
    private let lists: [RankedSum]
    /// Models × 48 × stride, and models × 48 × 512 sampled scores.
    private let tiles: UnsafeMutablePointer<Float>
    private let samples: UnsafeMutablePointer<Float>
    /// By list and row.
    private let survivors: UnsafeMutablePointer<Survivors>
    private let sorter = KeySorter()
    /// The largest of every four sampled scores.
    private let largest: UnsafeMutablePointer<Float>
    /// Where the terms of a list lie, and their weights by list and row, `most` apart.
    private let pointers: UnsafeMutablePointer<UnsafePointer<Float>?>
    private let weights: UnsafeMutablePointer<Float>
    private let most: Int
    private var rows = 0
    /// By row: excluded courses that did not go by yet; by model and row: sums of scores, in parts, and of their squares.
    private let left: UnsafeMutablePointer<Range<Int>>
    private let sums: UnsafeMutablePointer<Double>
    private let squares: UnsafeMutablePointer<Double>

    private static let block = FusedRanking.block
    /// How far rows of a tile lie apart: 9 cache lines, so that a column falls into all sets.
    static let stride = SparseTiles.width + 16
    private static let sampleWidth = FusedRanking.sampledPanels * Panels.width
    private static let parts = 4

    init(_ models: Int, _ lists: [RankedSum]) {
        (self.models, self.lists) = (models, lists)
        let rows = Self.block
        tiles = .allocate(capacity: models * rows * Self.stride)
        tiles.initialize(repeating: 0, count: models * rows * Self.stride)
        samples = .allocate(capacity: models * rows * Self.sampleWidth)
        samples.initialize(repeating: 0, count: models * rows * Self.sampleWidth)
        survivors = .allocate(capacity: rows * lists.count)
        for (k, list) in lists.enumerated() {
            for row in 0..<rows {
                (survivors + k * rows + row).initialize(to: Survivors(n: list.n, parts: list.keepsParts ? models : 0))
            }
        }
        largest = .allocate(capacity: Self.sampleWidth / Self.parts)
        most = lists.map(\.terms.count).max() ?? 0
        pointers = .allocate(capacity: most)
        weights = .allocate(capacity: rows * lists.count * most)
        left = .allocate(capacity: rows)
        sums = .allocate(capacity: models * rows * Vector.sumLanes)
        squares = .allocate(capacity: rows * models)
    }

    deinit {
        tiles.deallocate()
        samples.deallocate()
        for slot in 0..<Self.block * lists.count { survivors[slot].deallocate() }
        survivors.deallocate()
        largest.deallocate()
        pointers.deallocate()
        weights.deallocate()
        left.deallocate()
        sums.deallocate()
        squares.deallocate()
    }

    func tile(_ model: Int) -> UnsafeMutablePointer<Float> { tiles + model * Self.block * Self.stride }
    func sampled(_ model: Int) -> UnsafeMutablePointer<Float> { samples + model * Self.block * Self.sampleWidth }

    func begin(_ learners: Range<Int>, _ exclusions: CourseSets) {
        rows = learners.count
        for (row, learner) in learners.enumerated() {
            left[row] = exclusions.offsets[learner]..<exclusions.offsets[learner + 1]
            for (list, sum) in lists.enumerated() {
                let slot = list * Self.block + row
                survivors[slot].begin(atLeast: -.greatestFiniteMagnitude)
                for (k, weight) in sum.weights(learner).enumerated() { weights[slot * most + k] = weight }
            }
        }
        sums.initialize(repeating: 0, count: models * Self.block * Vector.sumLanes)
        squares.initialize(repeating: 0, count: models * Self.block)
    }

    /// Barred courses: out of the sample.
    func bar(_ columns: SharedColumns) {
        for at in 0..<columns.rows where columns.mask[at] == 0 {
            for model in 0..<models {
                for row in 0..<rows { sampled(model)[row * columns.rows + at] = -.infinity }
            }
        }
    }

    /// Begins each learner's list at the sampled score of a rank, or somewhat lower: the best of every four stand for all.
    /// Begins it at none if so few were sampled.
    func guess(_ list: Int, _ columns: SharedColumns, rank: Int) {
        let (width, count) = (columns.rows / Self.parts, columns.rows)
        if rank >= width { return }
        forEachRow(list, columns, at: 0, sampled, row: count) { slot, terms in
            Vector.largest(width, of: Self.parts, sumOf: terms, weights + slot * most, into: largest)
            let threshold = OrderStatistic.smallest(width - 1 - rank, of: largest, count: width)
            survivors[slot].begin(atLeast: max(threshold, -.greatestFiniteMagnitude))
        }
    }

    /// Adds a model's scores of eligible courses to the sums of all rows.
    func add(_ model: Int, _ tile: Range<Int>, _ columns: SharedColumns) {
        Vector.addSums(
            rows: rows, tile.count, self.tile(model), row: Self.stride, mask: columns.mask + tile.lowerBound,
            to: sums + model * Self.block * Vector.sumLanes)
    }

    /// Adds their squares, for one row.
    func addSquares(_ model: Int, _ row: Int, _ tile: Range<Int>, _ columns: SharedColumns) {
        let (scores, mask) = (place(model, row), columns.mask + tile.lowerBound)
        var sum = 0.0
        for at in 0..<tile.count where mask[at] > 0 { sum += Double(scores[at]) * Double(scores[at]) }
        squares[model * Self.block + row] += sum
    }

    /// Excluded courses: out of the sums, and −∞, which no threshold lets through.
    func exclude(_ tile: Range<Int>, _ exclusions: CourseSets, _ columns: SharedColumns) {
        exclusions.courses.withUnsafeBufferPointer { courses in
            for row in 0..<rows {
                var (at, end) = (left[row].lowerBound, left[row].upperBound)
                while at < end, Int(courses[at]) < tile.upperBound {
                    let course = Int(courses[at])
                    for model in 0..<models {
                        let place = place(model, row) + course - tile.lowerBound
                        if columns.mask[course] > 0 {
                            let score = Double(place.pointee)
                            sums[(model * Self.block + row) * Vector.sumLanes] -= score
                            squares[model * Self.block + row] -= score * score
                        }
                        place.pointee = -.infinity
                    }
                    at += 1
                }
                left[row] = at..<end
            }
        }
    }

    func take(_ tile: Range<Int>, _ columns: SharedColumns) {
        for list in 0..<lists.count {
            forEachRow(list, columns, at: tile.lowerBound, self.tile, row: Self.stride) { slot, terms in
                survivors[slot].take(
                    tile.count, from: tile.lowerBound, sumOf: terms, weights + slot * most,
                    allowed: columns.allowed + tile.lowerBound / 64, sorter
                ) { UnsafePointer(place($0, slot % Self.block)) }
            }
        }
    }

    @inline(__always)
    private func place(_ model: Int, _ row: Int) -> UnsafeMutablePointer<Float> { tile(model) + row * Self.stride }

    /// Calls `body(slot, where the terms of the list lie)` for every row.
    @inline(__always)
    private func forEachRow(
        _ list: Int, _ columns: SharedColumns, at first: Int, _ start: (Int) -> UnsafeMutablePointer<Float>, row: Int,
        _ body: (Int, UnsafeBufferPointer<UnsafePointer<Float>?>) -> Void
    ) {
        let terms = lists[list].terms
        for k in 0..<rows {
            for (at, term) in terms.enumerated() {
                pointers[at] = term < models ? UnsafePointer(start(term)) + k * row : columns[term - models] + first
            }
            body(list * Self.block + k, UnsafeBufferPointer(start: pointers, count: terms.count))
        }
    }

    /// Whether a guess kept out what the list needs.
    func lacks(_ row: Int, _ list: Int, _ allowed: Int) -> Bool {
        let survivors = survivors + list * Self.block + row
        return survivors.pointee.threshold > -.greatestFiniteMagnitude
            && survivors.pointee.count < min(survivors.pointee.n, allowed)
    }

    func result(_ row: Int, _ allowed: Int, hasVariances: Bool) -> FusedLists {
        let n = Double(max(allowed, 1))
        let slots = (0..<models).map { $0 * Self.block + row }
        let means = slots.map { slot in
            (0..<Vector.sumLanes).reduce(0) { $0 + sums[slot * Vector.sumLanes + $1] } / n
        }
        precondition(means.allSatisfy(\.isFinite), "a model's scores are not finite")
        let variances = zip(slots, means).map { max(0, squares[$0] / n - $1 * $1) }
        return FusedLists(
            lists: lists.indices.map { survivors[$0 * Self.block + row].ranked(sorter) }, means: means,
            variances: hasVariances ? variances : nil)
    }
}

/// Columns of one value per course, the same for all learners and threads.
final class SharedColumns: @unchecked Sendable {
    let rows: Int
    private let start: UnsafeMutablePointer<Float>
    /// 1 for eligible courses, else 0; and the same as bits, 64 courses a number.
    let mask: UnsafePointer<Float>
    let allowed: UnsafePointer<UInt64>

    init(_ columns: [[Float]], _ eligible: [Bool]) {
        rows = eligible.count
        let (start, bits) = (
            UnsafeMutablePointer<Float>.allocate(capacity: max((columns.count + 1) * rows, 1)),
            UnsafeMutablePointer<UInt64>.allocate(capacity: rows / 64 + 1)
        )
        for (k, column) in ([eligible.map { $0 ? 1 : 0 }] + columns).enumerated() {
            for at in 0..<rows { (start + k * rows + at).initialize(to: column[at]) }
        }
        bits.initialize(repeating: 0, count: rows / 64 + 1)
        for at in 0..<rows where eligible[at] { bits[at / 64] |= 1 << (at % 64) }
        (self.start, mask, allowed) = (start, UnsafePointer(start), UnsafePointer(bits))
    }

    deinit {
        start.deallocate()
        allowed.deallocate()
    }

    subscript(_ column: Int) -> UnsafePointer<Float> { UnsafePointer(start + (column + 1) * rows) }
}
