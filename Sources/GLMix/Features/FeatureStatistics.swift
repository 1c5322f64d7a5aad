import Platform

/// What the columns of a table look like on the training rows, from which blocks are made: counts of values, moments
/// and quantiles. A table may come in parts (learner shards); `rows[part][row]` says how many training rows a row of
/// the table has.
package struct TrainingTable: Sendable {
    package var parts: [AttributeTable]
    package var rows: [[Int]]
    /// By column name.
    package var dictionaries: [String: ValueDictionary]

    package init(parts: [AttributeTable], rows: [[Int]], dictionaries: [String: ValueDictionary]) {
        (self.parts, self.rows, self.dictionaries) = (parts, rows, dictionaries)
    }

    package var names: [String] { Set(parts.flatMap { $0.columns.keys }).sorted() }

    /// A column of the first part that has it: its type.
    package func sample(_ name: String) -> AttributeColumn? { parts.lazy.compactMap { $0.columns[name] }.first }

    /// Training rows by code of a categorical or list column.
    func valueCounts(_ name: String) -> [Int] {
        var counts = [Int](repeating: 0, count: dictionaries[name]?.values.count ?? 0)
        func add(_ code: UInt32, _ n: Int) {
            let code = Int(code)
            if code >= counts.count { counts += [Int](repeating: 0, count: code + 1 - counts.count) }
            counts[code] += n
        }
        for (part, rows) in zip(parts, rows) {
            switch part.columns[name] {
            case .categorical(let codes, let valid)?:
                for i in codes.indices where valid[i] && rows[i] > 0 { add(codes[i], rows[i]) }
            case .list(let offsets, let values)?:
                for i in rows.indices where rows[i] > 0 {
                    for at in offsets[i]..<offsets[i + 1] { add(values[at], rows[i]) }
                }
            default: break
            }
        }
        return counts
    }

    /// Values of a categorical or list column that training rows have, by their bytes.
    func occurring(_ name: String) -> Set<[UInt8]> {
        let values = dictionaries[name]?.values ?? []
        return Set(zip(values, valueCounts(name)).lazy.filter { $0.1 > 0 }.map { Array($0.0.utf8) })
    }

    /// Values of a numeric column with their training rows, ascending; and the training rows without a value.
    func numbers(_ name: String) -> (values: [(value: Double, rows: Int)], missing: Int) {
        var found: [(value: Double, rows: Int)] = []
        var missing = 0
        for (part, rows) in zip(parts, rows) {
            guard case .numeric(let values, let valid)? = part.columns[name] else {
                missing += rows.reduce(0, +)
                continue
            }
            for i in rows.indices where rows[i] > 0 {
                if valid[i] && values[i].isFinite { found.append((values[i], rows[i])) } else { missing += rows[i] }
            }
        }
        return (found.sorted { $0.value < $1.value }, missing)
    }

    /// The name of a value for people.
    func valueName(_ column: String, _ code: Int) -> String {
        let values = dictionaries[column]?.values ?? []
        return code < values.count ? values[code] : "#\(code)"
    }
}

extension FeatureBlock {
    /// - Parameter label: `learner.job` and the like, the start of all names.
    static func values(_ table: TrainingTable, _ column: String, label: String, base: Int, minCount: Int)
        -> FeatureBlock
    {
        let counts = table.valueCounts(column)
        var names: [String] = []
        var featureOf = [Int32](repeating: -1, count: counts.count)
        for (code, count) in counts.enumerated() where count >= minCount {
            featureOf[code] = Int32(names.count)
            names.append("\(label)=\(table.valueName(column, code))")
        }
        if counts.contains(where: { $0 > 0 && $0 < minCount }) {
            for code in counts.indices where featureOf[code] < 0 { featureOf[code] = Int32(names.count) }
            names.append("\(label)=(other)")
        }
        return FeatureBlock(column: column, kind: .values(featureOf: featureOf), base: base, names: names)
    }

    static func number(_ table: TrainingTable, _ column: String, label: String, base: Int) -> FeatureBlock {
        let (values, missing) = table.numbers(column)
        let (mean, scale) = moments(values)
        let indicator = missing > 0 && !values.isEmpty
        return FeatureBlock(
            column: column, kind: .number(mean: mean, scale: scale, indicator: indicator), base: base,
            names: [label] + (indicator ? ["\(label)=(missing)"] : []))
    }

    /// Mean and standard deviation (1 where there is none) over training rows.
    static func moments(_ values: [(value: Double, rows: Int)]) -> (mean: Double, scale: Double) {
        let n = values.reduce(0.0) { $0 + Double($1.rows) }
        if n == 0 { return (0, 1) }
        let mean = values.reduce(0.0) { $0 + Double($1.rows) * $1.value } / n
        let variance = values.reduce(0.0) { $0 + Double($1.rows) * ($1.value - mean) * ($1.value - mean) } / n
        return (mean, variance > 1e-24 * mean * mean && variance > 0 ? variance.squareRoot() : 1)
    }

    static func buckets(_ table: TrainingTable, _ column: String, count: Int, label: String, base: Int) -> FeatureBlock
    {
        let (values, _) = table.numbers(column)
        let total = values.reduce(0) { $0 + $1.rows }
        var edges: [Double] = []
        var (seen, next) = (0, 1)
        for (value, rows) in values {
            // the first value at or above each quantile opens the next bucket
            while next < count, seen * count >= next * total, seen > 0 {
                if edges.last != value { edges.append(value) }
                next += 1
            }
            seen += rows
        }
        var names: [String] = []
        for i in 0...edges.count {
            let low = i == 0 ? "" : "\(edges[i - 1]) ≤ "
            let high = i == edges.count ? "" : " < \(edges[i])"
            names.append(low + label + high)
        }
        return FeatureBlock(column: column, kind: .buckets(edges: edges), base: base, names: names)
    }

    static func text(_ column: String, dimensions: Int, label: String, base: Int) -> FeatureBlock {
        FeatureBlock(
            column: column, kind: .text, base: base, names: (0..<dimensions).map { "\(label)#\($0)" })
    }
}
