import LinearAlgebra

/// Builds the rows of a sparse C × C matrix in blocks of rows, in parallel; only one block per thread is dense.
enum RowBlocks {
    /// A constant, so that no result can depend on how many threads there are.
    static let rowsPerBlock = 32

    /// - Parameters:
    ///   - scratch: one per thread.
    ///   - row: appends the row's entries to the output, columns ascending.
    static func build<Scratch>(
        rows: Int, columns: Int, workers: Workers, scratch: () -> Scratch,
        row: (inout Scratch, Int, inout Output) -> Void
    ) -> SparseRows {
        let blocks = (rows + rowsPerBlock - 1) / rowsPerBlock
        var parts = [Output](repeating: Output(), count: blocks)
        parts.withUnsafeMutableBufferPointer { parts in
            nonisolated(unsafe) let parts = parts
            workers.forEach(blocks, scratch: scratch) { state, block in
                var output = Output()
                for i in block * rowsPerBlock..<min(rows, (block + 1) * rowsPerBlock) {
                    row(&state, i, &output)
                    output.ends.append(output.columns.count)
                }
                parts[block] = output
            }
        }
        return join(parts, columns)
    }

    struct Output: Sendable {
        var columns: [UInt32] = []
        var values: [Float] = []
        fileprivate var ends: [Int] = []

        /// Appends a selection in order of columns.
        mutating func append(_ selection: inout TopSelection, diagonal: Int? = nil) {
            let (indices, scores) = selection.drain()
            var keys = [UInt64]()
            keys.reserveCapacity(indices.count + 1)
            for (index, score) in zip(indices, scores) {
                keys.append(UInt64(UInt32(bitPattern: index)) << 32 | UInt64(score.bitPattern))
            }
            if let diagonal { keys.append(UInt64(diagonal) << 32 | UInt64(Float(1).bitPattern)) }
            keys.sort()
            for key in keys {
                columns.append(UInt32(key >> 32))
                values.append(Float(bitPattern: UInt32(truncatingIfNeeded: key)))
            }
        }
    }

    private static func join(_ parts: [Output], _ columnCount: Int) -> SparseRows {
        var (offsets, columns, values) = ([0], [UInt32](), [Float]())
        columns.reserveCapacity(parts.reduce(0) { $0 + $1.columns.count })
        values.reserveCapacity(columns.capacity)
        for part in parts {
            let base = columns.count
            offsets += part.ends.map { $0 + base }
            columns += part.columns
            values += part.values
        }
        return SparseRows(columnCount: columnCount, offsets: offsets, columns: columns, values: values)
    }
}
