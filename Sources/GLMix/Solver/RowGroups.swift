/// The rows of each group, ascending: group e has `rows[offsets[e]..<offsets[e + 1]]`. One counting sort.
package struct RowGroups: Sendable, Equatable {
    package let offsets: [Int]
    package let rows: [UInt32]

    /// - Parameter group: group of each row; rows whose group is not in 0..<count belong to none.
    package init<Index: FixedWidthInteger>(count: Int, group: [Index]) {
        var next = [Int](repeating: 0, count: count + 1)
        var starts = next
        var sorted: [UInt32] = []
        group.withUnsafeBufferPointer { group in
            next.withUnsafeMutableBufferPointer { next in
                for g in group where g >= 0 && Int(g) < count { next[Int(g) + 1] += 1 }
                for e in 0..<count { next[e + 1] += next[e] }
                starts.withUnsafeMutableBufferPointer { _ = $0.update(fromContentsOf: next) }
                sorted = [UInt32](unsafeUninitializedCapacity: next[count]) { sorted, size in
                    size = next[count]
                    for row in 0..<group.count {
                        let g = group[row]
                        if g < 0 || Int(g) >= count { continue }
                        sorted[next[Int(g)]] = UInt32(truncatingIfNeeded: row)
                        next[Int(g)] += 1
                    }
                }
            }
        }
        (offsets, rows) = (starts, sorted)
    }

    package var count: Int { offsets.count - 1 }

    package func range(_ group: Int) -> Range<Int> { offsets[group]..<offsets[group + 1] }
}
