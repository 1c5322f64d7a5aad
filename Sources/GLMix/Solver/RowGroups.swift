/// The rows of each group, ascending: group e has `rows[offsets[e]..<offsets[e + 1]]`. One counting sort.
package struct RowGroups: Sendable, Equatable {
    package let offsets: [Int]
    package let rows: [UInt32]

    /// - Parameter group: group of each row; rows whose group is not in 0..<count belong to none.
    package init<Index: BinaryInteger>(count: Int, group: [Index]) {
        var starts = [Int](repeating: 0, count: count + 1)
        for g in group where g >= 0 && Int(g) < count { starts[Int(g) + 1] += 1 }
        for e in 0..<count { starts[e + 1] += starts[e] }
        var next = starts
        var sorted = [UInt32](repeating: 0, count: starts[count])
        for (row, g) in group.enumerated() where g >= 0 && Int(g) < count {
            sorted[next[Int(g)]] = UInt32(row)
            next[Int(g)] += 1
        }
        (offsets, rows) = (starts, sorted)
    }

    package var count: Int { offsets.count - 1 }

    package func range(_ group: Int) -> Range<Int> { offsets[group]..<offsets[group + 1] }
}
