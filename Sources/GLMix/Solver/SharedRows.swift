import LinearAlgebra

/// The rows of a random effect of few entities (segments) whose features many examples share (a course's): one row per
/// entity and row of the bag's table, and a row number per example. Products then cost these rows and a look-up per
/// example, not a pass over every example's features.
enum SharedRows {
    /// The matrix of the fitted rows; nil where it would not be at most a quarter of the rows' non-zeros, or the coordinate
    /// has more than one bag or rows of its own. Columns: the effect's coefficients.
    static func matrix(_ layout: EntityLayout, exampleCount: Int) -> DesignMatrix? {
        guard layout.bags.count == 1, let rowOf = layout.bags[0].rowOf else { return nil }
        let table = layout.bags[0].table
        let size = layout.entityCount * (table.columns.count + 2 * table.rowCount)
        let nonzeros = layout.fitted.rows.reduce(0) { $0 + 1 + table.range(Int(rowOf[Int($1)])).count }
        if 4 * size > nonzeros { return nil }
        var rows = SparseRows(columnCount: layout.features.count, offsets: [0], columns: [], values: [])
        for e in 0..<layout.entityCount { append(e, table, layout, to: &rows) }
        rows.offsets.append(rows.columns.count)  // the empty row of examples that no entity is fitted on
        var chosen = [UInt32](repeating: UInt32(rows.rowCount - 1), count: exampleCount)
        for e in 0..<layout.entityCount {
            for at in layout.fitted.range(e) {
                let example = Int(layout.fitted.rows[at])
                chosen[example] = UInt32(e * table.rowCount) + rowOf[example]
            }
        }
        return DesignMatrix(table: rows, rowOf: chosen)
    }

    /// One row per row of the table, with the entity's own columns and its intercept. Features that the entity lacks occur
    /// in no example of it.
    private static func append(_ e: Int, _ table: SparseRows, _ layout: EntityLayout, to rows: inout SparseRows) {
        let known = layout.range(e)
        var columns = [UInt32?](repeating: nil, count: layout.featureCount)
        for at in known { columns[Int(layout.features[at])] = UInt32(at) }
        func value(_ x: Float, _ column: UInt32) -> Float {
            layout.scale.isEmpty ? x : x * Float(layout.scale[Int(column)])
        }
        for row in 0..<table.rowCount {
            for at in table.range(row) {
                guard let column = columns[Int(table.columns[at])] else { continue }
                rows.columns.append(column)
                rows.values.append(value(table.values[at], column))
            }
            if !known.isEmpty {
                let intercept = UInt32(known.upperBound - 1)
                rows.columns.append(intercept)
                rows.values.append(value(1, intercept))
            }
            rows.offsets.append(rows.columns.count)
        }
    }
}
