extension Moments {
    /// The moments of some learners, in the given order.
    package func subset(_ learners: [Int]) -> Moments {
        var result = Moments(offsets: [0], courses: [], times: [])
        for learner in learners {
            result.courses += courses[range(learner)]
            result.times += times[range(learner)]
            result.offsets.append(result.courses.count)
        }
        return result
    }

    /// With learners added, up to so many, who have no moments.
    package func extended(to learners: Int) -> Moments {
        var result = self
        while result.learnerCount < learners { result.offsets.append(courses.count) }
        return result
    }
}

extension AttributeTable {
    /// Some rows, in the given order.
    package func subset(_ rows: [Int]) -> AttributeTable {
        AttributeTable(rows: rows.count, columns: columns.mapValues { $0.subset(rows) })
    }

    /// The rows of tables with the same columns, one table after the other.
    package static func concatenated(_ tables: [AttributeTable]) -> AttributeTable {
        guard let first = tables.first else { return AttributeTable(rows: 0) }
        var result = first
        for table in tables.dropFirst() {
            result.rows += table.rows
            for name in first.names { result.columns[name] = result.columns[name]!.appending(table.columns[name]!) }
        }
        return result
    }
}

extension AttributeColumn {
    func subset(_ rows: [Int]) -> AttributeColumn {
        switch self {
        case .categorical(let codes, let valid):
            return .categorical(codes: rows.map { codes[$0] }, valid: rows.map { valid[$0] })
        case .numeric(let values, let valid):
            return .numeric(values: rows.map { values[$0] }, valid: rows.map { valid[$0] })
        case .list(let offsets, let values):
            let (o, v) = Self.gather(rows, offsets, values)
            return .list(offsets: o, values: v)
        case .text(let offsets, let bytes):
            let (o, v) = Self.gather(rows, offsets, bytes)
            return .text(offsets: o, bytes: v)
        }
    }

    private static func gather<Element>(
        _ rows: [Int], _ offsets: [Int], _ values: [Element]
    ) -> (offsets: [Int], values: [Element]) {
        var result = (offsets: [0], values: [Element]())
        for row in rows {
            result.values += values[offsets[row]..<offsets[row + 1]]
            result.offsets.append(result.values.count)
        }
        return result
    }

    func appending(_ other: AttributeColumn) -> AttributeColumn {
        switch (self, other) {
        case (.categorical(let a, let b), .categorical(let c, let d)):
            return .categorical(codes: a + c, valid: b + d)
        case (.numeric(let a, let b), .numeric(let c, let d)): return .numeric(values: a + c, valid: b + d)
        case (.list(let a, let b), .list(let c, let d)):
            return .list(offsets: a + c.dropFirst().map { $0 + b.count }, values: b + d)
        case (.text(let a, let b), .text(let c, let d)):
            return .text(offsets: a + c.dropFirst().map { $0 + b.count }, bytes: b + d)
        default: preconditionFailure("columns of different types")
        }
    }
}

extension AttributeColumn {
    /// A column of the same type without any value.
    package func missing(rows: Int) -> AttributeColumn {
        let no = [Bool](repeating: false, count: rows)
        switch self {
        case .categorical: return .categorical(codes: [UInt32](repeating: 0, count: rows), valid: no)
        case .numeric: return .numeric(values: [Double](repeating: 0, count: rows), valid: no)
        case .list: return .list(offsets: [Int](repeating: 0, count: rows + 1), values: [])
        case .text: return .text(offsets: [Int](repeating: 0, count: rows + 1), bytes: [])
        }
    }
}

extension LearnerEffects {
    /// Learners of whom the model knows nothing.
    package func missing(learners: Int) -> LearnerEffects {
        LearnerEffects(
            coefficients: coefficients.mapValues { _ in
                Coefficients(offsets: [Int](repeating: 0, count: learners + 1), features: [], values: [])
            }, engagements: [Int32](repeating: 0, count: learners))
    }

    package func subset(_ learners: [Int]) -> LearnerEffects {
        LearnerEffects(
            coefficients: coefficients.mapValues { $0.subset(learners) }, engagements: learners.map { engagements[$0] })
    }

    package static func concatenated(_ parts: [LearnerEffects]) -> LearnerEffects {
        guard let first = parts.first else { return LearnerEffects(coefficients: [:], engagements: []) }
        var result = first
        for part in parts.dropFirst() {
            result.engagements += part.engagements
            for name in first.coefficients.keys {
                result.coefficients[name] = result.coefficients[name]!.appending(part.coefficients[name]!)
            }
        }
        return result
    }
}

extension Coefficients {
    func subset(_ entities: [Int]) -> Coefficients {
        var result = Coefficients(offsets: [0], features: [], values: [])
        for entity in entities {
            result.features += features[range(entity)]
            result.values += values[range(entity)]
            result.offsets.append(result.features.count)
        }
        return result
    }

    func appending(_ other: Coefficients) -> Coefficients {
        Coefficients(
            offsets: offsets + other.offsets.dropFirst().map { $0 + features.count },
            features: features + other.features, values: values + other.values)
    }
}
