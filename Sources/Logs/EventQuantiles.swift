/// Times that split events by share.
package struct EventQuantiles: Sendable {
    private let times: [Int64]

    /// - Parameter times: seconds since 1970 UTC, in any order; at least one.
    package init(times: [Int64]) {
        precondition(!times.isEmpty)
        self.times = times.sorted()
    }

    /// The time of event number ⌈q·n⌉, counted from 0 in order of time: at least the share q of all events comes before
    /// that event (of equal times some may stand on either side of it; a cut at its time keeps none of them).
    /// - Parameter q: from 0 to below 1.
    package func cut(_ q: Double) -> Int64 {
        // A billionth of an event forgives the rounding of q.
        let index = Int((q * Double(times.count) - 1e-9).rounded(.up))
        return times[min(max(index, 0), times.count - 1)]
    }

    /// The second after the newest event.
    package var end: Int64 { times[times.count - 1] + 1 }

    /// Events before a time.
    package func count(before time: Int64) -> Int {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
