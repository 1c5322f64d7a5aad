import LinearAlgebra
import Platform

/// The courses of one learner that may still be among its n best, while tiles of scores go by in the order of course
/// numbers. Bounded: when it is full, all but the n best are dropped, and from then on only what reaches the worst of
/// them is taken. Reused from learner to learner; of one thread.
final class Survivors {
    let n: Int
    /// What a score must reach to be taken.
    private(set) var threshold = -Float.greatestFiniteMagnitude
    private(set) var count = 0
    private let capacity: Int
    private let partCount: Int
    /// Parallel: course, score, and the scores of each model, one column of `capacity` behind the other.
    let courses: UnsafeMutablePointer<Int32>
    let scores: UnsafeMutablePointer<Float>
    private let parts: UnsafeMutablePointer<Float>

    /// - Parameter parts: how many models' scores are kept beside.
    init(n: Int, parts partCount: Int) {
        self.n = n
        self.partCount = partCount
        capacity = 4 * n + 4 * SparseTiles.width
        courses = .allocate(capacity: capacity)
        scores = .allocate(capacity: capacity)
        parts = .allocate(capacity: max(capacity * partCount, 1))
    }

    deinit {
        courses.deallocate()
        scores.deallocate()
        parts.deallocate()
    }

    func begin(atLeast threshold: Float) { (count, self.threshold) = (0, threshold) }

    func part(_ model: Int, _ at: Int) -> Float { parts[model * capacity + at] }

    /// The models whose scores are kept.
    var keptModels: Range<Int> { 0..<partCount }

    /// Takes those of the next `width` courses whose sums reach the threshold.
    /// - Parameters:
    ///   - columns, weights: what is summed.
    ///   - model: a model's row of the tile, whose values are kept beside.
    @inline(__always)
    func take(
        _ width: Int, from first: Int, sumOf columns: UnsafeBufferPointer<UnsafePointer<Float>?>,
        _ weights: UnsafePointer<Float>, model: (Int) -> UnsafePointer<Float>, _ sorter: KeySorter
    ) {
        if count + width > capacity { shrink(sorter) }
        let start = count
        let found = Vector.select(
            width, sumOf: columns, weights, atLeast: threshold, base: Int32(first), into: courses + start,
            scores: scores + start)
        if found == 0 { return }
        count = start + found
        for part in 0..<partCount {
            let (row, kept) = (model(part), parts + part * capacity)
            for at in start..<start + found { kept[at] = row[Int(courses[at]) - first] }
        }
    }

    /// Leaves the n best, in the order of course numbers.
    private func shrink(_ sorter: KeySorter) {
        if count <= n { return }
        let (courses, scores, taken) = (courses, scores, count)
        let keys = sorter.keys(taken)
        for at in 0..<taken { keys[at] = RowSelector.key(scores[at], courses[at]) }
        let worst = OrderStatistic.smallest(n - 1, of: keys, count: taken)
        var kept = 0
        for at in 0..<taken where RowSelector.key(scores[at], courses[at]) <= worst {
            (courses[kept], scores[kept]) = (courses[at], scores[at])
            for part in 0..<partCount { parts[part * capacity + kept] = parts[part * capacity + at] }
            kept += 1
        }
        count = kept
        threshold = RowSelector.score(worst)
    }

    /// Calls `body` with the positions of the n best (fewer if fewer were taken), best first.
    func ranked<Result>(_ sorter: KeySorter, _ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
        shrink(sorter)
        let keys = sorter.keys(count)
        for at in 0..<count { keys[at] = RowSelector.key(scores[at], 0) | UInt64(at) }
        return body(sorter.sorted(count))
    }
}

/// Selects among keys and orders them. Of one thread.
final class KeySorter {
    private var capacity = 0
    private var first: UnsafeMutablePointer<UInt64>
    private var second: UnsafeMutablePointer<UInt64>
    private let starts = UnsafeMutablePointer<Int>.allocate(capacity: 257)

    init() {
        first = .allocate(capacity: 1)
        second = .allocate(capacity: 1)
    }

    deinit {
        first.deallocate()
        second.deallocate()
        starts.deallocate()
    }

    /// Room for so many keys, to be filled.
    func keys(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        if capacity < count {
            first.deallocate()
            second.deallocate()
            capacity = 2 * count
            (first, second) = (.allocate(capacity: capacity), .allocate(capacity: capacity))
        }
        return first
    }

    /// The keys by their upper halves, equal ones in their order; only the lower halves are left. Least significant
    /// digit first.
    func sorted(_ count: Int) -> UnsafeBufferPointer<UInt64> {
        var (from, to) = (first, second)
        for shift in stride(from: UInt64(32), to: 64, by: 8) {
            starts.update(repeating: 0, count: 257)
            for at in 0..<count { starts[Int(from[at] >> shift & 255) + 1] += 1 }
            for digit in 0..<256 { starts[digit + 1] += starts[digit] }
            for at in 0..<count {
                let digit = Int(from[at] >> shift & 255)
                to[starts[digit]] = from[at]
                starts[digit] += 1
            }
            swap(&from, &to)
        }
        for at in 0..<count { from[at] &= 0xffff_ffff }
        return UnsafeBufferPointer(start: from, count: count)
    }
}

enum OrderStatistic {
    /// The element that stands at `rank` when the first `count` are sorted ascending (Hoare's selection); reorders them.
    static func smallest<Value: Comparable>(_ rank: Int, of values: UnsafeMutablePointer<Value>, count: Int) -> Value {
        var (low, high) = (0, count - 1)
        while low < high {
            let pivot = values[(low + high) / 2]
            var (i, j) = (low, high)
            while i <= j {
                while values[i] < pivot { i += 1 }
                while values[j] > pivot { j -= 1 }
                if i <= j {
                    (values[i], values[j]) = (values[j], values[i])
                    i += 1
                    j -= 1
                }
            }
            if rank <= j { high = j } else if rank >= i { low = i } else { return values[rank] }
        }
        return values[rank]
    }
}
