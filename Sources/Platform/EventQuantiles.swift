/// Times that split events by share.
package struct EventQuantiles: Sendable {
    /// Ascending.
    private let times: [Int64]

    /// - Parameter times: seconds since 1970 UTC, in any order; at least one.
    package init(times: [Int64]) {
        precondition(!times.isEmpty)
        self.times = times.sorted()
    }

    /// The time of event number ⌊q·n⌋, counted from 0 in order of time: the share q of all events, rounded down, comes
    /// before that event (of equal times some may stand on either side of it; a cut at its time keeps none of them).
    /// - Parameter q: from 0 to below 1.
    package func cut(_ q: Double) -> Int64 {
        // A billionth of an event forgives the rounding of q.
        let index = Int(q * Double(times.count) + 1e-9)
        return times[min(index, times.count - 1)]
    }

    /// The end of the window from a time on that holds the share `share` of all events, rounded down: the time of the
    /// first event that no longer belongs to it, nil if there is none.
    package func end(from time: Int64, share: Double) -> Int64? {
        let index = Int(Double(count(before: time)) + share * Double(times.count) + 1e-9)
        return index < times.count ? times[index] : nil
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
