import LinearAlgebra

/// At most so many courses of a list may share a value of one course column.
package struct ColumnCap: Sendable {
    package let most: Int
    /// Course c has the values `values[offsets[c]..<offsets[c + 1]]`.
    package let offsets: [Int]
    package let values: [UInt32]

    package init(most: Int, offsets: [Int], values: [UInt32]) {
        precondition(most >= 1 && offsets.last == values.count)
        (self.most, self.offsets, self.values) = (most, offsets, values)
    }
}

/// Takes the best k of ranked candidates, one after the other: by score alone, under caps per column, or by maximal
/// marginal relevance (Carbonell & Goldstein 1998, doi:10.1145/290941.291025):
///
///     next = argmax θ·r(c) − (1 − θ)·max over chosen d of cos(c, d),   r(c) = 1 − position of c / candidates
///
/// Ties go to the better candidate. Values never rise along a list: what was chosen only adds to the maximum.
package struct GreedyWalk: Sendable {
    package let k: Int
    /// θ; 1 is no diversity.
    package let relevanceShare: Float
    package let caps: [ColumnCap]
    /// Courses × d, rows of length 1 or 0. Needed for θ < 1.
    package let vectors: Matrix?

    package init(k: Int, relevanceShare: Float = 1, caps: [ColumnCap] = [], vectors: Matrix? = nil) {
        precondition(k >= 1 && relevanceShare >= 0 && relevanceShare <= 1)
        precondition(relevanceShare == 1 || vectors != nil, "diversity needs vectors")
        (self.k, self.relevanceShare, self.caps, self.vectors) = (k, relevanceShare, caps, vectors)
    }

    /// - Parameters:
    ///   - courses: best first.
    ///   - scores: one per course, non-increasing.
    /// - Returns: positions in `courses` in list order, and what ordered them: the scores without diversity, else the
    ///   marginal relevance. O(candidates·caps), with diversity O(k·candidates·d).
    package func choose(_ courses: [UInt32], _ scores: [Float]) -> (positions: [Int], listScores: [Float]) {
        relevanceShare == 1 ? byScore(courses, scores) : byMarginalRelevance(courses)
    }

    private func byScore(_ courses: [UInt32], _ scores: [Float]) -> (positions: [Int], listScores: [Float]) {
        var counts = CapCounts(caps)
        var positions: [Int] = []
        for (position, course) in courses.enumerated() where counts.admits(course) {
            if positions.count == k { break }
            positions.append(position)
            counts.add(course)
        }
        return (positions, positions.map { scores[$0] })
    }

    private func byMarginalRelevance(_ courses: [UInt32]) -> (positions: [Int], listScores: [Float]) {
        let count = courses.count
        var counts = CapCounts(caps)
        // Cosines are at least −1; a candidate's nearest chosen course before any was chosen counts 0.
        var nearest = [Float](repeating: 0, count: count)
        var isLeft = [Bool](repeating: true, count: count)
        var positions: [Int] = []
        var values: [Float] = []
        while positions.count < k {
            var best = -1
            var bestValue = -Float.infinity
            for position in 0..<count where isLeft[position] {
                if !counts.admits(courses[position]) {
                    isLeft[position] = false
                    continue
                }
                let relevance = 1 - Float(position) / Float(count)
                let value = relevanceShare * relevance - (1 - relevanceShare) * nearest[position]
                if value > bestValue { (best, bestValue) = (position, value) }
            }
            if best < 0 { break }
            positions.append(best)
            values.append(bestValue)
            isLeft[best] = false
            counts.add(courses[best])
            for position in 0..<count where isLeft[position] {
                let cosine = cosine(courses[best], courses[position])
                nearest[position] = positions.count == 1 ? max(0, cosine) : max(nearest[position], cosine)
            }
        }
        return (positions, values)
    }

    private func cosine(_ a: UInt32, _ b: UInt32) -> Float {
        let width = vectors!.columns
        return vectors!.values.withUnsafeBufferPointer {
            Vector.dot(width, $0.baseAddress! + Int(a) * width, $0.baseAddress! + Int(b) * width)
        }
    }
}

/// How often each value of each capped column stands in the list so far.
private struct CapCounts {
    let caps: [ColumnCap]
    var counts: [[UInt32: Int]]

    init(_ caps: [ColumnCap]) {
        self.caps = caps
        counts = caps.map { _ in [:] }
    }

    func admits(_ course: UInt32) -> Bool {
        caps.indices.allSatisfy { at in
            let cap = caps[at]
            return cap.values[cap.offsets[Int(course)]..<cap.offsets[Int(course) + 1]]
                .allSatisfy { counts[at][$0, default: 0] < cap.most }
        }
    }

    mutating func add(_ course: UInt32) {
        for at in caps.indices {
            let cap = caps[at]
            for value in cap.values[cap.offsets[Int(course)]..<cap.offsets[Int(course) + 1]] {
                counts[at][value, default: 0] += 1
            }
        }
    }
}
