import Dispatch
import Ranks
import Synchronization

/// A fixed number of threads that share work items. Results never depend on that number: a work item writes only
/// its own slot, and sums over items are made by `treeSum`, in item order.
package struct Workers: Sendable {
    package let count: Int
    /// The processes that `Workers+Ranks.swift` deals items to; everything in this file is this process's alone.
    package let ranks: Ranks

    /// - Parameter count: number of threads, at least 1.
    package init(count: Int, ranks: Ranks = .one) {
        precondition(count >= 1)
        (self.count, self.ranks) = (count, ranks)
    }

    /// Calls `body(item)` for every item in `0..<items`, in any order, on up to `count` threads.
    /// The error of the lowest failing item is thrown after all threads have stopped.
    package func forEach(_ items: Int, _ body: (Int) throws -> Void) throws {
        try forEach(items, scratch: {}) { (_: inout Void, item) in try body(item) }
    }

    package func forEach(_ items: Int, _ body: (Int) -> Void) {
        run(items, scratch: {}) { (_: inout Void, item) -> Void in body(item) }
    }

    /// As `forEach`, with one reusable scratch value per thread; results must not depend on what it holds.
    package func forEach<Scratch>(
        _ items: Int, scratch: () -> Scratch, _ body: (inout Scratch, Int) throws -> Void
    ) throws {
        let failure = Mutex<(item: Int, error: any Error)?>(nil)
        run(items, scratch: scratch) { (state: inout Scratch, item: Int) in
            // A lower item may still fail: then its error is the one.
            if failure.withLock({ $0.map { $0.item < item } ?? false }) { return }
            do {
                try body(&state, item)
            } catch {
                failure.withLock { if $0 == nil || item < $0!.item { $0 = (item, error) } }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
    }

    package func forEach<Scratch>(_ items: Int, scratch: () -> Scratch, _ body: (inout Scratch, Int) -> Void) {
        run(items, scratch: scratch, body)
    }

    /// `[body(0), body(1), …]`, computed in parallel.
    package func map<Result>(_ items: Int, _ body: (Int) throws -> Result) throws -> [Result] {
        var results = [Result?](repeating: nil, count: items)
        try results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = slots
            try forEach(items) { slots[$0] = try body($0) }
        }
        return results.map { $0! }
    }

    package func map<Result>(_ items: Int, _ body: (Int) -> Result) -> [Result] {
        var results = [Result?](repeating: nil, count: items)
        results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = slots
            forEach(items) { slots[$0] = body($0) }
        }
        return results.map { $0! }
    }

    // The one place where the compiler's concurrency checks are set aside: `body` is called from several threads,
    // and every caller above (and in the project) writes disjoint slots.
    private func run<Scratch>(_ items: Int, scratch: () -> Scratch, _ body: (inout Scratch, Int) -> Void) {
        let threads = min(count, items)
        if threads <= 1 {
            if items > 0 {
                var state = scratch()
                for item in 0..<items { body(&state, item) }
            }
            return
        }
        withoutActuallyEscaping(body) { body in
            withoutActuallyEscaping(scratch) { scratch in
                nonisolated(unsafe) let body = body
                nonisolated(unsafe) let scratch = scratch
                let next = Atomic<Int>(0)
                DispatchQueue.concurrentPerform(iterations: threads) { _ in
                    var state = scratch()
                    while true {
                        let item = next.wrappingAdd(1, ordering: .relaxed).oldValue
                        if item >= items { return }
                        body(&state, item)
                    }
                }
            }
        }
    }
}

/// Sums equally long vectors over the complete binary tree of their indices; the result is in `parts[0]`.
/// The order depends only on `parts.count`.
@_specialize(where Value == Double)
@_specialize(where Value == Float)
package func treeSum<Value: FloatingPoint>(_ parts: inout [[Value]]) {
    var stride = 1
    while stride < parts.count {
        for left in Swift.stride(from: 0, to: parts.count - stride, by: 2 * stride) {
            let right = parts[left + stride]
            precondition(parts[left].count == right.count)
            parts[left].withUnsafeMutableBufferPointer { sum in
                right.withUnsafeBufferPointer { right in for i in right.indices { sum[i] += right[i] } }
            }
        }
        stride *= 2
    }
}

/// Sum of scalars over the same tree.
@_specialize(where Value == Double)
@_specialize(where Value == Float)
package func treeSum<Value: FloatingPoint>(_ values: [Value]) -> Value {
    if values.isEmpty { return 0 }
    var parts = values
    var stride = 1
    while stride < parts.count {
        for left in Swift.stride(from: 0, to: parts.count - stride, by: 2 * stride) {
            parts[left] += parts[left + stride]
        }
        stride *= 2
    }
    return parts[0]
}
