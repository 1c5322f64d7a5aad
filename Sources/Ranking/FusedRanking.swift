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
    /// By model, over the learner's allowed courses; mean squares around the means for sampled learners only.
    package var means: [Double]
    package var variances: [Double]?
}

/// Scores all learners against all courses and keeps each one's best. A tile of scores (48 learners × 256 courses) is
/// made by every model, summed and compared in registers, and forgotten: no learner × course matrix, no row of one, is
/// ever in memory. What may pass is told by a threshold guessed from 512 of the learner's scores; where the guess was
/// too high, the learner is ranked again without one: the guess decides the time, never the result.
package struct FusedRanking: Sendable {
    package let models: [any CourseScorer]
    package let eligible: [Bool]
    package let exclusions: CourseSets
    package let lists: [RankedSum]
    /// One learner in so many gets variances.
    package let varianceStride: Int

    private let eligibleCount: Int
    /// The columns; −∞ for ineligible courses if there are any, which no threshold lets through.
    private let columns: SharedColumns
    private let anyBarred: Bool
    /// 1 for eligible courses, else 0.
    private let mask: SharedColumns
    /// First courses of the sampled panels, and the columns there.
    private let sample: [Int]
    private let sampledColumns: SharedColumns

    /// Learners of a block: a constant, a multiple of the product kernel's six rows.
    package static let block = 48
    static let sampledPanels = 32

    /// - Parameter columns: one value per course each, the same for everybody.
    package init(
        models: [any CourseScorer], columns: [[Float]] = [], eligible: [Bool], exclusions: CourseSets,
        lists: [RankedSum], varianceStride: Int = .max
    ) {
        let count = eligible.count
        precondition(models.allSatisfy { $0.courseCount == count && $0.learnerCount == exclusions.learnerCount })
        precondition(columns.allSatisfy { $0.count == count } && !models.isEmpty)
        (self.models, self.eligible) = (models, eligible)
        (self.exclusions, self.lists, self.varianceStride) = (exclusions, lists, varianceStride)
        mask = SharedColumns([eligible.map { $0 ? 1 : 0 }])
        eligibleCount = eligible.count { $0 }
        anyBarred = eligibleCount < count
        let all = columns + (anyBarred ? [eligible.map { $0 ? 0 : -.infinity }] : [])
        self.columns = SharedColumns(all)
        let panels = count / Panels.width
        let sample =
            panels < 4 * Self.sampledPanels
            ? [] : (0..<Self.sampledPanels).map { (2 * $0 + 1) * panels / (2 * Self.sampledPanels) * Panels.width }
        self.sample = sample
        sampledColumns = SharedColumns(all.map { column in sample.flatMap { column[$0..<$0 + Panels.width] } })
    }

    /// `[body(learner 0, its lists), …]`. Memory per thread: models × 48 × 256 floats, and 4·n entries per list of a
    /// block.
    package func map<Result>(workers: Workers, _ body: (Int, FusedLists) -> Result) -> [Result] {
        let learners = exclusions.learnerCount
        let blocks = (learners + Self.block - 1) / Self.block
        var results = [[Result]](repeating: [], count: blocks)
        results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = slots
            workers.forEach(blocks, scratch: { FusedScratch(models.count, columns.count, lists, anyBarred: anyBarred) })
            { scratch, block in
                let range = block * Self.block..<min(learners, (block + 1) * Self.block)
                slots[block] = zip(range, rank(range, scratch, guessing: true)).map { body($0, $1) }
            }
        }
        return results.flatMap { $0 }
    }

    private func rank(_ learners: Range<Int>, _ scratch: FusedScratch, guessing: Bool) -> [FusedLists] {
        let blocks = models.map { $0.block(learners) }
        scratch.begin(learners)
        if guessing && !sample.isEmpty { guess(blocks, learners.count, scratch) }
        for first in stride(from: 0, to: eligible.count, by: SparseTiles.width) {
            let tile = first..<min(first + SparseTiles.width, eligible.count)
            for (model, block) in blocks.enumerated() {
                block.scores(of: tile, into: scratch.tile(model), row: FusedScratch.stride)
            }
            for (row, learner) in learners.enumerated() { take(tile, row, learner, scratch) }
        }
        return learners.enumerated().map { row, learner in
            let allowed = eligibleCount - exclusions[learner].count { eligible[Int($0)] }
            if guessing && lists.indices.contains(where: { scratch.lacks(row, $0, allowed) }) {
                return rank(learner..<learner + 1, scratch.alike(), guessing: false)[0]
            }
            return scratch.result(row, allowed, hasVariances: learner % varianceStride == 0)
        }
    }

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
        let share = Double(width) / Double(eligible.count)
        for row in 0..<rows {
            for (list, sum) in lists.enumerated() {
                let expected = Double(sum.n) * share
                let rank = Int(expected + 3 * expected.squareRoot()) + 1
                scratch.guess(row, list, width: width, sampledColumns, rank: rank)
            }
        }
    }

    private func take(_ tile: Range<Int>, _ row: Int, _ learner: Int, _ scratch: FusedScratch) {
        let hasVariances = learner % varianceStride == 0
        let mask = mask[0] + tile.lowerBound
        for model in models.indices {
            let scores = scratch.tile(model) + row * FusedScratch.stride
            scratch.sums[row * models.count + model] += Double(Vector.dot(tile.count, scores, mask))
            if hasVariances {
                var sum = 0.0
                for at in 0..<tile.count where mask[at] > 0 { sum += Double(scores[at]) * Double(scores[at]) }
                scratch.squares[row * models.count + model] += sum
            }
        }
        let excluded = exclusions[learner]
        var at = excluded.startIndex + scratch.passed[row]
        while at < excluded.endIndex, Int(excluded[at]) < tile.upperBound {
            remove(Int(excluded[at]), tile.lowerBound, row, scratch)
            at += 1
        }
        scratch.passed[row] = at - excluded.startIndex
        scratch.take(tile, row, columns)
    }

    /// An excluded course: out of the sums, and −∞, which no threshold lets through.
    private func remove(_ course: Int, _ first: Int, _ row: Int, _ scratch: FusedScratch) {
        for model in models.indices {
            let place = scratch.tile(model) + row * FusedScratch.stride + course - first
            if eligible[course] {
                let score = Double(place.pointee)
                scratch.sums[row * models.count + model] -= score
                scratch.squares[row * models.count + model] -= score * score
            }
            place.pointee = -.infinity
        }
    }
}
