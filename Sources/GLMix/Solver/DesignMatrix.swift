import LinearAlgebra

/// The N × p matrix X of the fixed effect: the bags side by side, then a column of ones. It is never laid out; all
/// products use that a bag may share one table row among many examples: X·v costs the table plus one look-up per
/// example, Xᵀ·r one sum per table row, then the table.
///
/// Sums run over blocks whose number depends on shapes alone, so any number of threads gives the same bits.
struct DesignMatrix: Sendable {
    let rowCount: Int
    /// p, the intercept (last) included.
    let featureCount: Int
    let bags: [Part]
    /// Factor of every column (a prior's, see `FitPrior`); empty: all 1.
    var scale: [Double] = []
    /// Whether there is the column of ones.
    private let hasIntercept: Bool

    struct Part: Sendable {
        let bag: FeatureBag
        /// First column of the bag in X.
        let base: Int
        /// Examples of each table row; nil where examples have rows of their own.
        let examples: RowGroups?
    }

    init(_ examples: Examples, bags names: [String]) {
        var base = 0
        var parts: [Part] = []
        for name in names {
            let bag = examples.bag(name)!
            let groups = bag.rowOf.map { RowGroups(count: bag.table.rowCount, group: $0) }
            parts.append(Part(bag: bag, base: base, examples: groups))
            base += bag.featureCount
        }
        (rowCount, featureCount, bags, hasIntercept) = (examples.count, base + 1, parts, true)
    }

    /// One bag whose rows examples share, without a column of ones.
    init(table: SparseRows, rowOf: [UInt32]) {
        let bag = FeatureBag(name: "", table: table, rowOf: rowOf)
        bags = [Part(bag: bag, base: 0, examples: RowGroups(count: table.rowCount, group: rowOf))]
        (rowCount, featureCount, hasIntercept) = (rowOf.count, table.columnCount, false)
    }

    static let rowBlock = 8192

    /// z += X·v. v: p, z: N.
    func addProduct(_ v: UnsafePointer<Double>, to z: UnsafeMutablePointer<Double>, workers: Workers) {
        if scale.isEmpty { return addUnscaledProduct(v, to: z, workers) }
        let scaled = (0..<featureCount).map { scale[$0] * v[$0] }
        scaled.withUnsafeBufferPointer { addUnscaledProduct($0.baseAddress!, to: z, workers) }
    }

    private func addUnscaledProduct(
        _ v: UnsafePointer<Double>, to z: UnsafeMutablePointer<Double>, _ workers: Workers
    ) {
        let tableProducts = bags.map { $0.bag.rowOf == nil ? [] : $0.tableProducts(v, workers) }
        fillBlocks(z, rowCount, workers) { rows in
            if hasIntercept {
                let intercept = v[featureCount - 1]
                for i in rows { z[i] += intercept }
            }
            for (part, products) in zip(bags, tableProducts) {
                if let rowOf = part.bag.rowOf {
                    products.withUnsafeBufferPointer { products in
                        rowOf.withUnsafeBufferPointer { rowOf in for i in rows { z[i] += products[Int(rowOf[i])] } }
                    }
                } else {
                    part.bag.table.withPointers { starts, columns, values in
                        let at = rows.lowerBound
                        RowProduct.add(rows: rows.count, starts + at, columns, values, v + part.base, to: z + at)
                    }
                }
            }
        }
    }

    /// g = Xᵀ·r, or (X∘X)ᵀ·r with `squared`. r: N, g: p (overwritten).
    func multiplyTransposed(
        _ r: UnsafePointer<Double>, into g: UnsafeMutablePointer<Double>, squared: Bool = false, workers: Workers
    ) {
        if hasIntercept { g[featureCount - 1] = sum(r, workers) }
        for part in bags {
            let table = part.bag.table
            guard let groups = part.examples else {
                scatter(table, r, into: g + part.base, squared: squared, workers)
                continue
            }
            let perTableRow = [Double](unsafeUninitializedCapacity: table.rowCount) { totals, count in
                let totals = totals.baseAddress!
                count = table.rowCount
                groups.rows.withUnsafeBufferPointer { rows in
                    groups.offsets.withUnsafeBufferPointer { starts in
                        fillBlocks(totals, table.rowCount, workers, block: 1024) { block in
                            for t in block {
                                var total = 0.0
                                for at in starts[t]..<starts[t + 1] { total += r[Int(rows[at])] }
                                totals[t] = total
                            }
                        }
                    }
                }
            }
            perTableRow.withUnsafeBufferPointer {
                scatter(table, $0.baseAddress!, into: g + part.base, squared: squared, workers)
            }
        }
        for j in scale.indices { g[j] *= squared ? scale[j] * scale[j] : scale[j] }
    }

