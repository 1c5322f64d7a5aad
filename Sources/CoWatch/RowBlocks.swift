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

        /// Appends a selection in order of columns, and the diagonal with 1 if one is given.
        mutating func append(_ selection: inout NeighbourSelection, diagonal: Int? = nil) {
            var pending = diagonal.map { UInt32($0) }
            selection.drain { column, value in
                if let i = pending, i < column {
                    columns.append(i)
                    values.append(1)
                    pending = nil
                }
                columns.append(column)
                values.append(value)
            }
            if let i = pending {
                columns.append(i)
                values.append(1)
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
