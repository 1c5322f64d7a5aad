import LinearAlgebra

/// The moments of a group of learners (usually one shard): when each course became relevant to each learner.
///
/// Rows are learners; moments of learner `l` are at `offsets[l]..<offsets[l + 1]`, sorted by (time, course).
/// A learner has at most one moment per course.
package struct Moments: Sendable, Equatable {
    package var offsets: [Int]
    /// Course numbers, one per moment.
    package var courses: Column<UInt32>
    /// Seconds since 1970 UTC, one per moment.
    package var times: Column<Int64>

    /// Bytes of a moment in memory.
    package static let bytes = MemoryLayout<UInt32>.stride + MemoryLayout<Int64>.stride

    package init(offsets: [Int], courses: [UInt32], times: [Int64]) {
        self.init(offsets: offsets, courses: Column(courses), times: Column(times))
    }

    package init(offsets: [Int], courses: Column<UInt32>, times: Column<Int64>) {
        precondition(offsets.first == 0 && offsets.last == courses.count && courses.count == times.count)
        (self.offsets, self.courses, self.times) = (offsets, courses, times)
    }

    package var learnerCount: Int { offsets.count - 1 }

    /// All moments of a learner.
    package func range(_ learner: Int) -> Range<Int> { offsets[learner]..<offsets[learner + 1] }

    /// Moments of a learner in `[from, to)`.
    package func range(_ learner: Int, from: Int64, to: Int64) -> Range<Int> {
        let lower = firstIndex(range(learner), notBefore: from)
        return lower..<max(lower, firstIndex(lower..<offsets[learner + 1], notBefore: to))
    }

    private func firstIndex(_ range: Range<Int>, notBefore time: Int64) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The shards' learners one after the other.
    package static func concatenated(_ parts: [Moments]) -> Moments {
        var all = Moments(offsets: [0], courses: [], times: [])
        for part in parts {
            let base = all.courses.count
            all.courses += part.courses
            all.times += part.times
            all.offsets += part.offsets.dropFirst().map { $0 + base }
        }
        return all
    }
}
