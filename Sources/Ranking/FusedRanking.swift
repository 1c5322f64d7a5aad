import LinearAlgebra
import Platform

/// A list that is made for every learner: its n best courses by a weighted sum of models' scores and of columns that are
/// the same for everybody.
package struct RankedSum: Sendable {
    package let n: Int
    /// What is summed, in this order: models by their position, then columns, counted on after the models.
    package let terms: [Int]
    /// By learner: a weight for each term.
    package let weights: @Sendable (Int) -> [Float]
    /// Whether the models' own scores are kept beside.
    package let keepsParts: Bool

    package init(
        n: Int, of terms: [Int], keepsParts: Bool = false, weights: @escaping @Sendable (Int) -> [Float]
    ) {
        precondition(n >= 1 && !terms.isEmpty)
        (self.n, self.terms, self.weights, self.keepsParts) = (n, terms, weights, keepsParts)
    }

    /// The best by one model alone.
    package static func alone(_ model: Int, n: Int) -> RankedSum { RankedSum(n: n, of: [model]) { _ in [1] } }
}

/// What came out for one learner.
package struct FusedLists: Sendable {
    /// One per `RankedSum`, best first; `parts` by model, empty unless kept.
    package struct List: Sendable {
        package var courses: [UInt32]
        package var scores: [Float]
        package var parts: [[Float]]
    }
    package var lists: [List]
    /// By model, over the learner's allowed courses; mean squares around the means for measured learners only.
    package var means: [Double]
    package var variances: [Double]?
}

/// Scores all learners against all courses and keeps each one's best. A tile of scores (48 learners × 128 courses) is
/// made by every model, summed and compared in registers, and forgotten: no learner × course matrix, no row of one, is
/// ever in memory. What may pass is told by a threshold guessed from 512 of the learner's scores; where the guess was
/// too high, the learner is ranked again without one: the guess decides the time, never the result.
package struct FusedRanking: Sendable {
    package let models: [any CourseScorer]
    package let eligible: [Bool]
    package let exclusions: CourseSets
    package let lists: [RankedSum]
    /// Learners that get variances; empty: none.
    package let measured: [Bool]

    private let eligibleCount: Int
    private let shared: SharedColumns
    /// First courses of the sampled panels, and the columns there.
    private let sample: [Int]
    private let sampled: SharedColumns

    /// Learners of a block: a constant, a multiple of the product kernel's six rows.
    package static let block = 48
    static let sampledPanels = 32

    /// - Parameter columns: one value per course each, the same for everybody.
    package init(
        models: [any CourseScorer], columns: [[Float]] = [], eligible: [Bool], exclusions: CourseSets,
        lists: [RankedSum], measured: [Bool] = []
    ) {
        let count = eligible.count
        precondition(models.allSatisfy { $0.courseCount == count && $0.learnerCount == exclusions.learnerCount })
        precondition(columns.allSatisfy { $0.count == count } && !models.isEmpty)
        precondition(measured.isEmpty || measured.count == exclusions.learnerCount)
        (self.models, self.eligible) = (models, eligible)
        (self.exclusions, self.lists, self.measured) = (exclusions, lists, measured)
        eligibleCount = eligible.count { $0 }
        shared = SharedColumns(columns, eligible)
        let panels = count / Panels.width
        let sample =
            panels < 4 * Self.sampledPanels
            ? [] : (0..<Self.sampledPanels).map { (2 * $0 + 1) * panels / (2 * Self.sampledPanels) * Panels.width }
        self.sample = sample
        func there<Value>(_ column: [Value]) -> [Value] { sample.flatMap { column[$0..<$0 + Panels.width] } }
        sampled = SharedColumns(columns.map(there), there(eligible))
    }

    /// `[body(learner 0, its lists), …]`. Memory per thread: models × 48 × 128 floats, and 4·n entries per list of a
    /// block.
    package func map<Result>(workers: Workers, _ body: (Int, FusedLists) -> Result) -> [Result] {
        let learners = exclusions.learnerCount
        let blocks = (learners + Self.block - 1) / Self.block
        var results = [[Result]](repeating: [], count: blocks)
        results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = slots
            workers.forEach(blocks, scratch: { FusedScratch(models.count, lists) }) { scratch, block in
                let range = block * Self.block..<min(learners, (block + 1) * Self.block)
                slots[block] = zip(range, rank(range, scratch, guessing: true)).map { body($0, $1) }
            }
        }
        return results.flatMap { $0 }
    }

    private func rank(_ learners: Range<Int>, _ scratch: FusedScratch, guessing: Bool) -> [FusedLists] {
        let blocks = models.map { $0.block(learners) }
        let varied = learners.enumerated().filter { hasVariances($1) }.map { $0.offset }
        scratch.begin(learners, exclusions)
        if guessing && !sample.isEmpty { guess(blocks, learners.count, scratch) }
        for first in stride(from: 0, to: eligible.count, by: SparseTiles.width) {
            let tile = first..<min(first + SparseTiles.width, eligible.count)
            for (model, block) in blocks.enumerated() {
                block.scores(of: tile, into: scratch.tile(model), row: FusedScratch.stride)
                scratch.add(model, tile, shared)
                for row in varied { scratch.addSquares(model, row, tile, shared) }
            }
            scratch.exclude(tile, exclusions, shared)
            scratch.take(tile, shared)
        }
        return learners.enumerated().map { row, learner in
            let allowed = eligibleCount - exclusions[learner].count { eligible[Int($0)] }
            if guessing && lists.indices.contains(where: { scratch.lacks(row, $0, allowed) }) {
                return rank(learner..<learner + 1, FusedScratch(models.count, lists), guessing: false)[0]
            }
            return scratch.result(row, allowed, hasVariances: hasVariances(learner))
        }
    }

    private func hasVariances(_ learner: Int) -> Bool { !measured.isEmpty && measured[learner] }

    /// Thresholds that, judging by the sample, somewhat more than n courses reach: three standard deviations of the
    /// number of sampled ones above its mean.
    private func guess(_ blocks: [any ScoreBlock], _ rows: Int, _ scratch: FusedScratch) {
        let width = sample.count * Panels.width
        for (model, block) in blocks.enumerated() {
            for (k, first) in sample.enumerated() {
                block.scores(
                    of: first..<first + Panels.width, into: scratch.sampled(model) + k * Panels.width, row: width)
            }
        }
        scratch.bar(sampled)
        let share = Double(width) / Double(eligible.count)
        for (list, sum) in lists.enumerated() {
            let expected = Double(sum.n) * share
            scratch.guess(list, sampled, rank: Int(expected + 3 * expected.squareRoot()) + 1)
        }
    }
}
