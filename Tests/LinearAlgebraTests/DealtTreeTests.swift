// Proves that a sum over parts that is cut along the ranks' ranges adds the same operands in the same pairs as one process:
// replayed with parentheses in the place of numbers. Expected: the tree of docs/shards.md written down by recursion.

import LinearAlgebra
import Testing

@Suite struct DealtTreeTests {
    /// The complete binary tree over first..<first + span, cut off at count.
    private func tree(_ first: Int, _ span: Int, _ count: Int) -> String {
        if span == 1 { return "\(first)" }
        let left = tree(first, span / 2, count)
        return first + span / 2 >= count ? left : "(\(left)+\(tree(first + span / 2, span / 2, count)))"
    }

    private func ranges(_ count: Int, _ ranks: Int) -> [Range<Int>] {
        (0..<ranks).map { count * $0 / ranks..<count * ($0 + 1) / ranks }
    }

    @Test(arguments: 1...6) func ranksAddWhatOneProcessAdds(ranks: Int) {
        for count in 1...40 {
            let owners = ranges(count, ranks)
            var span = 1
            while span < count { span *= 2 }
            let trees = owners.indices.map { DealtTree(count, owners: owners, rank: $0) }
            // What each rank holds after its own additions; it must not have touched what is not its own.
            let held = trees.indices.map { rank -> [String] in
                var parts = (0..<count).map { owners[rank].contains($0) ? "\($0)" : "?" }
                for (left, right) in trees[rank].own { parts[left] = "(\(parts[left])+\(parts[right]))" }
                return parts
            }
            var sent = (0..<count).map { _ in "?" }
            for round in trees[0].rounds {
                for (rank, root) in round.enumerated() { if let root { sent[root] = held[rank][root] } }
            }
            if ranks == 1 { sent = held[0] }
            for (left, right) in trees[0].rest { sent[left] = "(\(sent[left])+\(sent[right]))" }
            #expect(sent[0] == tree(0, span, count), "\(count) parts, \(ranks) ranks")
            #expect(trees.allSatisfy { $0.rest.map(\.left) == trees[0].rest.map(\.left) })
        }
    }

    /// A rank sends as few parts as it can: by hand for 8 parts.
    @Test func maximalSubtreesAreSent() {
        func roots(_ ranks: Int) -> [[Int]] {
            let owners = ranges(8, ranks)
            let rounds = DealtTree(8, owners: owners, rank: 0).rounds
            return owners.indices.map { rank in rounds.compactMap { $0[rank] } }
        }
        #expect(roots(2) == [[0], [4]])
        #expect(roots(3) == [[0], [2, 4], [5, 6]])
        #expect(roots(4) == [[0], [2], [4], [6]])
    }
}
