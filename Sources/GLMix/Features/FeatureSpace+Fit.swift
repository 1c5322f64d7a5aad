import LinearAlgebra
import Platform

extension FeatureSpace {
    /// Makes blocks from declarations and training statistics. The two blocks of a cross are declared with it.
    /// - Throws: `GLMixError.badFeature` for a column that is not there or has another type.
    package init(
        _ declarations: [FeatureDeclaration], learners: TrainingTable, courses: TrainingTable, minCount: Int,
        halfLife: Double
    ) throws {
        (learner, course, crosses, matches, learnerNow, courseNow) = ([], [], [], [], [], [])
        self.halfLife = halfLife
        marksDrawn = false
        for declaration in declarations {
            switch declaration {
            case .column(let side, let name), .buckets(let side, let name, _), .text(let side, let name, _):
                _ = try add(side, name, declaration, side == .learner ? learners : courses, minCount)
            case .cross(let a, let b):
                let u = try add(.learner, a, .column(.learner, a), learners, minCount)
                let v = try add(.course, b, .column(.course, b), courses, minCount)
                let base = crosses.last.map { $0.base + $0.count } ?? 0
                crosses.append(
                    CrossBlock(learner: u, course: v, base: base, count: learner[u].count * course[v].count))
            case .match, .learnerNow, .courseNow: break
            }
        }
        for case .match(let a, let b) in declarations { try addMatch(a, b, learners, courses) }
    }

    private mutating func add(
        _ side: FeatureDeclaration.Side, _ name: String, _ declaration: FeatureDeclaration, _ table: TrainingTable,
        _ minCount: Int
    ) throws -> Int {
        let blocks = side == .learner ? learner : course
        if let known = blocks.firstIndex(where: { $0.column == name }) { return known }
        let label = "\(side.rawValue).\(name)"
        guard let sample = table.sample(name) else {
            throw GLMixError.badFeature(declaration.line, reason: "there is no such column, but \(table.names)")
        }
        let base = blocks.last.map { $0.base + $0.count } ?? 0
        let block: FeatureBlock
        switch (declaration, sample) {
        case (.column, .categorical), (.column, .list):
            block = .values(table, name, label: label, base: base, minCount: minCount)
        case (.column, .numeric): block = .number(table, name, label: label, base: base)
        case (.buckets(_, _, let count), .numeric):
            block = .buckets(table, name, count: count, label: label, base: base)
        case (.text(_, _, let dimensions), .text):
            block = .text(name, dimensions: dimensions, label: label, base: base)
        default:
            throw GLMixError.badFeature(
                declaration.line, reason: "the column is \(Self.typeName(sample)), which this does not fit")
        }
        if side == .learner { learner.append(block) } else { course.append(block) }
        return blocks.count
    }

    static func typeName(_ column: AttributeColumn) -> String {
        switch column {
        case .categorical: "categorical"
        case .list: "a list"
        case .numeric: "a number"
        case .text: "text"
        }
    }

    private mutating func addMatch(_ a: String, _ b: String, _ learners: TrainingTable, _ courses: TrainingTable) throws
    {
        let line = FeatureDeclaration.match(learner: a, course: b).line
        guard let left = learners.dictionaries[a], let right = courses.dictionaries[b] else {
            throw GLMixError.badFeature(line, reason: "both columns must be there and be categorical or lists")
        }
        let codes = Dictionary(uniqueKeysWithValues: right.values.enumerated().map { (Array($1.utf8), Int32($0)) })
        let crossed = crosses.last.map { $0.base + $0.count } ?? 0
        let base = matches.last.map { $0.base + MatchBlock.count } ?? crossed
        matches.append(
            MatchBlock(
                learnerColumn: a, courseColumn: b, courseCodeOf: left.values.map { codes[Array($0.utf8)] ?? -1 },
                base: base))
    }

    /// The features of `features: auto`: every categorical, list and numeric column with 2 to `mostValues` values;
    /// crosses of columns with few values while they stay below `mostCrossed` features in all; a match wherever two
    /// columns share at least two values of training rows; and the numbers as of the row's day.
    package static func automatic(
        learners: TrainingTable, courses: TrainingTable, minCount: Int, grouped: [String] = [], mostValues: Int = 1000,
        mostCrossed: Int = 1500
    ) -> [FeatureDeclaration] {
        var declarations: [FeatureDeclaration] = []
        func usable(_ table: TrainingTable, _ side: FeatureDeclaration.Side) -> [(name: String, values: Int)] {
            var found: [(String, Int)] = []
            for name in table.names {
                switch table.sample(name) {
                case .categorical?, .list?:
                    let frequent = table.valueCounts(name).count { $0 >= minCount }
                    if (2...mostValues).contains(frequent) {
                        declarations.append(.column(side, name))
                        found.append((name, frequent))
                    }
                case .numeric?:
                    let values = table.numbers(name).values
                    if let first = values.first, values.last!.value > first.value {
                        declarations.append(.column(side, name))
                    }
                default: break
                }
            }
            return found
        }
        let left = usable(learners, .learner)
        let right = usable(courses, .course)
        let pairs = left.flatMap { a in right.map { (a, $0) } }
        var crossed = 0
        let sizes = pairs.map { $0.0.values * $0.1.values }
        for index in pairs.indices.sorted(by: { (sizes[$0], $0) < (sizes[$1], $1) }) {
            let (a, b) = pairs[index]
            let size = (a.values + 1) * (b.values + 1)
            if crossed + size > mostCrossed || grouped.contains(a.name) { continue }
            crossed += size
            declarations.append(.cross(learner: a.name, course: b.name))
        }
        for (a, b) in pairs {
            let shared = learners.occurring(a.name).intersection(courses.occurring(b.name))
            if shared.count >= 2 { declarations.append(.match(learner: a.name, course: b.name)) }
        }
        return declarations + [.learnerNow, .courseNow]
    }
}
