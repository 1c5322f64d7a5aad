import LinearAlgebra
import Platform

/// A stored response model, laid out for scoring every course as of the model's time. The margin of learner l and
/// course c falls into
///
///     z(l, c) = constant(c) + constant(l) + Σ_f A(l, f)·S(f, c) + Σ_f q(l, f)·G(f, c) + matches(l, c)
///
/// S: course features; A: what multiplies them for this learner (its own effects, its segment's, and the fixed
/// effect's crosses, whose learner side is known); G: per-course effects on learner features; q: learner features.
/// All sums but those of common learner features are one product of the courses' sparse rows with what multiplies them for
/// each learner (`joined`).
package struct ResponsePredictor: Sendable {
    let definition: ModelDefinition
    let model: ResponseModel
    let courseRows: SparseRows
    /// By match: the courses' codes, ascending, with their 1/√n, and how many codes there are.
    let matchCodes: [SparseRows]
    let matchCodeCounts: [Int]
    /// Course features: bag `course`, then `course-now`.
    let courseFeatureCount: Int
    /// Courses × learner features (bag `learner`, then `learner-now`): per-course coefficients of all such coordinates.
    let responders: SparseRows
    /// G of the common learner features: a learner has few of them, each a row that is added. By feature its row here, −1:
    /// G of it is in `joined`. Common ones have a coefficient for a quarter of the courses, so that a full row is little
    /// more than a sparse one.
    let common: PackedFactor
    let commonRows: [Int32]
    /// Courses × everything else that a learner's side multiplies: S, the rest of G, and per match its codes, once as 1 and
    /// once as 1/√n.
    let joined: SparseRows
    /// First column in `joined` of each match's codes; those with 1/√n follow.
    let matchBases: [Int]
    /// constant(c)
    let courseConstant: [Float]
    /// Fixed coefficients by bag, then the intercept.
    let fixed: [String: ArraySlice<Double>]
    let dictionaries: (learner: [String: ValueDictionary], course: [String: ValueDictionary])

    package var courseCount: Int { courseConstant.count }
    package var time: Int64 { definition.time }

    /// - Parameters:
    ///   - definition, model: `GLMixShards.definition` and `.model` of the same fit.
    ///   - learnerDictionaries: `LogsShards.learnerDictionaries`, for the names of contributions.
    ///   - commonShare: learner features with a coefficient for at least this share of the courses are common.
    package init(
        _ definition: ModelDefinition, _ model: ResponseModel, catalogue: Catalogue,
        learnerDictionaries: [String: ValueDictionary] = [:], commonShare: Double = 0.25
    ) {
        (self.definition, self.model) = (definition, model)
        dictionaries = (learnerDictionaries, catalogue.dictionaries)
        let space = definition.space
        let table = CourseTable.of(catalogue)
        courseRows = BagBuilder.rows(space.course, table)
        let matchCodes = space.matches.map { match in
            PairFeatures.codes([(table.columns[match.courseColumn], table.rows)]) { Int32($0) }
        }
        (self.matchCodes, matchCodeCounts) = (matchCodes, matchCodes.map { 1 + Int($0.columns.max() ?? 0) })
        let side = Self.beside(courseRows, Self.courseNow(definition, model, catalogue))
        courseFeatureCount = side.columnCount
        fixed = Self.fixedByBag(definition, model)
        responders = Self.perCourse(definition, model)
        let rare: SparseRows
        (common, commonRows, rare) = Self.split(responders, commonShare)
        (joined, matchBases) = Self.joined(side, rare, matchCodes, matchCodeCounts)
        courseConstant = Self.courseConstant(definition, model, fixed, side)
    }

    private static func split(
        _ responders: SparseRows, _ commonShare: Double
    ) -> (PackedFactor, rows: [Int32], rare: SparseRows) {
        let least = max(1, commonShare * Double(responders.rowCount))
        var counts = [Int](repeating: 0, count: responders.columnCount)
        for feature in responders.columns { counts[Int(feature)] += 1 }
        var rows = [Int32](repeating: -1, count: counts.count)
        var depth = 0
        for feature in counts.indices where Double(counts[feature]) >= least {
            rows[feature] = Int32(depth)
            depth += 1
        }
        var rare = SparseBuilder()
        let common = PackedFactor(depth: depth, columns: responders.rowCount) { set in
            for course in 0..<responders.rowCount {
                for at in responders.range(course) {
                    let (feature, value) = (Int(responders.columns[at]), responders.values[at])
                    if rows[feature] >= 0 { set(Int(rows[feature]), course, value) } else { rare.add(feature, value) }
                }
                rare.endRow()
            }
        }
        return (common, rows, rare.rows(responders.columnCount))
    }

    private static func joined(
        _ side: SparseRows, _ responders: SparseRows, _ matchCodes: [SparseRows], _ counts: [Int]
    ) -> (SparseRows, bases: [Int]) {
        var joined = beside(side, responders)
        var bases: [Int] = []
        for (codes, count) in zip(matchCodes, counts) {
            bases.append(joined.columnCount)
            let ones = SparseRows(
                columnCount: count, offsets: codes.offsets, columns: codes.columns,
                values: [Float](repeating: 1, count: codes.values.count))
            let weighted = SparseRows(
                columnCount: count, offsets: codes.offsets, columns: codes.columns, values: codes.values)
            joined = beside(beside(joined, ones), weighted)
        }
        return (joined, bases)
    }

    /// Courses × `course-now` features, standardised.
    private static func courseNow(
        _ definition: ModelDefinition, _ model: ResponseModel, _ catalogue: Catalogue
    ) -> SparseRows {
        let day = CourseActivity.day(definition.time)
        var rows = SparseBuilder()
        for course in 0..<catalogue.count {
            for (j, feature) in definition.space.courseNow.enumerated() {
                let x = NowQuantities.course(
                    feature.quantity, engagements: model.courseEngagements[course],
                    impressions: model.courseImpressions[course], publishedAt: catalogue.publishedAt[course], day: day)
                rows.add(j, feature.standardised(x))
            }
            rows.endRow()
        }
        return rows.rows(definition.space.courseNow.count)
    }

    /// Two matrices of as many rows, side by side.
    static func beside(_ a: SparseRows, _ b: SparseRows) -> SparseRows {
        var rows = SparseBuilder()
        for i in 0..<a.rowCount {
            for at in a.range(i) { rows.add(Int(a.columns[at]), a.values[at]) }
            for at in b.range(i) { rows.add(a.columnCount + Int(b.columns[at]), b.values[at]) }
            rows.endRow()
        }
        return rows.rows(a.columnCount + b.columnCount)
    }

    private static func fixedByBag(_ definition: ModelDefinition, _ model: ResponseModel) -> [String: ArraySlice<
        Double
    >] {
        guard let coordinate = definition.coordinates.first(where: { $0.by == nil }),
            let b = model.coefficients[coordinate.name]?.values
        else { return [:] }
        var slices: [String: ArraySlice<Double>] = [:]
        var base = 0
        for bag in coordinate.bags {
            let count = definition.space.count(bag)
            slices[bag] = b[base..<base + count]
            base += count
        }
        slices["(intercept)"] = b[base...base]
        return slices
    }

    /// Courses × learner features from all coordinates by course; their intercepts are in `courseConstant`.
    private static func perCourse(_ definition: ModelDefinition, _ model: ResponseModel) -> SparseRows {
        let space = definition.space
        let courses = model.courseEngagements.count
        var entries = [[Int: Double]](repeating: [:], count: courses)
        for coordinate in definition.coordinates where coordinate.by == "course" {
            guard let g = model.coefficients[coordinate.name] else { continue }
            let map = sideFeatures(coordinate, space)
            for course in 0..<courses {
                for at in g.range(course) {
                    let feature = map[Int(g.features[at])]
                    if feature >= 0 { entries[course][feature, default: 0] += g.values[at] }
                }
            }
        }
        var rows = SparseBuilder()
        for row in entries {
            for feature in row.keys.sorted() { rows.add(feature, Float(row[feature]!)) }
            rows.endRow()
        }
        return rows.rows(space.learnerCount + space.learnerNow.count)
    }

    /// Feature of a coordinate → feature of its side (static bag, then the one "now"); −1: the intercept.
    static func sideFeatures(_ coordinate: Coordinate, _ space: FeatureSpace) -> [Int] {
        var map: [Int] = []
        for bag in coordinate.bags {
            let base: Int
            switch bag {
            case FeatureSpace.learnerNowBag: base = space.learnerCount
            case FeatureSpace.courseNowBag: base = space.courseCount
            default: base = 0
            }
            map += (0..<space.count(bag)).map { base + $0 }
        }
        return map + [-1]
    }

    private static func courseConstant(
        _ definition: ModelDefinition, _ model: ResponseModel, _ fixed: [String: ArraySlice<Double>], _ side: SparseRows
    ) -> [Float] {
        let own = [Double](fixed[FeatureSpace.courseBag] ?? [])
        let now = [Double](fixed[FeatureSpace.courseNowBag] ?? [])
        let b =
            (own.isEmpty ? [Double](repeating: 0, count: definition.space.courseCount) : own)
            + (now.isEmpty ? [Double](repeating: 0, count: definition.space.courseNow.count) : now)
        return (0..<side.rowCount).map { course in
            var total = fixed["(intercept)"]?.first ?? 0
            for at in side.range(course) { total += b[Int(side.columns[at])] * Double(side.values[at]) }
            for coordinate in definition.coordinates where coordinate.by == "course" {
                // the intercept is an entity's last coefficient
                if let g = model.coefficients[coordinate.name], let last = g.range(course).last {
                    total += g.values[last]
                }
            }
            return Float(total)
        }
    }

    /// Binds the learners of one shard.
    package func scorer(learners: AttributeTable, effects: LearnerEffects) -> ResponseScorer {
        ResponseScorer(self, learners: learners, effects: effects)
    }
}
