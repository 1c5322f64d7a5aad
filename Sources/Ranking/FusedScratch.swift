import LinearAlgebra
import Platform

/// What a thread of `FusedRanking` holds: a tile of every model's scores, and per learner of a block and list what may
/// still be among the best. Reused from block to block.
final class FusedScratch {
    private let models: Int
    private let columns: Int
    private let lists: [RankedSum]
    private let anyBarred: Bool
    /// Models × 48 × stride, and models × 48 × 512 sampled scores.
    private let tiles: UnsafeMutablePointer<Float>
    private let samples: UnsafeMutablePointer<Float>
    /// By row and list.
    private let survivors: [Survivors]
    private let sorter = KeySorter()
    private let values: UnsafeMutablePointer<Float>
    private let places: UnsafeMutablePointer<Int32>
    private let pointers: UnsafeMutablePointer<UnsafePointer<Float>?>
    /// By row and list, `most` apart: weights of models and columns, then 1 for the column of barred courses.
    private let weights: UnsafeMutablePointer<Float>
    private let most: Int
    /// By row: excluded courses that went by; by row and model: sums of scores and of their squares.
    let passed: UnsafeMutablePointer<Int>
    let sums: UnsafeMutablePointer<Double>
    let squares: UnsafeMutablePointer<Double>

    private static let block = FusedRanking.block
    /// How far rows of a tile lie apart: 17 cache lines, so that a column falls into all sets.
    static let stride = SparseTiles.width + 16
    private static let sampleWidth = FusedRanking.sampledPanels * Panels.width

    /// - Parameter anyBarred: the last column is of barred courses, and every list adds it.
    init(_ models: Int, _ columns: Int, _ lists: [RankedSum], anyBarred: Bool) {
        (self.models, self.columns, self.lists, self.anyBarred) = (models, columns, lists, anyBarred)
        let rows = Self.block
        tiles = .allocate(capacity: models * rows * Self.stride)
        tiles.initialize(repeating: 0, count: models * rows * Self.stride)
        samples = .allocate(capacity: models * rows * Self.sampleWidth)
        samples.initialize(repeating: 0, count: models * rows * Self.sampleWidth)
        survivors = (0..<rows * lists.count).map {
            let list = lists[$0 % lists.count]
            return Survivors(n: list.n, parts: list.keepsParts ? models : 0)
        }
        values = .allocate(capacity: Self.sampleWidth)
        places = .allocate(capacity: Self.sampleWidth)
        most = models + columns + 1
        pointers = .allocate(capacity: most)
        weights = .allocate(capacity: rows * lists.count * most)
        passed = .allocate(capacity: rows)
        sums = .allocate(capacity: rows * models)
        squares = .allocate(capacity: rows * models)
    }

    deinit {
        tiles.deallocate()
        samples.deallocate()
        values.deallocate()
        places.deallocate()
        pointers.deallocate()
        weights.deallocate()
        passed.deallocate()
        sums.deallocate()
        squares.deallocate()
    }

    func alike() -> FusedScratch { FusedScratch(models, columns, lists, anyBarred: anyBarred) }

    func tile(_ model: Int) -> UnsafeMutablePointer<Float> { tiles + model * Self.block * Self.stride }
    func sampled(_ model: Int) -> UnsafeMutablePointer<Float> { samples + model * Self.block * Self.sampleWidth }

    func begin(_ learners: Range<Int>) {
        for (row, learner) in learners.enumerated() {
            for (list, sum) in lists.enumerated() {
                let slot = row * lists.count + list
                survivors[slot].begin(atLeast: -.greatestFiniteMagnitude)
                for (k, weight) in (sum.weights(learner) + [1]).enumerated() { weights[slot * most + k] = weight }
            }
        }
        passed.initialize(repeating: 0, count: learners.count)
        sums.initialize(repeating: 0, count: learners.count * models)
        squares.initialize(repeating: 0, count: learners.count * models)
    }

    /// Begins a list at the sampled score of a rank; at none if so few were sampled.
    func guess(_ row: Int, _ list: Int, width: Int, _ columns: SharedColumns, rank: Int) {
        let slot = row * lists.count + list
        let found = Vector.select(
            width, sumOf: terms(list, columns, at: 0) { UnsafePointer(sampled($0) + row * width) },
            weights + slot * most, atLeast: -.greatestFiniteMagnitude, base: 0, into: places, scores: values)
        if rank >= found { return }
        // The rank-th largest is the (found − 1 − rank)-th smallest.
        survivors[slot].begin(atLeast: OrderStatistic.smallest(found - 1 - rank, of: values, count: found))
    }

    func take(_ tile: Range<Int>, _ row: Int, _ columns: SharedColumns) {
        for list in 0..<lists.count {
            let slot = row * lists.count + list
            survivors[slot].take(
                tile.count, from: tile.lowerBound,
                sumOf: terms(list, columns, at: tile.lowerBound) { place($0, row) }, weights + slot * most,
                model: { place($0, row) }, sorter)
        }
    }

    @inline(__always)
    private func place(_ model: Int, _ row: Int) -> UnsafePointer<Float> {
        UnsafePointer(tile(model) + row * Self.stride)
    }

    /// Where the terms of a list lie; valid until the next call.
    @inline(__always)
    private func terms(
        _ list: Int, _ columns: SharedColumns, at first: Int, _ row: (Int) -> UnsafePointer<Float>
    ) -> UnsafeBufferPointer<UnsafePointer<Float>?> {
        var count = 0
        for term in lists[list].terms {
            pointers[count] = term < models ? row(term) : columns[term - models] + first
            count += 1
        }
        if anyBarred {
            pointers[count] = columns[columns.count - 1] + first
            count += 1
        }
        return UnsafeBufferPointer(start: pointers, count: count)
    }

    /// Whether a guess kept out what the list needs.
    func lacks(_ row: Int, _ list: Int, _ allowed: Int) -> Bool {
        let survivors = survivors[row * lists.count + list]
        return survivors.threshold > -.greatestFiniteMagnitude && survivors.count < min(survivors.n, allowed)
    }

    func result(_ row: Int, _ allowed: Int, hasVariances: Bool) -> FusedLists {
        let n = Double(max(allowed, 1))
        let means = (0..<models).map { sums[row * models + $0] / n }
        precondition(means.allSatisfy(\.isFinite), "a model's scores are not finite")
        let found = (0..<lists.count).map { list -> FusedLists.List in
            let survivors = survivors[row * lists.count + list]
            return survivors.ranked(sorter) { order in
                FusedLists.List(
                    courses: order.map { UInt32(survivors.courses[Int($0)]) },
                    scores: order.map { survivors.scores[Int($0)] },
                    parts: survivors.keptModels.map { model in order.map { survivors.part(model, Int($0)) } })
            }
        }
        let variances = (0..<models).map { max(0, squares[row * models + $0] / n - means[$0] * means[$0]) }
        return FusedLists(lists: found, means: means, variances: hasVariances ? variances : nil)
    }
}

/// Columns of one value per course, the same for all learners and threads.
final class SharedColumns: @unchecked Sendable {
    let count: Int
    private let rows: Int
    private let start: UnsafeMutablePointer<Float>

    init(_ columns: [[Float]]) {
        (count, rows) = (columns.count, columns.first?.count ?? 0)
        start = .allocate(capacity: max(count * rows, 1))
        for (k, column) in columns.enumerated() {
            for at in 0..<rows { (start + k * rows + at).initialize(to: column[at]) }
        }
    }

    deinit { start.deallocate() }

    subscript(_ column: Int) -> UnsafePointer<Float> { UnsafePointer(start + column * rows) }
}
