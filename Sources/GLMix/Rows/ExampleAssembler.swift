import LinearAlgebra
import Platform

/// Turns rows into examples: looks up, or computes, every feature of the space as of each row's own day.
package struct ExampleAssembler: Sendable {
    let space: FeatureSpace
    let learnerTables: [AttributeTable]
    let publishedAt: [Int64]
    let history: EngagementHistory
    let pairs: PairFeatures
    /// First learner of each shard in the numbering over all shards, then the total.
    package let firstLearner: [Int]

    /// - Parameter courses: the catalogue's columns (`CourseTable`).
    package init(
        space: FeatureSpace, learners: [AttributeTable], courses: AttributeTable, publishedAt: [Int64],
        history: EngagementHistory
    ) {
        self.space = space
        learnerTables = learners
        self.publishedAt = publishedAt
        self.history = history
        let rows = SparseRows.stacked(learners.map { BagBuilder.rows(space.learner, $0) }, columns: space.learnerCount)
        pairs = PairFeatures(
            space, learners: rows, courses: BagBuilder.rows(space.course, courses), learnerTables: learners,
            courseTable: courses)
        firstLearner = learners.reduce(into: [0]) { $0.append($0.last! + $1.rows) }
    }

    /// - Parameters:
    ///   - rows: by learner shard; the examples are theirs, one shard after the other.
    ///   - profileColumns: categorical learner columns that become groupings, beside `learner` and `course`.
    package func examples(
        _ rows: [TrainingRows], weights: WatchWeights, profileColumns: [String], workers: Workers
    ) -> Examples {
        let learner = zip(rows, firstLearner).flatMap { part, base in part.learner.map { UInt32(base) + $0 } }
        let course = rows.flatMap(\.course)
        var groupings = [
            Grouping(name: "learner", entityCount: firstLearner.last!, entities: learner.map { Int32($0) }),
            Grouping(name: "course", entityCount: publishedAt.count, entities: course.map { Int32($0) }),
        ]
        groupings += profileColumns.map { profileGrouping($0, rows) }
        let computed = workers.map(rows.count) { self.computed(rows[$0], shard: $0) }
        return Examples(
            labels: rows.flatMap(\.label),
            weights: rows.flatMap { part in zip(part.watched, part.mass).map { weights.weight(watched: $0) * $1 } },
            offsets: rows.flatMap(\.offset), groupings: groupings,
            bags: [
                FeatureBag(name: FeatureSpace.learnerBag, table: pairs.learners, rowOf: learner),
                FeatureBag(name: FeatureSpace.courseBag, table: pairs.courses, rowOf: course),
                FeatureBag(
                    name: FeatureSpace.learnerNowBag,
                    table: .stacked(computed.map(\.learnerNow), columns: space.learnerNow.count)),
                FeatureBag(
                    name: FeatureSpace.courseNowBag,
                    table: .stacked(computed.map(\.courseNow), columns: space.courseNow.count)),
                FeatureBag(name: FeatureSpace.pairBag, table: .stacked(computed.map(\.pair), columns: space.pairCount)),
            ])
    }

    /// Entities of each grouping of the examples.
    package func groupingSizes(_ profileColumns: [String]) -> [String: Int] {
        var sizes = ["learner": firstLearner.last!, "course": publishedAt.count]
        for column in profileColumns { sizes[column] = Self.entityCount(column, learnerTables) }
        return sizes
    }

    /// Entities are the codes of a categorical profile column.
    private func profileGrouping(_ name: String, _ rows: [TrainingRows]) -> Grouping {
        var entities: [Int32] = []
        for (table, part) in zip(learnerTables, rows) {
            guard case .categorical(let codes, let valid)? = table.columns[name] else {
                entities += [Int32](repeating: -1, count: part.count)
                continue
            }
            entities += part.learner.map { valid[Int($0)] ? Int32(codes[Int($0)]) : -1 }
        }
        return Grouping(name: name, entityCount: Self.entityCount(name, learnerTables), entities: entities)
    }

    /// One more than the largest code.
    static func entityCount(_ column: String, _ tables: [AttributeTable]) -> Int {
        tables.reduce(0) { most, table in
            guard case .categorical(let codes, let valid)? = table.columns[column] else { return most }
            return zip(codes, valid).reduce(most) { $1.1 ? max($0, Int($1.0) + 1) : $0 }
        }
    }

    /// The bags that differ from row to row.
    private func computed(
        _ rows: TrainingRows, shard: Int
    ) -> (learnerNow: SparseRows, courseNow: SparseRows, pair: SparseRows) {
        var learnerNow = SparseBuilder()
        var courseNow = SparseBuilder()
        var pair = SparseBuilder()
        for i in 0..<rows.count {
            let course = Int(rows.course[i])
            for (j, feature) in space.learnerNow.enumerated() {
                learnerNow.add(j, feature.standardised(NowQuantities.learner(feature.quantity, Int(rows.earlier[i]))))
            }
            learnerNow.endRow()
            for (j, x) in now(course, rows.time[i]).enumerated() {
                courseNow.add(j, space.courseNow[j].standardised(x))
            }
            courseNow.endRow()
            pairs.append(
                learner: firstLearner[shard] + Int(rows.learner[i]), course: course, to: &pair.columns, &pair.values)
            if space.marksDrawn && rows.drawn[i] { pair.add(space.pairCount - 1, 1) }
            pair.endRow()
        }
        return (
            learnerNow.rows(space.learnerNow.count), courseNow.rows(space.courseNow.count), pair.rows(space.pairCount)
        )
    }

    /// The course's numbers as of the day of a time, before standardisation; NaN: missing.
    private func now(_ course: Int, _ time: Int64) -> [Double] {
        if space.courseNow.isEmpty { return [] }
        let day = CourseActivity.day(time)
        let state = history.state(course: course, day: day)
        return space.courseNow.map {
            NowQuantities.course(
                $0.quantity, engagements: state.engagements, impressions: state.impressions,
                publishedAt: publishedAt[course], day: day)
        }
    }
}

