/// Keeps the k best of a stream of (score, index): score descending, then index ascending, which is a total order.
/// A binary heap with the worst kept entry on top; O(log k) per accepted entry, O(1) per refused one.
package struct TopSelection: Sendable {
    package let k: Int
    package private(set) var scores: [Float] = []
    package private(set) var indices: [Int32] = []

    package init(k: Int) {
        precondition(k >= 0)
        self.k = k
        scores.reserveCapacity(k)
        indices.reserveCapacity(k)
    }

    package var count: Int { scores.count }

    /// What a score must reach to be considered: the worst kept one once full, −∞ before. Scores equal to it still
    /// compete by index.
    package var threshold: Float { scores.count < k ? -.infinity : (k == 0 ? .infinity : scores[0]) }

    package mutating func removeAll() {
        scores.removeAll(keepingCapacity: true)
        indices.removeAll(keepingCapacity: true)
    }

    /// - Precondition: score is not NaN.
    package mutating func offer(_ score: Float, _ index: Int32) {
        precondition(!score.isNaN, "NaN score")
        if scores.count < k {
            scores.append(score)
            indices.append(index)
            siftUp(scores.count - 1)
        } else if k > 0, TopSelection.precedes(score, index, scores[0], indices[0]) {
            scores[0] = score
            indices[0] = index
            siftDown(0, scores.count)
        }
    }

    /// Empties the selection into arrays, best first.
    package mutating func drain() -> (indices: [Int32], scores: [Float]) {
        var end = scores.count
        while end > 1 {
            end -= 1
            scores.swapAt(0, end)
            indices.swapAt(0, end)
            siftDown(0, end)
        }
        let result = (indices, scores)
        removeAll()
        return result
    }

    /// The order of every ranked list in Lectern.
    @inline(__always)
    package static func precedes(_ a: Float, _ ai: Int32, _ b: Float, _ bi: Int32) -> Bool {
        a > b || (a == b && ai < bi)
    }

    @inline(__always)
    private func worse(_ i: Int, _ j: Int) -> Bool {
        TopSelection.precedes(scores[j], indices[j], scores[i], indices[i])
    }

    private mutating func siftUp(_ start: Int) {
        var i = start
        while i > 0 {
            let parent = (i - 1) / 2
            if !worse(i, parent) { return }
            scores.swapAt(i, parent)
            indices.swapAt(i, parent)
            i = parent
        }
    }

    private mutating func siftDown(_ start: Int, _ end: Int) {
        var i = start
        while true {
            var worst = i
            let left = 2 * i + 1
            if left < end, worse(left, worst) { worst = left }
            if left + 1 < end, worse(left + 1, worst) { worst = left + 1 }
            if worst == i { return }
            scores.swapAt(i, worst)
            indices.swapAt(i, worst)
            i = worst
        }
    }
}
