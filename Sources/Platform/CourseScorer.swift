import LinearAlgebra

/// A model bound to one group of learners (a shard) and one moment in time, ready to score every course.
/// Blend, evaluation and export know models only through this.
package protocol CourseScorer: Sendable {
    var courseCount: Int { get }
    var learnerCount: Int { get }
    /// Scores of every course (larger is better, finite) for each learner of a block.
    /// - Parameter out: learners.count × courseCount, row-major; overwritten.
    func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>)
    /// The same scores, bit for bit, to be asked for tile by tile.
    func block(_ learners: Range<Int>) -> any ScoreBlock
}

/// The scores of a block of learners, made for some courses at a time: what is done with them happens in cache, and the
/// learner × course matrix never exists. Of one thread.
package protocol ScoreBlock: AnyObject {
    /// - Parameters:
    ///   - courses: begins at a multiple of 16.
    ///   - out: learners × row; `row` ≥ courses.count, rounded up to a multiple of 16. What lies behind a row's courses
    ///     has no meaning.
    func scores(of courses: Range<Int>, into out: UnsafeMutablePointer<Float>, row: Int)
}

extension CourseScorer {
    /// Whole rows, made once: for models whose scores cannot be made in parts.
    package func block(_ learners: Range<Int>) -> any ScoreBlock { WholeRows(self, learners) }
}

/// Whole rows, made once.
package final class WholeRows: ScoreBlock {
    private let rows: Int
    private let courses: Int
    private let scores: UnsafeMutablePointer<Float>

    package init(_ scorer: some CourseScorer, _ learners: Range<Int>) {
        (rows, courses) = (learners.count, scorer.courseCount)
        scores = .allocate(capacity: max(rows * courses, 1))
        scorer.score(learners, into: scores)
    }

    deinit { scores.deallocate() }

    package func scores(of wanted: Range<Int>, into out: UnsafeMutablePointer<Float>, row: Int) {
        for k in 0..<rows {
            (out + k * row).update(from: scores + k * courses + wanted.lowerBound, count: wanted.count)
        }
    }
}

extension ScoreBlock {
    /// Whole rows from tiles: `score` of a model that makes tiles.
    /// - Parameter out: learners × courseCount.
    package func scores(learners: Int, courseCount: Int, into out: UnsafeMutablePointer<Float>) {
        let width = SparseTiles.width
        let tile = UnsafeMutablePointer<Float>.allocate(capacity: max(learners * width, 1))
        defer { tile.deallocate() }
        for first in stride(from: 0, to: courseCount, by: width) {
            let wanted = first..<min(first + width, courseCount)
            scores(of: wanted, into: tile, row: width)
            for k in 0..<learners {
                (out + k * courseCount + first).update(from: tile + k * width, count: wanted.count)
            }
        }
    }
}
