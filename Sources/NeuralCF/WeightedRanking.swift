import LinearAlgebra

/// The k best courses of one learner by sums of the same columns under one set of weights after another:
///
///     score[c] = Σ_j weights[j]·columns[j][c],   added in that order
///
/// Scores are summed and compared in one pass, and never written. The k best under the last weights bound the next: at
/// least k courses reach the least of their new scores. So what comes before decides the time, never the result.
package struct WeightedRanking: ~Copyable {
    private static let tile = 1_024
    private let courseCount: Int
    private var columns: [UnsafePointer<Float>] = []
    /// The best under the last weights.
    private var last: [Int32] = []
    private var selection: TopSelection
    private let places = UnsafeMutablePointer<Int32>.allocate(capacity: tile)
    private let scores = UnsafeMutablePointer<Float>.allocate(capacity: tile)

    package init(courseCount: Int, k: Int) {
        self.courseCount = courseCount
        selection = TopSelection(k: k)
    }

    deinit {
        places.deallocate()
        scores.deallocate()
    }

    /// Goes on to another learner.
    /// - Parameter columns: a value per course each, which stay where they are until the next call; a course is barred by
    ///   `RowLoss.excluded` in the first, whose weight is 1.
    package mutating func begin(_ columns: [UnsafePointer<Float>]) {
        self.columns = columns
        last = []
    }

    /// Score descending, then course ascending; fewer than k if fewer are not barred.
    package mutating func best(_ weights: [Float]) -> [Int32] {
        precondition(weights.count == columns.count && weights.first == 1)
        let bound = bound(weights)
        for start in stride(from: 0, to: courseCount, by: Self.tile) {
            let columns = columns.map { Optional($0 + start) }
            let found = columns.withUnsafeBufferPointer {
                Vector.select(
                    min(Self.tile, courseCount - start), sumOf: $0, weights, atLeast: max(bound, selection.threshold),
                    base: Int32(start), into: places, scores: scores)
            }
            for at in 0..<found { selection.offer(scores[at], places[at]) }
        }
        last = selection.drain().indices
        return last
    }

    private func bound(_ weights: [Float]) -> Float {
        if last.count < selection.k { return RowLoss.excluded / 2 }
        return last.reduce(.infinity) { bound, course in
            var score = weights[0] * columns[0][Int(course)]
            for j in 1..<columns.count { score += weights[j] * columns[j][Int(course)] }
            return min(bound, score)
        }
    }

    /// out = the scores of all courses.
    package func write(_ weights: [Float], into out: UnsafeMutablePointer<Float>) {
        out.update(from: columns[0], count: courseCount)
        for j in 1..<columns.count { Vector.addScaled(courseCount, weights[j], columns[j], to: out) }
    }
}