    /// H = Xᵀ·diag(d)·X, lower triangle of the row-major p × p `h` (overwritten).
    func weightedGram(_ d: UnsafePointer<Double>, into h: UnsafeMutablePointer<Double>, workers: Workers) {
        withBagPointers(bags.map(\.bag)) { pointers in
            denseGram(rows: rowCount, columns: featureCount, d, into: h, workers) { row, columns, values in
                var count = 0
                pointers.forEachFeature(row) { feature, value in
                    columns[count] = feature
                    values[count] = scale.isEmpty ? Double(value) : scale[feature] * Double(value)
                    count += 1
                }
                columns[count] = featureCount - 1
                values[count] = 1
                return count + 1
            }
        }
    }

    /// Σ nnz² over rows, what one `weightedGram` costs, estimated from the mean length of rows.
    var gramCost: Double {
        var nonzeros = 1.0
        for part in bags {
            nonzeros += Double(part.bag.table.columns.count) / Double(max(1, part.bag.table.rowCount))
        }
        return Double(rowCount) * nonzeros * nonzeros
    }

    private func sum(_ r: UnsafePointer<Double>, _ workers: Workers) -> Double {
        blockSum(rowCount, workers) { rows in
            var total = 0.0
            for i in rows { total += r[i] }
            return total
        }
    }

    /// g += Tᵀ·r by row blocks, each with its own p-vector; the number of blocks keeps them below 256 MiB.
    private func scatter(
        _ table: SparseRows, _ r: UnsafePointer<Double>, into g: UnsafeMutablePointer<Double>, squared: Bool,
        _ workers: Workers
    ) {
        let p = table.columnCount
        let blocks = max(1, min(16, table.rowCount / 4096, (1 << 25) / max(1, p)))
        var parts = [[Double]](repeating: [], count: blocks)
        parts.withUnsafeMutableBufferPointer { slots in
            let slots = slots.baseAddress!
            table.withPointers { starts, columns, values in
                workers.forEachOwn(blocks) { block in
                    let (first, end) = (table.rowCount * block / blocks, table.rowCount * (block + 1) / blocks)
                    var part = [Double](repeating: 0, count: p)
                    part.withUnsafeMutableBufferPointer { part in
                        guard let part = part.baseAddress else { return }
                        RowProduct.addTransposed(
                            rows: end - first, starts + first, columns, values, r + first, squared: squared, to: part)
                    }
                    slots[block] = part
                }
            }
        }
        workers.treeSum(&parts, size: p)
        for j in 0..<p { g[j] = parts[0][j] }
    }
}

extension DesignMatrix.Part {
    /// T·v for every row of the bag's table.
    func tableProducts(_ v: UnsafePointer<Double>, _ workers: Workers) -> [Double] {
        let table = bag.table
        return [Double](unsafeUninitializedCapacity: table.rowCount) { out, count in
            let out = out.baseAddress!
            count = table.rowCount
            table.withPointers { starts, columns, values in
                fillBlocks(out, table.rowCount, workers, block: 2048) { rows in
                    let at = rows.lowerBound
                    for row in rows { out[row] = 0 }
                    RowProduct.add(rows: rows.count, starts + at, columns, values, v + base, to: out + at)
                }
            }
        }
    }
}

extension SparseRows {
    func withPointers<Result>(
        _ body: (UnsafePointer<Int>, UnsafePointer<UInt32>, UnsafePointer<Float>) -> Result
    ) -> Result {
        offsets.withUnsafeBufferPointer { offsets in
            columns.withUnsafeBufferPointer { columns in
                values.withUnsafeBufferPointer { values in
                    // an empty array has a base address only by chance; no element is read through it
                    let nowhere = UnsafeRawPointer(offsets.baseAddress!)
                    return body(
                        offsets.baseAddress!, columns.baseAddress ?? nowhere.assumingMemoryBound(to: UInt32.self),
                        values.baseAddress ?? nowhere.assumingMemoryBound(to: Float.self))
                }
            }
        }
    }
}

