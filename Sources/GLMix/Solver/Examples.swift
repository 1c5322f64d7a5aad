import LinearAlgebra

/// Features of one kind for every example ("bag", as in Photon-ML): example i has row `rowOf[i]` of `table`, or row
/// i itself if `rowOf` is nil. What many examples share (all features of a course) is so held once.
package struct FeatureBag: Sendable, Equatable {
    package let name: String
    /// Distinct rows × features of this bag; columns ascend within a row.
    package let table: SparseRows
    /// Row of the table, one per example; nil: the example's own number.
    package let rowOf: [UInt32]?

    package init(name: String, table: SparseRows, rowOf: [UInt32]? = nil) {
        (self.name, self.table, self.rowOf) = (name, table, rowOf)
    }

    package var featureCount: Int { table.columnCount }
}

/// Which entity (learner, course, segment …) each example belongs to.
package struct Grouping: Sendable, Equatable {
    package let name: String
    package let entityCount: Int
    /// Entity number, one per example; −1: none, and effects by this grouping are 0 there.
    package let entities: [Int32]

    package init(name: String, entityCount: Int, entities: [Int32]) {
        (self.name, self.entityCount, self.entities) = (name, entityCount, entities)
    }
}

/// The training data of a GLMix model: N labelled rows, held once; coordinates refer to bags and groupings by name.
package struct Examples: Sendable, Equatable {
    /// 1: the learner responded, 0: not.
    package var labels: [UInt8]
    /// Importance weights, > 0 and finite.
    package var weights: [Float]
    /// Known parts of the margin, finite.
    package var offsets: [Float]
    package var groupings: [Grouping]
    package var bags: [FeatureBag]

    package init(
        labels: [UInt8], weights: [Float], offsets: [Float], groupings: [Grouping], bags: [FeatureBag]
    ) {
        (self.labels, self.weights, self.offsets) = (labels, weights, offsets)
        (self.groupings, self.bags) = (groupings, bags)
    }

    package var count: Int { labels.count }

    /// Whether there are not rows of both labels.
    var labelsAreAlike: Bool { !labels.contains(0) || !labels.contains(1) }

    package func bag(_ name: String) -> FeatureBag? { bags.first { $0.name == name } }
    package func grouping(_ name: String) -> Grouping? { groupings.first { $0.name == name } }

    /// Checks everything that the solvers rely on; the first violation is thrown with its row and reason.
    package func validate() throws {
        guard weights.count == count, offsets.count == count else {
            throw GLMixError.badExample(row: 0, reason: "label, weight and offset differ in length")
        }
        for i in 0..<count {
            if labels[i] > 1 { throw GLMixError.badExample(row: i, reason: "label \(labels[i]) is not 0 or 1") }
            if !(weights[i] > 0 && weights[i].isFinite) {
                throw GLMixError.badExample(row: i, reason: "weight \(weights[i]) is not positive and finite")
            }
            if !offsets[i].isFinite {
                throw GLMixError.badExample(row: i, reason: "offset \(offsets[i]) is not finite")
            }
        }
        for grouping in groupings { try validate(grouping) }
        for bag in bags { try validate(bag) }
    }

    private func validate(_ grouping: Grouping) throws {
        guard grouping.entities.count == count else {
            throw GLMixError.badExample(row: 0, reason: "grouping \(grouping.name) has another number of rows")
        }
        for (i, entity) in grouping.entities.enumerated() where entity < -1 || Int(entity) >= grouping.entityCount {
            throw GLMixError.badExample(
                row: i, reason: "\(grouping.name) \(entity) is not in 0..<\(grouping.entityCount)")
        }
    }

    private func validate(_ bag: FeatureBag) throws {
        let table = bag.table
        let rows = bag.rowOf?.count ?? table.rowCount
        guard rows == count else {
            throw GLMixError.badExample(row: 0, reason: "features \(bag.name) have another number of rows")
        }
        if let rowOf = bag.rowOf, let i = rowOf.firstIndex(where: { Int($0) >= table.rowCount }) {
            throw GLMixError.badExample(row: i, reason: "row \(rowOf[i]) of table \(bag.name) is not there")
        }
        for row in 0..<table.rowCount {
            var last = -1
            for at in table.range(row) {
                let column = Int(table.columns[at])
                if column >= table.columnCount {
                    throw GLMixError.badExample(
                        row: row, reason: "feature \(column) of \(bag.name) is not in 0..<\(table.columnCount)")
                }
                if column <= last {
                    throw GLMixError.badExample(row: row, reason: "features of \(bag.name) do not ascend at \(column)")
                }
                if !table.values[at].isFinite {
                    throw GLMixError.badExample(row: row, reason: "feature \(column) of \(bag.name) is not finite")
                }
                last = column
            }
        }
    }
}

/// What the world can get wrong; the text says what was found and what to do.
package enum GLMixError: Error, Equatable, CustomStringConvertible {
    case badExample(row: Int, reason: String)
    case allLabelsAlike(label: Int, rows: Int)
    case badCoordinate(name: String, reason: String)
    case badFeature(String, reason: String)

    package var description: String {
        switch self {
        case .badExample(let row, let reason): "row \(row): \(reason)"
        case .allLabelsAlike(let label, let rows):
            "all \(rows) training rows have label \(label): nothing to learn; check the kinds of engagement"
        case .badCoordinate(let name, let reason): "coordinate \(name): \(reason)"
        case .badFeature(let name, let reason): "feature \(name): \(reason)"
        }
    }
}
