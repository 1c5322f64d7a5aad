import LinearAlgebra

/// What ranks complete together at one meeting. On a full machine a rank that is met is often not running: a meeting
/// costs more than its bytes, so all that is due at one time goes in one.
struct Meeting {
    private let workers: Workers
    /// Bytes of `base` that each rank has filled.
    private var blocks: [(base: UnsafeMutableRawPointer, parts: [Range<Int>])] = []

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
        blocks.append((UnsafeMutableRawPointer(base), parts.map { size * $0.lowerBound..<size * $0.upperBound }))
    }

    /// Completes on every rank what was added; until then all of it must stay where it is.
    /// - Parameter buffer: for each rank's parts, one behind the other.
    mutating func hold(_ buffer: inout FloatBuffer) {
        if blocks.isEmpty { return }
        let (ranks, size) = (workers.ranks, MemoryLayout<Float>.stride)
        var parts: [Range<Int>] = []
        for rank in 0..<ranks.count {
            let start = parts.last?.upperBound ?? 0
            parts.append(start..<start + blocks.reduce(0) { $0 + $1.parts[rank].count })
        }
        reserve(&buffer, (parts[ranks.count - 1].upperBound + size - 1) / size)
        let packed = UnsafeMutableRawPointer(buffer.start)
        func copy(_ rank: Int, out: Bool) {
            var at = packed + parts[rank].lowerBound
            for (base, own) in blocks {
                let (part, count) = (base + own[rank].lowerBound, own[rank].count)
                (out ? part : at).copyMemory(from: out ? at : part, byteCount: count)
                at += count
            }
        }
        copy(ranks.rank, out: false)
        ranks.share(packed, parts)
        for rank in 0..<ranks.count where rank != ranks.rank { copy(rank, out: true) }
        blocks = []
    }
}
