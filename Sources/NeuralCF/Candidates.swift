import LinearAlgebra

/// The courses that a step scores, and where each lies among them.
package struct Candidates: Sendable {
    /// Course numbers; ascending.
    package let courses: [UInt32]
    /// Position of each course among `courses`, −1 if it is not there.
    package let slots: [Int32]
    /// log of each candidate's probability of being in the sample; empty when all courses are candidates.
    package let logProbability: [Float]

    var count: Int { courses.count }

    static func all(_ courseCount: Int) -> Candidates {
        Candidates(
            courses: (0..<courseCount).map { UInt32($0) }, slots: (0..<courseCount).map { Int32($0) },
            logProbability: [])
    }

    /// All labels of the step and `negatives` courses drawn uniformly without replacement.
    ///
    /// A course is in the sample with probability 1 − (1 − negatives/C)·(1 − f)^L, f its share of the epoch's labels and
    /// L the step's number of labels.
    package static func sampled(
        labels: [UInt32], negatives: Int, labelShare: [Double], using random: inout CounterRandom
    ) -> Candidates {
        let courseCount = labelShare.count
        let draws = min(negatives, courseCount)
        var chosen = [Bool](repeating: false, count: courseCount)
        for label in labels { chosen[Int(label)] = true }
        var order = (0..<courseCount).map { UInt32($0) }
        for i in 0..<draws {
            order.swapAt(i, i + random.below(courseCount - i))
            chosen[Int(order[i])] = true
        }
        let notDrawn = 1 - Double(draws) / Double(courseCount)
        var (courses, slots): ([UInt32], [Int32]) = ([], [Int32](repeating: -1, count: courseCount))
        var logs: [Float] = []
        for course in 0..<courseCount where chosen[course] {
            slots[course] = Int32(courses.count)
            courses.append(UInt32(course))
            let noLabel = Scalar.exp(Double(labels.count) * Scalar.log(max(1 - labelShare[course], 1e-12)))
            logs.append(Float(Scalar.log(max(1 - notDrawn * noLabel, 1e-12))))
        }
        return Candidates(courses: courses, slots: slots, logProbability: logs)
    }
}
