import LinearAlgebra
import Platform

/// Draws courses that a learner could have met and did not engage with, for logs without impressions: by
/// (1 + engagements)^α among the courses published before the row's time.
///
/// If each positive came with all C courses of its time as negatives, the odds would be e^z. With k drawn ones of
/// weight mass/k, a course c appears with expected weight mass·q(c) instead of 1, so its odds are e^z/(mass·q(c)).
/// All rows of such learners and channels therefore have the offset −log(mass·q(c)): the model keeps the popularity
/// that drawing by it would remove, and its intercept stands for the full set.
package struct NegativeSampler: Sendable {
    /// Courses by publication, then number.
    private let order: [UInt32]
    private let published: [Int64]
    private let retiredAt: [Int64]
    /// Σ of weights up to and including each position of `order`.
    private let cumulated: [Double]
    private let weights: [Double]
    package let courseCount: Int

    /// - Parameter engagements: per course, before the cutoff.
    package init(engagements: [Int], publishedAt: [Int64], retiredAt: [Int64], alpha: Double) {
        courseCount = engagements.count
        let order = engagements.indices.sorted { (publishedAt[$0], $0) < (publishedAt[$1], $1) }
        weights = engagements.map { alpha == 0 ? 1 : Scalar.exp(alpha * Scalar.log(1 + Double($0))) }
        self.order = order.map { UInt32($0) }
        published = order.map { publishedAt[$0] }
        self.retiredAt = retiredAt
        var total = 0.0
        var sums: [Double] = []
        for course in order {
            total += weights[course]
            sums.append(total)
        }
        cumulated = sums
    }

    /// How many courses are published before a time (their position in `order`).
    private func available(_ time: Int64) -> Int { Self.first(published) { $0 >= time } }

    /// What the drawn negatives of one positive stand for: never more than the courses there are.
    func mass(_ rules: RowRules, at time: Int64) -> Double { min(rules.negativeMass, Double(max(1, available(time)))) }

    /// −log(mass·q(course)).
    func offset(_ course: UInt32, mass: Double, at time: Int64) -> Float {
        let count = available(time)
        if count == 0 { return 0 }
        return Float(-Scalar.log(mass * weights[Int(course)] / cumulated[count - 1]))
    }

    /// Up to `rules.negatives` distinct courses; fewer where there are hardly any others.
    func draw(
        _ rules: RowRules, at time: Int64, not engaged: Set<UInt32>, hash: UInt64, course: UInt32
    ) -> [UInt32] {
        let count = available(time)
        if count == 0 { return [] }
        var random = RandomKey(seed: rules.seed, purpose: "glmix.negatives")
            .stream(hash, UInt64(bitPattern: time) &* 1_000_003 &+ UInt64(course))
        var drawn: [UInt32] = []
        for _ in 0..<rules.negatives * 25 where drawn.count < rules.negatives {
            let at = random.uniform() * cumulated[count - 1]
            let candidate = order[min(count - 1, Self.first(cumulated) { $0 > at })]
            if engaged.contains(candidate) || drawn.contains(candidate) || retiredAt[Int(candidate)] <= time { continue }
            drawn.append(candidate)
        }
        return drawn
    }

    /// First index of a sorted array for which the predicate holds; its count if none.
    private static func first<Value>(_ values: [Value], _ holds: (Value) -> Bool) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if holds(values[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
