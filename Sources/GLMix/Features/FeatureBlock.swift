import LinearAlgebra
import Platform

/// The features made from one column: how a value becomes (feature, number) pairs. Feature numbers are local to the
/// block, 0..<count; the block begins at `base` in its bag.
package struct FeatureBlock: Sendable, Equatable, Codable {
    package enum Kind: Sendable, Equatable, Codable {
        /// Code → feature (−1: none); values rarer than `min_count` share one. One value a row gives 1, n values
        /// 1/√n each, equal features added up.
        case values(featureOf: [Int32])
        /// (x − mean)/scale; without a value 0 and, if there is an indicator, feature 1 is 1.
        case number(mean: Double, scale: Double, indicator: Bool)
        /// One-hot of the number of edges ≤ x; without a value, none.
        case buckets(edges: [Double])
        /// Words, lower-cased (ASCII), hashed by FNV-1a-64 into features, 1/√n each.
        case text
    }

    package var column: String
    package var kind: Kind
    package var base: Int
    package var count: Int
    /// One per feature, as people should read it.
    package var names: [String]

    package init(column: String, kind: Kind, base: Int, names: [String]) {
        (self.column, self.kind, self.base) = (column, kind, base)
        (count, self.names) = (names.count, names)
    }

    /// Calls `body(local feature, value)` for a row of the column; features may repeat.
    @inline(__always)
    func forEachFeature(_ column: AttributeColumn, _ row: Int, _ body: (Int, Float) -> Void) {
        switch (kind, column) {
        case (.values(let featureOf), .categorical(let codes, let valid)):
            let code = Int(codes[row])
            if valid[row], code < featureOf.count, featureOf[code] >= 0 { body(Int(featureOf[code]), 1) }
        case (.values(let featureOf), .list(let offsets, let values)):
            let range = offsets[row]..<offsets[row + 1]
            let share = 1 / Float(max(1, range.count)).squareRoot()
            for at in range {
                let code = Int(values[at])
                if code < featureOf.count, featureOf[code] >= 0 { body(Int(featureOf[code]), share) }
            }
        case (.number(let mean, let scale, let indicator), .numeric(let values, let valid)):
            if valid[row] {
                body(0, Float((values[row] - mean) / scale))
            } else if indicator {
                body(1, 1)
            }
        case (.buckets(let edges), .numeric(let values, let valid)):
            if valid[row] { body(edges.count { $0 <= values[row] }, 1) }
        case (.text, .text(let offsets, let bytes)):
            let words = TextHash.words(bytes[offsets[row]..<offsets[row + 1]])
            let share = 1 / Float(max(1, words.count)).squareRoot()
            for word in words { body(Int(word % UInt64(count)), share) }
        default: break  // a column of another type than in training: no features, as for a missing value
        }
    }
}

/// Hashes of the words of a text.
enum TextHash {
    /// Words are runs of ASCII letters and digits and of all bytes above 127; letters are lower-cased.
    static func words(_ bytes: ArraySlice<UInt8>) -> [UInt64] {
        var hashes: [UInt64] = []
        var hash: UInt64?
        for byte in bytes {
            let lower = byte >= 65 && byte <= 90 ? byte + 32 : byte
            if (lower >= 97 && lower <= 122) || (lower >= 48 && lower <= 57) || lower > 127 {
                hash = ((hash ?? 0xcbf2_9ce4_8422_2325) ^ UInt64(lower)) &* 0x100_0000_01b3
            } else if let word = hash {
                hashes.append(mix(word))
                hash = nil
            }
        }
        if let word = hash { hashes.append(mix(word)) }
        return hashes
    }
}

/// The rows of a bag that is made from the columns of one table.
package enum BagBuilder {
    /// Features of every row of a table; columns ascend, repeated features are added up.
    package static func rows(_ blocks: [FeatureBlock], _ table: AttributeTable) -> SparseRows {
        let width = blocks.last.map { $0.base + $0.count } ?? 0
        var offsets = [0]
        offsets.reserveCapacity(table.rows + 1)
        var (columns, values): ([UInt32], [Float]) = ([], [])
        let sources = blocks.map { table.columns[$0.column] }
        var row: [(UInt32, Float)] = []
        for i in 0..<table.rows {
            row.removeAll(keepingCapacity: true)
            for (block, source) in zip(blocks, sources) {
                guard let source else { continue }
                let start = row.count
                block.forEachFeature(source, i) { row.append((UInt32(block.base + $0), $1)) }
                sortAndMerge(&row, from: start)
            }
            for (column, value) in row {
                columns.append(column)
                values.append(value)
            }
            offsets.append(columns.count)
        }
        return SparseRows(columnCount: width, offsets: offsets, columns: columns, values: values)
    }

    static func sortAndMerge(_ row: inout [(UInt32, Float)], from start: Int) {
        if row.count - start < 2 { return }
        row[start...].sort { $0.0 < $1.0 }
        var last = start
        for at in start + 1..<row.count {
            if row[at].0 == row[last].0 {
                row[last].1 += row[at].1
            } else {
                last += 1
                row[last] = row[at]
            }
        }
        row.removeLast(row.count - last - 1)
    }
}
