/// The best k of a row's (value, column) pairs: value descending, then column ascending; values positive.
///
/// A buffer that is cut back to the best k whenever it holds 4k (quickselect: O(1) per pair, where a heap that fills
/// in random order pays O(log k) for hundreds of pairs per row).
struct NeighbourSelection {
    let k: Int
    /// Positive floats order as their bits do; the column is complemented so that smaller columns come first.
    private var keys: [UInt64] = []
    /// What a value must reach to be considered: 0 until k were seen.
    private(set) var threshold: Float = 0

    init(k: Int) {
        precondition(k >= 0)
        self.k = k
        keys.reserveCapacity(4 * k + 1)
        threshold = k == 0 ? .infinity : 0
    }

    @inline(__always)
    mutating func offer(_ value: Float, _ column: UInt32) {
        if value < threshold { return }
        keys.append(UInt64(value.bitPattern) << 32 | UInt64(~column))
        if keys.count >= 4 * k + 1 { cut() }
    }

    /// Raises the threshold if enough was offered since the last cut to be worth it.
    mutating func cutIfLong() {
        if keys.count >= 2 * k { cut() }
    }

    private mutating func cut() {
        if k == 0 || keys.count < k { return }
        keys.withUnsafeMutableBufferPointer { selectLargest($0, k) }
        keys.removeLast(keys.count - k)
        threshold = Float(bitPattern: UInt32(keys[k - 1] >> 32))
    }

    /// Empties the selection; `body` gets the pairs, columns ascending.
    mutating func drain(_ body: (UInt32, Float) -> Void) {
        cut()
        for at in keys.indices { keys[at] = ~(keys[at]) << 32 | keys[at] >> 32 }  // (column, value)
        keys.sort()
        for key in keys { body(UInt32(key >> 32), Float(bitPattern: UInt32(truncatingIfNeeded: key))) }
        keys.removeAll(keepingCapacity: true)
        threshold = k == 0 ? .infinity : 0
    }
}

/// Hoare's selection: afterwards the k largest come first, the k-th at k − 1. Distinct keys, 1 ≤ k ≤ count.
private func selectLargest(_ keys: UnsafeMutableBufferPointer<UInt64>, _ k: Int) {
    var (low, high) = (0, keys.count - 1)
    while low < high {
        let (a, b, c) = (keys[low], keys[(low + high) / 2], keys[high])
        let pivot = max(min(a, b), min(max(a, b), c))
        var (i, j) = (low, high)
        while i <= j {
            while keys[i] > pivot { i += 1 }
            while keys[j] < pivot { j -= 1 }
            if i <= j {
                keys.swapAt(i, j)
                i += 1
                j -= 1
            }
        }
        if k - 1 <= j { high = j } else if k - 1 >= i { low = i } else { return }
    }
}
