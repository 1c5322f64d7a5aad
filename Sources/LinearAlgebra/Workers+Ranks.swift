import Ranks

/// Work that is dealt to the ranks of a stage. Every rank makes the same calls in the same order and goes on with the
/// same values: those that one process would have computed, bit by bit.
extension Workers {
    /// The items of a rank: contiguous ranges of almost equal length.
    package func items(_ count: Int, of rank: Int) -> Range<Int> {
        count * rank / ranks.count..<count * (rank + 1) / ranks.count
    }

    /// The items of this rank.
    package func own(_ items: Int) -> Range<Int> { self.items(items, of: ranks.rank) }

    /// As `forEach`, for this rank's items alone.
    package func forEachOwn(_ items: Int, _ body: (Int) -> Void) {
        let own = own(items)
        forEach(own.count) { body(own.lowerBound + $0) }
    }

    /// Rows of `width` values, each computed by one rank.
    package func dealtRows(_ items: Int, width: Int, _ body: (Int) -> [Double]) -> [[Double]] {
        if !ranks.areSeveral { return map(items, body) }
        let own = own(items)
        let found = map(own.count) { body(own.lowerBound + $0) }
        var all = [Double](repeating: 0, count: items * width)
        for (i, row) in found.enumerated() {
            precondition(row.count == width)
            let at = (own.lowerBound + i) * width
            all.replaceSubrange(at..<at + width, with: row)
        }
        all.withUnsafeMutableBufferPointer { all in
            if let base = all.baseAddress { share(base, items: items) { $0 * width } }
        }
        return (0..<items).map { Array(all[$0 * width..<($0 + 1) * width]) }
    }

    /// Lists of any length, each made by one rank.
    package func dealtLists<Value: BitwiseCopyable>(_ items: Int, _ body: (Int) -> [Value]) -> [[Value]] {
        if !ranks.areSeveral { return map(items, body) }
        let own = own(items)
        let found = map(own.count) { body(own.lowerBound + $0) }
        let counts = dealtRows(items, width: 1) { [Double(found[$0 - own.lowerBound].count)] }
        let starts = counts.reduce(into: [0]) { $0.append($0.last! + Int($1[0])) }
        let all = [Value](unsafeUninitializedCapacity: starts[items]) { all, count in
            count = starts[items]
            guard count > 0, let base = all.baseAddress else { return }
            for (i, list) in found.enumerated() {
                (base + starts[own.lowerBound + i]).initialize(from: list, count: list.count)
            }
            share(base, items: items) { starts[$0] }
        }
        return (0..<items).map { Array(all[starts[$0]..<starts[$0 + 1]]) }
    }

    /// Completes on every rank what each has filled for its items.
    /// - Parameter start: where an item's values begin (and the one's before it end).
    package func share<Value: BitwiseCopyable>(
        _ base: UnsafeMutablePointer<Value>, items: Int, start: (Int) -> Int
    ) {
        if !ranks.areSeveral { return }
        let size = MemoryLayout<Value>.stride
        let parts = parts(items, start: start).map { size * $0.lowerBound..<size * $0.upperBound }
        ranks.share([Ranks.Block(base, parts)])
    }

    /// The values that each rank fills.
    /// - Parameter start: where an item's values begin (and the one's before it end).
    package func parts(_ items: Int, start: (Int) -> Int) -> [Range<Int>] {
        (0..<ranks.count).map { rank in
            let own = self.items(items, of: rank)
            return start(own.lowerBound)..<start(own.upperBound)
        }
    }

    /// The tree over `count` parts, cut along the ranks' items.
    package func tree(_ count: Int) -> DealtTree {
        DealtTree(count, owners: (0..<ranks.count).map { items(count, of: $0) }, rank: ranks.rank)
    }

    /// `treeSum` of parts of `size` values, of which each rank has its own (others' may be empty); the result is in
    /// `parts[0]` of every rank.
    package func treeSum<Value: FloatingPoint & BitwiseCopyable>(_ parts: inout [[Value]], size: Int) {
        if !ranks.areSeveral { return LinearAlgebra.treeSum(&parts) }
        let tree = tree(parts.count)
        func add(_ pair: (left: Int, right: Int)) {
            let right = parts[pair.right]
            for i in right.indices { parts[pair.left][i] += right[i] }
        }
        tree.own.forEach(add)
        let bytesEach = MemoryLayout<Value>.stride
        var round = [Value](repeating: 0, count: ranks.count * size)
        for roots in tree.rounds {
            let slots = roots.indices.map { $0 * size..<$0 * size + (roots[$0] == nil ? 0 : size) }
            if let root = roots[ranks.rank] { round.replaceSubrange(slots[ranks.rank], with: parts[root]) }
            let bytes = slots.map { bytesEach * $0.lowerBound..<bytesEach * $0.upperBound }
            round.withUnsafeMutableBytes { if let base = $0.baseAddress { ranks.share([Ranks.Block(base, bytes)]) } }
            for (rank, root) in roots.enumerated() { if let root { parts[root] = Array(round[slots[rank]]) } }
        }
        tree.rest.forEach(add)
    }
}

/// The additions of a complete binary tree over parts 0..<count, as `treeSum` makes them, cut along the ranks' ranges of
/// parts: a rank first sums the maximal complete subtrees within its range; then their roots are sent; then every rank
/// adds the rest. Addition by addition the operands are those of one process.
package struct DealtTree: Sendable {
    /// Additions (part left += part right) that this rank makes before anything is sent, in order.
    package private(set) var own: [(left: Int, right: Int)] = []
    /// What is sent: in each round at most one root a rank, nil for ranks that have no more.
    package private(set) var rounds: [[Int?]] = []
    /// Additions after that, in order.
    package private(set) var rest: [(left: Int, right: Int)] = []

    /// - Parameter owners: each rank's parts; together 0..<count.
    package init(_ count: Int, owners: [Range<Int>], rank: Int) {
        let roots = owners.map { Self.roots(count, $0) }
        rounds = (0..<(roots.map(\.count).max() ?? 0)).map { round in
            roots.map { $0.indices.contains(round) ? $0[round].first : nil }
        }
        if owners.count == 1 { rounds = [] }
        let whole = Set(roots.joined().map { [$0.first, $0.span] })
        var span = 1
        while span < count { span *= 2 }
        for root in roots[rank] { Self.add(root.first, root.span, count, below: [], to: &own) }
        if count > 0 { Self.add(0, span, count, below: whole, to: &rest) }
    }

    /// The maximal complete subtrees within a range of parts. The last ones of the tree may be cut off by its end.
    private static func roots(_ count: Int, _ owned: Range<Int>) -> [(first: Int, span: Int)] {
        var roots: [(first: Int, span: Int)] = []
        var at = owned.lowerBound
        while at < owned.upperBound {
            var span = 1
            while at % (2 * span) == 0 && min(at + 2 * span, count) <= owned.upperBound && span < count { span *= 2 }
            roots.append((at, span))
            at = min(at + span, count)
        }
        return roots
    }

    /// The additions of a subtree, children first; `below` it others have added.
    private static func add(
        _ first: Int, _ span: Int, _ count: Int, below: Set<[Int]>, to pairs: inout [(left: Int, right: Int)]
    ) {
        if span == 1 || below.contains([first, span]) { return }
        let half = span / 2
        add(first, half, count, below: below, to: &pairs)
        if first + half >= count { return }
        add(first + half, half, count, below: below, to: &pairs)
        pairs.append((first, first + half))
    }
}
