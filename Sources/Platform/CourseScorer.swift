/// A model bound to one group of learners (a shard) and one moment in time, ready to score every course.
/// Blend, evaluation and export know models only through this.
package protocol CourseScorer: Sendable {
    var courseCount: Int { get }
    var learnerCount: Int { get }
    /// Scores of every course (larger is better, finite) for each learner of a block.
    /// - Parameter out: learners.count × courseCount, row-major; overwritten.
    func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>)
}
