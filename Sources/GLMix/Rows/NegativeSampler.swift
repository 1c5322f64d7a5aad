import LinearAlgebra
import Platform

/// Draws courses that a learner could have met and did not engage with, for logs without impressions: by
/// (1 + engagements)^α among the courses published before the row's time and not retired.
///
/// If each positive came with all C candidates as negatives (published, not engaged with), a course's odds would be
/// e^z. With k draws of weight mass/k, candidate c appears with the expected weight mass·q(c) instead of 1, so its odds
/// are e^z/(mass·q(c)). All rows of such learners and channels therefore have the offset −log(mass·q(c)): the model
/// keeps the popularity that drawing by it would remove, and its intercept stands for the full set. For a positive,
/// q is what it would have been had the learner not engaged with it.
package struct NegativeSampler: Sendable {
    /// Courses by publication, then number.
    private let order: [UInt32]
    private let published: [Int64]
    private let publishedAt: [Int64]
    private let retiredAt: [Int64]
    /// Σ of weights up to and including each position of `order`.
    private let cumulated: [Double]
    /// When published courses are retired, ascending, and Σ of weights up to and including each.
    private let retired: [Int64]
    private let cumulatedRetired: [Double]
    private let weights: [Double]
    package let courseCount: Int

    /// - Parameter engagements: per course, before the cutoff.
    package init(engagements: [Int], publishedAt: [Int64], retiredAt: [Int64], alpha: Double) {
        courseCount = engagements.count
        let order = engagements.indices.sorted { (publishedAt[$0], $0) < (publishedAt[$1], $1) }
        weights = engagements.map { alpha == 0 ? 1 : Scalar.exp(alpha * Scalar.log(1 + Double($0))) }
        self.order = order.map { UInt32($0) }
        published = order.map { publishedAt[$0] }
        (self.publishedAt, self.retiredAt) = (publishedAt, retiredAt)
        let weights = weights
        func sums(_ order: [Int]) -> [Double] {
            var total = 0.0
            return order.map { course in
                total += weights[course]
                return total
            }
        }
        cumulated = sums(order)
        // Retired before it was published: never there, so gone from the moment at which it would be.
        func gone(_ course: Int) -> Int64 {
            publishedAt[course] == .max ? .max : max(retiredAt[course], publishedAt[course] + 1)
        }
        let leaving = engagements.indices.filter { retiredAt[$0] != .max }.sorted { (gone($0), $0) < (gone($1), $1) }
        retired = leaving.map(gone)
        cumulatedRetired = sums(leaving)
    }

    /// How many courses are published before a time (their position in `order`).
    private func available(_ time: Int64) -> Int { Self.first(published) { $0 >= time } }

    /// What a learner could have met at a time.
    package struct Candidates {
        /// Courses that are published, not retired, and that the learner never engages with; the sum of their weights.
        package let count: Int
        package let weight: Double
        fileprivate let published: Int
    }

    package func candidates(at time: Int64, not engaged: Set<UInt32>) -> Candidates {
        let published = available(time)
        let gone = Self.first(retired) { $0 > time }
        var (count, weight) = (published - gone, published == 0 ? 0 : cumulated[published - 1])
        if gone > 0 { weight -= cumulatedRetired[gone - 1] }
        for course in engaged.sorted() where publishedAt[Int(course)] < time && retiredAt[Int(course)] > time {
            count -= 1
            weight -= weights[Int(course)]
        }
        return Candidates(count: max(0, count), weight: max(0, weight), published: published)
    }

    /// What the drawn negatives of a positive stand for: never more than the candidates there are.
    package func mass(_ rules: RowRules, _ candidates: Candidates) -> Double {
        min(rules.negativeMass, Double(candidates.count))
    }

    /// −log(mass·q(course)). own: the learner engaged with the course, which is put back among the candidates.
    package func offset(_ course: UInt32, own: Bool, _ rules: RowRules, _ candidates: Candidates) -> Float {
        let weight = weights[Int(course)]
        let mass = min(rules.negativeMass, Double(candidates.count + (own ? 1 : 0)))
        return Float(-Scalar.log(mass * weight / (candidates.weight + (own ? weight : 0))))
    }

    /// Draws with replacement; none where there are no candidates.
    package func draw(
        _ rules: RowRules, _ candidates: Candidates, at time: Int64, not engaged: Set<UInt32>, hash: UInt64,
        course: UInt32
    ) -> [UInt32] {
        if candidates.count == 0 { return [] }
        var random = RandomKey(seed: rules.seed, purpose: "glmix.negatives")
            .stream(hash, UInt64(bitPattern: time) &* 1_000_003 &+ UInt64(course))
        let last = candidates.published - 1
        var drawn: [UInt32] = []
        for _ in 0..<rules.negatives * 25 where drawn.count < rules.negatives {
            let at = random.uniform() * cumulated[last]
            let candidate = order[min(last, Self.first(cumulated) { $0 > at })]
            if engaged.contains(candidate) || retiredAt[Int(candidate)] <= time { continue }
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
