import LinearAlgebra
import Platform

/// Popularity baselines: the same list for everybody, but for what a learner has watched, which the ranking step
/// removes. On real logs what is watched now is hard to beat (Ji et al. 2020, "A re-visit of the popularity baseline
/// in recommender systems", doi:10.1145/3397271.3401233).
package enum Popularity {
    package static let day: Int64 = 86_400

    /// Moments of every course in `[from, to)`, over all learners.
    package static func counts(
        _ shards: [Moments], courseCount: Int, from: Int64 = .min, to: Int64
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: courseCount)
        for shard in shards {
            for at in shard.courses.indices where shard.times[at] >= from && shard.times[at] < to {
                counts[Int(shard.courses[at])] += 1
            }
        }
        return counts
    }

    /// `trending`: moments decayed with a half-life (`CourseActivity.decayed`); courses with equally many by all moments.
    package static func scores(decayed: [Double], all: [Int]) -> [Float] {
        precondition(decayed.count == all.count)
        let scale = 1e-6 / Double((all.max() ?? 0) + 1)
        return zip(decayed, all).map { Float($0 + Double($1) * scale) }
    }

    /// `popular`: all moments before T.
    package static func scores(_ counts: [Int]) -> [Float] { counts.map { Float($0) } }

    /// `recent`: moments of the last 28 days before T; courses with equally many by all moments before T.
    /// - Parameters:
    ///   - recent: counts in `[T − 28 d, T)`.
    ///   - all: counts before T, which add less than 1.
    package static func scores(recent: [Int], all: [Int]) -> [Float] {
        precondition(recent.count == all.count)
        let scale = 1 / Float((all.max() ?? 0) + 1)
        return zip(recent, all).map { Float($0) + Float($1) * scale }
    }
}

/// Scores that are the same for every learner.
package struct ConstantScorer: CourseScorer {
    let scores: [Float]
    package let learnerCount: Int
    package var courseCount: Int { scores.count }

    package init(scores: [Float], learnerCount: Int) { (self.scores, self.learnerCount) = (scores, learnerCount) }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        scores.withUnsafeBufferPointer { scores in
            for row in 0..<learners.count {
                (out + row * scores.count).update(from: scores.baseAddress!, count: scores.count)
            }
        }
    }
}
