import Platform

/// A set of courses for each learner of a group: ascending, without duplicates.
package struct CourseSets: Sendable, Equatable {
    package private(set) var offsets: [Int] = [0]
    package private(set) var courses: [UInt32] = []

    package init() {}

    /// Courses with a moment before a time.
    package init(_ moments: Moments, before time: Int64) {
        for learner in 0..<moments.learnerCount {
            append(Array(moments.courses[moments.range(learner, from: .min, to: time)]))
        }
    }

    package var learnerCount: Int { offsets.count - 1 }
    package subscript(learner: Int) -> ArraySlice<UInt32> { courses[offsets[learner]..<offsets[learner + 1]] }

    package func contains(_ learner: Int, _ course: UInt32) -> Bool {
        var (low, high) = (offsets[learner], offsets[learner + 1])
        while low < high {
            let middle = (low + high) / 2
            if courses[middle] < course { low = middle + 1 } else { high = middle }
        }
        return low < offsets[learner + 1] && courses[low] == course
    }

    /// - Parameter set: in any order, duplicates allowed.
    package mutating func append(_ set: [UInt32]) {
        var last: UInt32?
        for course in set.sorted() where course != last {
            courses.append(course)
            last = course
        }
        offsets.append(courses.count)
    }

    /// The sets of some learners, in the given order.
    package func subset(_ learners: [Int]) -> CourseSets {
        var result = CourseSets()
        for learner in learners { result.append(Array(self[learner])) }
        return result
    }

    /// Each learner's courses of both.
    package func union(_ other: CourseSets) -> CourseSets {
        precondition(other.learnerCount == learnerCount)
        var result = CourseSets()
        for learner in 0..<learnerCount { result.append(Array(self[learner]) + other[learner]) }
        return result
    }
}

/// Which courses of the raw history are not recommended again, whatever the threshold of the watch filter.
package enum HistoryExclusion: String, Sendable {
    /// Every course with a watch.
    case watched
    /// Those watched for a fraction of their duration in total; where duration or watch time is not known, a watch
    /// counts as completed.
    case completed
    case none

    /// - Parameters:
    ///   - watches: rows of one shard, those of a learner together.
    ///   - before: seconds; later watches do not count.
    ///   - duration: by course, seconds; nil: unknown.
    package func exclusions(
        _ watches: Watches, learners: Int, before: Int64, duration: [Float?], completedFraction: Float
    ) -> CourseSets {
        var result = CourseSets()
        var at = 0
        for learner in 0..<learners {
            let start = at
            while at < watches.count && Int(watches.learner[at]) == learner { at += 1 }
            let rows = (start..<at).filter { watches.time[$0] < before }
            switch self {
            case .none: result.append([])
            case .watched: result.append(rows.map { watches.course[$0] })
            case .completed: result.append(completed(watches, rows, duration, completedFraction))
            }
        }
        precondition(at == watches.count, "watches are not sorted by learner")
        return result
    }

    private func completed(
        _ watches: Watches, _ rows: [Int], _ duration: [Float?], _ fraction: Float
    ) -> [UInt32] {
        var seconds: [UInt32: Float] = [:]
        for row in rows {
            let time = watches.seconds[row]
            seconds[watches.course[row], default: 0] += time.isNaN ? .infinity : time
        }
        return seconds.filter { course, total in
            duration[Int(course)].map { total >= fraction * $0 } ?? true
        }.map(\.key)
    }
}
