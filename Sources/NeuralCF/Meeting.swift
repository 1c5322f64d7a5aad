import LinearAlgebra
import Ranks

/// What ranks complete together at one meeting. On a full machine a rank that is met is often not running: a meeting
/// costs more than its bytes, so all that is due at one time goes in one.
struct Meeting {
    private let workers: Workers
    private var blocks: [Ranks.Block] = []

    init(_ workers: Workers) { self.workers = workers }

    /// Items as they are dealt to ranks.
    /// - Parameter start: where an item's values begin (and the one's before it end).
    mutating func add<Value: BitwiseCopyable>(
        _ base: UnsafeMutablePointer<Value>, items: Int, start: (Int) -> Int
    ) {
        add(base, parts: workers.parts(items, start: start))
    }

    /// - Parameter parts: values from `base` that each rank has filled.
    mutating func add<Value: BitwiseCopyable>(_ base: UnsafeMutablePointer<Value>, parts: [Range<Int>]) {
        let size = MemoryLayout<Value>.stride
        blocks.append(Ranks.Block(base, parts.map { size * $0.lowerBound..<size * $0.upperBound }))
    }

    /// Completes on every rank what was added; until then all of it must stay where it is.
    mutating func hold() {
        workers.ranks.share(blocks)
        blocks = []
    }
}
