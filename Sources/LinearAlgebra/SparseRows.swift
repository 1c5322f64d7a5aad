import CKernels

/// Compressed sparse rows: row i holds `columns[offsets[i]..<offsets[i+1]]` with `values` beside them, columns
/// ascending unless a user says otherwise.
package struct SparseRows: Sendable, Equatable {
    package var columnCount: Int
    package var offsets: [Int]
    package var columns: [UInt32]
    package var values: [Float]

    package init(columnCount: Int, offsets: [Int], columns: [UInt32], values: [Float]) {
        precondition(offsets.first == 0 && offsets.last == columns.count && columns.count == values.count)
        self.columnCount = columnCount
        self.offsets = offsets
        self.columns = columns
        self.values = values
    }

    package var rowCount: Int { offsets.count - 1 }

    @inline(__always)
    package func range(_ row: Int) -> Range<Int> { offsets[row]..<offsets[row + 1] }

    /// The value at (row, column), columns ascending; nil if none is stored. O(log of the row's length).
    package func value(_ row: Int, _ column: UInt32) -> Float? {
        var (low, high) = (offsets[row], offsets[row + 1])
        while low < high {
            let middle = (low + high) / 2
            if columns[middle] < column { low = middle + 1 } else { high = middle }
        }
        return low < offsets[row + 1] && columns[low] == column ? values[low] : nil
    }

    /// Columns become rows; within a new row the old row numbers ascend.
    package func transposed() -> SparseRows {
        var starts = [Int](repeating: 0, count: columnCount + 1)
        for column in columns { starts[Int(column) + 1] += 1 }
        for i in 0..<columnCount { starts[i + 1] += starts[i] }
        var next = starts
        var outColumns = [UInt32](repeating: 0, count: columns.count)
        var outValues = [Float](repeating: 0, count: values.count)
        for row in 0..<rowCount {
            for at in range(row) {
                let slot = next[Int(columns[at])]
                next[Int(columns[at])] += 1
                outColumns[slot] = UInt32(row)
                outValues[slot] = values[at]
            }
        }
        return SparseRows(columnCount: rowCount, offsets: starts, columns: outColumns, values: outValues)
    }

    /// Rows in another order, some of them several times or never.
    /// - Parameters:
    ///   - rows: the old row of each new one.
    ///   - starts: where each new row starts, and the end.
    package func gathered(_ rows: [UInt32], starts: [Int], _ workers: Workers) -> SparseRows {
        var columns = [UInt32](filledLater: starts.last!)
        var values = [Float](filledLater: starts.last!)
        let block = 8192
        columns.withUnsafeMutableBufferPointer { columns in
            values.withUnsafeMutableBufferPointer { values in
                let (columns, values) = (columns.baseAddress, values.baseAddress)
                workers.forEach((rows.count + block - 1) / block) { item in
                    for i in item * block..<min(rows.count, (item + 1) * block) {
                        let from = range(Int(rows[i]))
                        for (k, at) in from.enumerated() {
                            columns![starts[i] + k] = self.columns[at]
                            values![starts[i] + k] = self.values[at]
                        }
                    }
                }
            }
        }
        return SparseRows(columnCount: columnCount, offsets: starts, columns: columns, values: values)
    }

    /// Columns of the dense matrix of `multiply` are a multiple of this.
    package static let lane = 16

    /// out[l·row + r − first] = start[r] + own[l] + Σ_k self[r, k]·x[k][l] for a range of rows r: a product with a dense
    /// matrix, transposed. One chain of fused multiply-adds per element in the stored order: the bits do not depend on
    /// which rows and columns are asked for together.
    /// - Parameters:
    ///   - x: columnCount × lanes; 16, 32, 48 or 64 lanes.
    ///   - own: one per lane.
    ///   - out: lanes × row, written up to the next multiple of 16 after the range.
    package func multiply(
        _ rows: Range<Int>, start: UnsafePointer<Float>, own: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
        lanes: Int, into out: UnsafeMutablePointer<Float>, row: Int
    ) {
        precondition(lanes % Self.lane == 0 && (1...4).contains(lanes / Self.lane) && rows.upperBound <= rowCount)
        offsets.withUnsafeBufferPointer { offsets in
            columns.withUnsafeBufferPointer { columns in
                values.withUnsafeBufferPointer { values in
                    offsets.withMemoryRebound(to: Int64.self) { offsets in
                        lk_sparse_product(
                            rows.count, lanes / Self.lane, offsets.baseAddress! + rows.lowerBound, columns.baseAddress,
                            values.baseAddress, start + rows.lowerBound, own, x, out, row)
                    }
                }
            }
        }
    }
}
