import LinearAlgebra
import Platform

/// The courses of one learner that may still be among its n best, while tiles of scores go by in the order of course
/// numbers. Bounded: when it is full, all but the n best are dropped, and from then on only what reaches the worst of
/// them is taken. Reused from learner to learner; of one thread, which deallocates it.
struct Survivors {
    let n: Int
    /// What a score must reach to be taken.
    private(set) var threshold = -Float.greatestFiniteMagnitude
    private(set) var count = 0
    private let capacity: Int
    private let partCount: Int
    /// Parallel: course, score, and the scores of each model, one column of `capacity` behind the other.
    private let courses: UnsafeMutablePointer<Int32>
    private let scores: UnsafeMutablePointer<Float>
    private let parts: UnsafeMutablePointer<Float>

    /// - Parameter parts: how many models' scores are kept beside.
    init(n: Int, parts partCount: Int) {
        self.n = n
        self.partCount = partCount
        capacity = 4 * n + 1_024
        courses = .allocate(capacity: capacity)
        scores = .allocate(capacity: capacity)
        parts = .allocate(capacity: max(capacity * partCount, 1))
    }

    func deallocate() {
        courses.deallocate()
        scores.deallocate()
        parts.deallocate()
    }

    mutating func begin(atLeast threshold: Float) { (count, self.threshold) = (0, threshold) }

    /// Takes those of the next `width` courses that are allowed and whose sums reach the threshold.
    /// - Parameters:
    ///   - columns, weights: what is summed.
    ///   - model: a model's row of the tile, whose values are kept beside.
    @inline(__always)
    mutating func take(
        _ width: Int, from first: Int, sumOf columns: UnsafeBufferPointer<UnsafePointer<Float>?>,
        _ weights: UnsafePointer<Float>, allowed: UnsafePointer<UInt64>, _ sorter: KeySorter,
        model: (Int) -> UnsafePointer<Float>
    ) {
        if count + width > capacity { shrink(sorter) }
        let start = count
        let found = Vector.select(
            width, sumOf: columns, weights, atLeast: threshold, allowed: allowed, base: Int32(first),
            into: courses + start, scores: scores + start)
        count = start + found
        for part in 0..<partCount {
            let (row, kept) = (model(part), parts + part * capacity)
            for at in start..<count { kept[at] = row[Int(courses[at]) - first] }
        }
    }

    /// Leaves the n best, in the order of course numbers.
    private mutating func shrink(_ sorter: KeySorter) {
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

    /// The n best, best first; fewer if fewer were taken.
    func ranked(_ sorter: KeySorter) -> FusedLists.List {
        let keys = sorter.keys(count)
        for at in 0..<count { keys[at] = RowSelector.key(scores[at], Int32(at)) }
        let order = sorter.smallest(n, of: count)
        return FusedLists.List(
            courses: order.map { UInt32(courses[Int($0)]) }, scores: order.map { scores[Int($0)] },
            parts: (0..<partCount).map { part in order.map { parts[part * capacity + Int($0)] } })
    }
}

/// Selects among keys and orders them. Of one thread.
final class KeySorter {
    private var capacity = 0
    private var first: UnsafeMutablePointer<UInt64>
    private var second: UnsafeMutablePointer<UInt64>
    /// Of each digit.
    private let starts = UnsafeMutablePointer<Int>.allocate(capacity: 4 * 256)

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

    /// The n smallest of the keys by their upper halves, equal ones in their order; only the lower halves are left.
    ///
    /// Keys go to one of 256 equal steps from the least to the largest. Scores that reach a threshold thin out upwards, so
    /// the n best fill about as many steps, and insertion puts the few of a step in order. Where one step has many, all
    /// are sorted by their digits.
    func smallest(_ n: Int, of count: Int) -> UnsafeBufferPointer<UInt64> {
        if count == 0 { return UnsafeBufferPointer(start: first, count: 0) }
        var (least, largest) = (UInt32.max, UInt32.min)
        for at in 0..<count {
            let value = UInt32(first[at] >> 32)
            (least, largest) = (min(least, value), max(largest, value))
        }
        let shift = UInt32(max(0, 24 - (largest - least).leadingZeroBitCount))
        @inline(__always) func step(_ at: Int) -> Int { Int((UInt32(first[at] >> 32) &- least) >> shift) }
        starts.update(repeating: 0, count: 256)
        for at in 0..<count { starts[step(at)] += 1 }
        var (sum, kept, most) = (0, 0, 0)
        for step in 0..<256 {
            let inStep = starts[step]
            (starts[step], sum) = (sum, sum + inStep)
            if kept < n { (kept, most) = (sum, max(most, inStep)) }
        }
        if most > Self.fewInStep { return UnsafeBufferPointer(rebasing: sortedByDigits(count).prefix(n)) }
        for at in 0..<count {
            second[starts[step(at)]] = first[at]
            starts[step(at)] += 1
        }
        insert(kept)
        return UnsafeBufferPointer(start: second, count: min(n, kept))
    }

    private static let fewInStep = 16

    /// Insertion sort of the second buffer by upper halves.
    private func insert(_ count: Int) {
        for at in 1..<max(count, 1) {
            let key = second[at]
            var to = at
            while to > 0 && second[to - 1] >> 32 > key >> 32 {
                second[to] = second[to - 1]
                to -= 1
            }
            second[to] = key
        }
        for at in 0..<count { second[at] &= 0xffff_ffff }
    }

    /// All keys in the same order, least significant digit first, without the digits that all share.
    private func sortedByDigits(_ count: Int) -> UnsafeBufferPointer<UInt64> {
        var (from, to) = (first, second)
        starts.update(repeating: 0, count: 4 * 256)
        for at in 0..<count {
            for digit in 0..<4 { starts[digit << 8 | Int(from[at] >> (32 + 8 * UInt64(digit)) & 255)] += 1 }
        }
        for digit in 0..<4 {
            let (starts, shift) = (self.starts + (digit << 8), 32 + 8 * UInt64(digit))
            if starts[Int(from[0] >> shift & 255)] == count { continue }
            var sum = 0
            for value in 0..<256 { (starts[value], sum) = (sum, sum + starts[value]) }
            for at in 0..<count {
                let value = Int(from[at] >> shift & 255)
                to[starts[value]] = from[at]
                starts[value] += 1
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
