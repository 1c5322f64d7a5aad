import LinearAlgebra
import Platform

/// Makes a learner's list from scores of all courses: the candidates of `CandidateRule`, best first, ties to the
/// smaller number. One per thread.
struct ListMaker {
    /// By course.
    let eligible: [Bool]
    private var isOpen: [Bool]
    /// Courses that compete for the places of the learner's lists.
    private(set) var candidateCount = 0
    private var top: TopSelection
    private var scores: [Float]

    init(eligible: [Bool], depth: Int) {
        self.eligible = eligible
        isOpen = eligible
        top = TopSelection(k: depth)
        scores = [Float](repeating: 0, count: eligible.count)
    }

    /// The learner whose lists are made next.
    /// - Parameter removed: courses that do not compete.
    mutating func begin(without removed: ArraySlice<UInt32>) {
        for course in isOpen.indices { isOpen[course] = eligible[course] }
        for course in removed { isOpen[Int(course)] = false }
        candidateCount = isOpen.count { $0 }
    }

    mutating func list(_ scorer: any CourseScorer, learner: Int) -> [UInt32] {
        scores.withUnsafeMutableBufferPointer { scores in
            guard let base = scores.baseAddress else { return }
            scorer.score(learner..<learner + 1, into: base)
            var threshold = -Float.infinity
            for course in 0..<scores.count where isOpen[course] && base[course] >= threshold {
                top.offer(base[course], Int32(course))
                threshold = top.threshold
            }
        }
        return top.drain().indices.map { UInt32($0) }
    }

    /// What remains of a stored list.
    func list(_ stored: ArraySlice<UInt32>) -> [UInt32] {
        Array(stored.lazy.filter { isOpen[Int($0)] }.prefix(top.k))
    }
}
