import LinearAlgebra
import Platform

/// The 0/1 matrix X of one window, both by learner and by course: X[u, i] = 1 where course i became relevant to
/// learner u in `[from, to)`. Learners without a moment there have no row.
package struct WatchMatrix: Sendable {
    package let courseCount: Int
    /// Row u holds `courses[learnerOffsets[u]..<learnerOffsets[u + 1]]`, in order of (time, course).
    package let learnerOffsets: [UInt32]
    package let courses: [UInt32]
    /// Parallel to `courses`: seconds since 1970.
    package let times: [Int64]
    /// Column i holds the rows `learners[courseOffsets[i]..<courseOffsets[i + 1]]`, ascending.
    package let courseOffsets: [Int]
    package let learners: [UInt32]

    package var learnerCount: Int { learnerOffsets.count - 1 }

    /// Watched how often: the diagonal of XᵀX.
    package func watches(_ course: Int) -> Int { courseOffsets[course + 1] - courseOffsets[course] }

    /// Courses of a row.
    package func length(_ learner: Int) -> Int { Int(learnerOffsets[learner + 1] - learnerOffsets[learner]) }

    /// O(moments + courses) time; 20 bytes a moment.
    package init(_ shards: [Moments], courseCount: Int, from: Int64, to: Int64) {
        var learnerOffsets: [UInt32] = [0]
        var courses: [UInt32] = []
        var times: [Int64] = []
        let bound = shards.reduce(0) { $0 + $1.courses.count }
        precondition(bound < Int(UInt32.max), "more than 2³² moments in one process")
        courses.reserveCapacity(bound)
        times.reserveCapacity(bound)
        for shard in shards {
            for learner in 0..<shard.learnerCount {
                let range = shard.range(learner, from: from, to: to)
                if range.isEmpty { continue }
                courses.append(contentsOf: shard.courses[range])
                times.append(contentsOf: shard.times[range])
                learnerOffsets.append(UInt32(courses.count))
            }
        }
        (courseOffsets, learners) = WatchMatrix.transpose(learnerOffsets, courses, courseCount)
        (self.courseCount, self.learnerOffsets, self.courses, self.times) = (
            courseCount, learnerOffsets, courses, times
        )
    }

    /// Counting sort by course; learners stay ascending within a course.
    private static func transpose(
        _ learnerOffsets: [UInt32], _ courses: [UInt32], _ courseCount: Int
    ) -> (offsets: [Int], learners: [UInt32]) {
        var offsets = [Int](repeating: 0, count: courseCount + 1)
        for course in courses { offsets[Int(course) + 1] += 1 }
        for i in 0..<courseCount { offsets[i + 1] += offsets[i] }
        var next = offsets
        let learners = [UInt32](unsafeUninitializedCapacity: courses.count) { out, count in
            for learner in 0..<learnerOffsets.count - 1 {
                for at in Int(learnerOffsets[learner])..<Int(learnerOffsets[learner + 1]) {
                    let course = Int(courses[at])
                    out[next[course]] = UInt32(learner)
                    next[course] += 1
                }
            }
            count = courses.count
        }
        return (offsets, learners)
    }
}