/// H = Xᵀ·diag(d)·X, lower triangle of the row-major p × p `h` (overwritten), X given row by row; rows with d = 0 are
/// not looked at. Row blocks, at most eight and 256 MiB in all, have an H each; they are summed over their tree.
/// - Parameter gather: writes the non-zeros of a row, columns ascending, and returns how many.
func denseGram(
    rows: Int, columns p: Int, _ d: UnsafePointer<Double>, into h: UnsafeMutablePointer<Double>, _ workers: Workers,
    gather: (Int, UnsafeMutablePointer<Int>, UnsafeMutablePointer<Double>) -> Int
) {
    let blocks = max(1, min(8, rows / 4096, (1 << 25) / (p * p)))
    var parts = [[Double]](repeating: [], count: blocks)
    parts.withUnsafeMutableBufferPointer { slots in
        let slots = slots.baseAddress!
        workers.forEachOwn(blocks) { block in
            var part = [Double](repeating: 0, count: p * p)
            let (columns, values) = (
                UnsafeMutablePointer<Int>.allocate(capacity: p), UnsafeMutablePointer<Double>.allocate(capacity: p)
            )
            defer {
                columns.deallocate()
                values.deallocate()
            }
            part.withUnsafeMutableBufferPointer { part in
                let h = part.baseAddress!
                for i in rows * block / blocks..<rows * (block + 1) / blocks where d[i] != 0 {
                    for a in 0..<gather(i, columns, values) {
                        let row = h + columns[a] * p
                        let scaled = d[i] * values[a]
                        for b in 0...a { row[columns[b]] += scaled * values[b] }
                    }
                }
            }
            slots[block] = part
        }
    }
    workers.treeSum(&parts, size: p * p)
    parts[0].withUnsafeBufferPointer { h.update(from: $0.baseAddress!, count: p * p) }
}

/// Calls `body` with consecutive blocks of 0..<count, in parallel.
func forBlocks(_ count: Int, _ workers: Workers, block: Int = DesignMatrix.rowBlock, _ body: (Range<Int>) -> Void) {
    workers.forEach(blockCount(count, block)) { body(rows(ofBlock: $0, count, block)) }
}

/// The same where `body` fills `out`, 0..<count: each rank's own blocks, and then on every rank the others'.
func fillBlocks(
    _ out: UnsafeMutablePointer<Double>, _ count: Int, _ workers: Workers, block: Int = DesignMatrix.rowBlock,
    _ body: (Range<Int>) -> Void
) {
    workers.forEachOwn(blockCount(count, block)) { body(rows(ofBlock: $0, count, block)) }
    shareBlocks(out, count, workers, block: block)
}

/// Completes on every rank what each has filled of its own blocks of 0..<count.
func shareBlocks(
    _ out: UnsafeMutablePointer<Double>, _ count: Int, _ workers: Workers, block: Int = DesignMatrix.rowBlock
) {
    workers.share(out, items: blockCount(count, block)) { min(count, $0 * block) }
}

/// Sum of what `body` returns for the blocks of 0..<count, over the tree of block numbers.
func blockSum(_ count: Int, _ workers: Workers, _ body: (Range<Int>) -> Double) -> Double {
    treeSum(workers.map(blockCount(count)) { body(rows(ofBlock: $0, count)) })
}

/// The same, each rank its own blocks.
func dealtBlockSum(_ count: Int, _ workers: Workers, _ body: (Range<Int>) -> Double) -> Double {
    treeSum(workers.dealtRows(blockCount(count), width: 1) { [body(rows(ofBlock: $0, count))] }.map { $0[0] })
}

private func blockCount(_ count: Int, _ block: Int = DesignMatrix.rowBlock) -> Int { (count + block - 1) / block }

private func rows(ofBlock index: Int, _ count: Int, _ block: Int = DesignMatrix.rowBlock) -> Range<Int> {
    index * block..<min(count, (index + 1) * block)
}