/// Numbers as of a day, before standardisation; NaN: missing.
enum NowQuantities {
    typealias Quantity = FeatureSpace.NowFeature.Quantity

    static func learner(_ quantity: Quantity, _ earlier: Int) -> Double {
        precondition(quantity == .learnerEngagements)
        return Quantity.learnerEngagements(earlier)
    }

    static func course(
        _ quantity: Quantity, engagements: Double, impressions: Double, publishedAt: Int64, day: Int32
    ) -> Double {
        switch quantity {
        case .age: Quantity.age(publishedAt: publishedAt, day: day)
        case .engagements: Quantity.engagements(engagements)
        case .rate: Quantity.rate(engagements: engagements, impressions: impressions)
        case .learnerEngagements: preconditionFailure("a learner's number is no course's")
        }
    }
}

extension FeatureSpace {
    /// Adds the declared numbers as of a row's day, standardised on the given rows: the age where a row's course has a
    /// date, the rate where a row saw impressions. What is not in these rows decides nothing: it may be later than all.
    package mutating func addNow(
        _ declarations: [FeatureDeclaration], rows: [TrainingRows], history: EngagementHistory, publishedAt: [Int64]
    ) {
        typealias Quantity = NowFeature.Quantity
        func feature(_ quantity: Quantity, _ value: (TrainingRows, Int) -> Double) -> NowFeature {
            // one entry per row: moments need no order, but the sum's order is that of the rows
            var values: [(value: Double, rows: Int)] = []
            for part in rows {
                for i in 0..<part.count {
                    let x = value(part, i)
                    if !x.isNaN { values.append((x, 1)) }
                }
            }
            let (mean, scale) = FeatureBlock.moments(values)
            return NowFeature(quantity: quantity, mean: mean, scale: scale)
        }
        if declarations.contains(.learnerNow) {
            learnerNow = [
                feature(.learnerEngagements) { NowQuantities.learner(.learnerEngagements, Int($0.earlier[$1])) }
            ]
        }
        if declarations.contains(.courseNow) {
            func occurs(_ holds: (TrainingRows, Int) -> Bool) -> Bool {
                rows.contains { part in (0..<part.count).contains { holds(part, $0) } }
            }
            var quantities: [Quantity] = [.engagements]
            if occurs({ publishedAt[Int($0.course[$1])] != .min }) { quantities.insert(.age, at: 0) }
            func impressions(_ part: TrainingRows, _ i: Int) -> Double {
                history.impressions.value(course: Int(part.course[i]), before: CourseActivity.day(part.time[i]))
            }
            if occurs({ impressions($0, $1) > 0 }) { quantities.append(.rate) }
            courseNow = quantities.map { quantity in
                feature(quantity) { part, i in
                    let (course, day) = (Int(part.course[i]), CourseActivity.day(part.time[i]))
                    let state = history.state(course: course, day: day)
                    return NowQuantities.course(
                        quantity, engagements: state.engagements, impressions: state.impressions,
                        publishedAt: publishedAt[course], day: day)
                }
            }
        }
    }
}

/// Sparse rows while they are being appended.
struct SparseBuilder {
    var offsets = [0]
    var columns: [UInt32] = []
    var values: [Float] = []

    mutating func add(_ column: Int, _ value: Float) {
        if value == 0 { return }
        columns.append(UInt32(column))
        values.append(value)
    }

    mutating func endRow() { offsets.append(columns.count) }

    func rows(_ columnCount: Int) -> SparseRows {
        SparseRows(columnCount: columnCount, offsets: offsets, columns: columns, values: values)
    }
}

extension SparseRows {
    /// The parts one below the other.
    static func stacked(_ parts: [SparseRows], columns: Int) -> SparseRows {
        var all = SparseRows(columnCount: columns, offsets: [0], columns: [], values: [])
        all.columns.reserveCapacity(parts.reduce(0) { $0 + $1.columns.count })
        all.values.reserveCapacity(parts.reduce(0) { $0 + $1.columns.count })
        all.offsets.reserveCapacity(parts.reduce(1) { $0 + $1.rowCount })
        for part in parts {
            let base = all.columns.count
            all.columns += part.columns
            all.values += part.values
            for row in 0..<part.rowCount { all.offsets.append(base + part.offsets[row + 1]) }
        }
        return all
    }
}

/// The columns that features may use of the catalogue: its metadata, and title and duration under the names
/// `title` and `duration_seconds` (unless metadata has them).
package enum CourseTable {
    package static func of(_ catalogue: Catalogue) -> AttributeTable {
        var table = catalogue.attributes
        if table.columns["title"] == nil {
            var (offsets, bytes): ([Int], [UInt8]) = ([0], [])
            for title in catalogue.titles {
                bytes += title.utf8
                offsets.append(bytes.count)
            }
            table.columns["title"] = .text(offsets: offsets, bytes: bytes)
        }
        if table.columns["duration_seconds"] == nil, catalogue.duration.contains(where: { $0 != nil }) {
            table.columns["duration_seconds"] = .numeric(
                values: catalogue.duration.map { Double($0 ?? 0) }, valid: catalogue.duration.map { $0 != nil })
        }
        return table
    }
}
