import LinearAlgebra
import Platform

/// What a course of the context weighs, by when it was watched.
package struct RecencyWeights: Sendable, Hashable {
    /// Exponents a, b ≥ 0 of (1 + age in days)^−a · (1 + position from the end)^−b.
    package var age: Double
    package var position: Double
    /// Only so many of the newest courses count.
    package var last: Int

    package init(age: Double = 0, position: Double = 0, last: Int = .max) {
        precondition(age >= 0 && position >= 0 && last >= 1)
        (self.age, self.position, self.last) = (age, position, last)
    }

    /// Every course of the context counts alike.
    package static let uniform = RecencyWeights()

    func weight(ageInSeconds: Int64, positionFromEnd: Int) -> Float {
        if age == 0 && position == 0 { return 1 }
        let days = Double(max(0, ageInSeconds)) / Double(Popularity.day)
        return Float(
            Scalar.exp(-age * Scalar.log(1 + days) - position * Scalar.log(1 + Double(positionFromEnd))))
    }
}

/// Item-to-item baselines: score(u, c) = Σ_{i in context of u, i ≠ c} w_i·B[i, c], context = moments in
/// `[T − history, T)`.
///
/// - `cowatch`: B is the co-watch similarity (item kNN: Deshpande & Karypis 2004, doi:10.1145/963770.963776).
/// - `ease`: B of EASE^R (Steck 2019, doi:10.1145/3308558.3313710), with recency weights as an option.
/// - `markov`: B of what follows what, position exponent 1, the last 10 courses (Ludewig & Jannach 2018,
///   doi:10.1007/s11257-018-9209-6).
///
/// An empty context gets the fallback's scores. Where B is sparse, courses that nothing in the context speaks for have 0
/// or, with `ordersRest`, come after all others, by the fallback's scores.
package struct ItemToItemScorer: CourseScorer {
    let weights: WideMatrix
    let moments: Moments
    let time: Int64
    let history: Int64
    let recency: RecencyWeights
    let fallback: [Float]
    /// The fallback's scores, scaled into (−2, −1]: below every sum that can matter. nil: the rest has 0.
    let rest: [Float]?

    package var courseCount: Int { fallback.count }
    package var learnerCount: Int { moments.learnerCount }

    /// - Parameters:
    ///   - weights: not `none`; sparse ones are not negative.
    ///   - fallback: a popularity score of each course, not negative.
    ///   - ordersRest: for a list of its own; not in a mixture, which orders the rest by its other part.
    package init(
        _ weights: WideMatrix, moments: Moments, time: Int64, history: Int64, recency: RecencyWeights = .uniform,
        fallback: [Float], ordersRest: Bool = true
    ) {
        if case .none = weights { preconditionFailure("an item-to-item scorer needs weights") }
        (self.weights, self.moments, self.time, self.history) = (weights, moments, time, history)
        (self.recency, self.fallback) = (recency, fallback)
        let scale = 1 / ((fallback.max() ?? 0) + 1)
        rest = ordersRest ? fallback.map { $0 * scale - 2 } : nil
    }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        for (row, learner) in learners.enumerated() {
            let scores = out + row * courseCount
            let from = time.subtractingReportingOverflow(history)
            let context = moments.range(learner, from: from.overflow ? .min : from.partialValue, to: time)
            if context.isEmpty {
                for course in 0..<courseCount { scores[course] = fallback[course] }
                continue
            }
            scores.update(repeating: 0, count: courseCount)
            for at in context.suffix(recency.last) {
                let weight = recency.weight(
                    ageInSeconds: time - moments.times[at], positionFromEnd: context.upperBound - 1 - at)
                add(Int(moments.courses[at]), weight, to: scores)
            }
            if case .sparse = weights, let rest {
                for course in 0..<courseCount where scores[course] == 0 { scores[course] = rest[course] }
            }
        }
    }

    private func add(_ course: Int, _ weight: Float, to scores: UnsafeMutablePointer<Float>) {
        switch weights {
        case .none: return
        case .dense(let matrix):
            matrix.values.withUnsafeBufferPointer {
                Vector.addScaled(courseCount, weight, $0.baseAddress! + course * courseCount, to: scores)
            }
        case .sparse(let rows):
            for at in rows.range(course) where rows.columns[at] != UInt32(course) {
                scores[Int(rows.columns[at])] += weight * rows.values[at]
            }
        }
    }
}
