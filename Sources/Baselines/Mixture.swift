import LinearAlgebra
import Platform

/// (1 − share)·a + share·b, each divided by the learner's largest absolute score of it, so that neither's unit counts:
/// `ease+recent` is EASE with what is popular now. A simple weighted hybrid (Burke 2002, doi:10.1023/A:1021240730564).
package struct MixtureScorer: CourseScorer {
    let a: any CourseScorer
    let b: any CourseScorer
    let share: Float

    package var courseCount: Int { a.courseCount }
    package var learnerCount: Int { a.learnerCount }

    /// - Parameters:
    ///   - a: 0 where it says nothing of a course.
    ///   - share: of b, 0…1.
    package init(_ a: any CourseScorer, _ b: any CourseScorer, share: Float) {
        precondition(a.courseCount == b.courseCount && a.learnerCount == b.learnerCount)
        precondition(share >= 0 && share <= 1)
        (self.a, self.b, self.share) = (a, b, share)
    }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        let count = learners.count * courseCount
        a.score(learners, into: out)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { other in
            b.score(learners, into: other.baseAddress!)
            for row in 0..<learners.count {
                let (x, y) = (out + row * courseCount, other.baseAddress! + row * courseCount)
                Vector.scale(courseCount, (1 - share) * inverseOfLargest(x), x)
                Vector.addScaled(courseCount, share * inverseOfLargest(y), y, to: x)
            }
        }
    }

    private func inverseOfLargest(_ x: UnsafePointer<Float>) -> Float {
        var largest: Float = 0
        for i in 0..<courseCount { largest = max(largest, abs(x[i])) }
        return largest == 0 ? 0 : 1 / largest
    }
}
