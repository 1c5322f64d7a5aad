// Proves how columns become features and how courses are scored. Expected values: worked out by hand from the rules
// in docs/glmix.md; the scorer's are held against the plain margins of the same pairs laid out as examples.
import GLMix
import LinearAlgebra
import Platform
import Testing

private func list(_ rows: [[UInt32]]) -> AttributeColumn {
    .list(offsets: rows.reduce(into: [0]) { $0.append($0.last! + $1.count) }, values: rows.flatMap { $0 })
}

private let jobs = ValueDictionary(values: ["clerk", "nurse", "poet"])
private let learnerSkills = ValueDictionary(values: ["law", "python", "sql"])
private let courseSkills = ValueDictionary(values: ["excel", "python", "sql"])

private let learners = AttributeTable(
    rows: 4,
    columns: [
        "job": .categorical(codes: [0, 1, 1, 2], valid: [true, true, true, true]),
        "age": .numeric(values: [20, 30, 40, 0], valid: [true, true, true, false]),
        "skills": list([[1, 2], [0], [], [0, 1, 2]]),
    ])
private let courses = AttributeTable(
    rows: 3,
    columns: [
        "topic": .categorical(codes: [0, 1, 0], valid: [true, true, false]),
        "skills": list([[1], [0, 1, 2], [2]]),
    ])
private let learnerTable = TrainingTable(
    parts: [learners], rows: [[10, 10, 20, 1]], dictionaries: ["job": jobs, "skills": learnerSkills])
private let courseTable = TrainingTable(
    parts: [courses], rows: [[20, 15, 6]],
    dictionaries: ["topic": ValueDictionary(values: ["health", "tech"]), "skills": courseSkills])

private func space(_ lines: [String], minCount: Int = 2) throws -> FeatureSpace {
    try FeatureSpace(
        lines.map { try FeatureDeclaration($0) }, learners: learnerTable, courses: courseTable, minCount: minCount,
        halfLife: 30)
}

@Suite struct FeatureTests {
    @Test func declarationsAreReadAndWritten() throws {
        for line in [
            "learner.job", "learner.age buckets 8", "course.title text 1024", "cross learner.job course.topic",
            "match learner.skills course.skills", "course-now", "learner-now",
        ] {
            #expect(try FeatureDeclaration(line).line == line)
        }
        for line in [
            "", "job", "learner.age buckets", "learner.age buckets 1", "cross course.a learner.b", "now", "a.b",
        ] {
            #expect(throws: FeatureDeclaration.Problem.self, "\(line)") { try FeatureDeclaration(line) }
        }
    }

    @Test func rareValuesShareOneFeature() throws {
        // training rows by job: clerk 10, nurse 30, poet 1
        let features = try space(["learner.job"])
        #expect(features.names("learner") == ["learner.job=clerk", "learner.job=nurse", "learner.job=(other)"])
        let rows = BagBuilder.rows(features.learner, learners)
        #expect(rows.columns == [0, 1, 1, 2] && rows.values == [1, 1, 1, 1])
    }

    @Test func listsHaveUnitNorm() throws {
        let features = try space(["learner.skills"], minCount: 1)
        let rows = BagBuilder.rows(features.learner, learners)
        #expect(rows.offsets == [0, 2, 3, 3, 6])
        #expect(rows.columns == [1, 2, 0, 0, 1, 2])
        #expect(
            abs(rows.values[0] - 0.70710677) < 1e-7 && rows.values[2] == 1 && abs(rows.values[5] - 0.57735026) < 1e-7)
    }

    @Test func numbersAreStandardisedOnTrainingRows() throws {
        // ages 20 ×10, 30 ×10, 40 ×20: mean 32.5, variance (10·156.25 + 10·6.25 + 20·56.25)/40 = 68.75
        let rows = BagBuilder.rows(try space(["learner.age"]).learner, learners)
        #expect(rows.columns == [0, 0, 0, 1])  // the last learner has only the indicator
        #expect(abs(rows.values[0] - Float(-12.5 / 8.29156197588850)) < 1e-6)
        #expect(abs(rows.values[2] - Float(7.5 / 8.29156197588850)) < 1e-6)
        #expect(rows.values[3] == 1)
    }

    @Test func bucketsByQuantile() throws {
        // two buckets of 40 rows: the median row is at 30 | 40, so 40 opens the second
        let features = try space(["learner.age buckets 2"])
        #expect(features.learner[0].kind == .buckets(edges: [40]))
        #expect(BagBuilder.rows(features.learner, learners).columns == [0, 0, 1])
    }

    @Test func wordsOfATextAreHashed() throws {
        // FNV-1a-64 ("hello": a430d84680aabd0b), mixed as SplitMix64 does, modulo 1,024, by a Python program: learn 689,
        // sql 561, café 399; each word 1/√n, n words
        let texts = ["Learn SQL", "sql, sql; learn...", "", "CAFé-learn"].map { Array($0.utf8) }
        let offsets = texts.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        let table = AttributeTable(
            rows: 4, columns: ["title": .text(offsets: offsets, bytes: texts.flatMap { $0 })])
        let features = try FeatureSpace(
            [try FeatureDeclaration("course.title text 1024")], learners: learnerTable,
            courses: TrainingTable(parts: [table], rows: [[1, 1, 1, 1]], dictionaries: [:]), minCount: 1, halfLife: 30)
        #expect(features.count("course") == 1024 && features.names("course")[561] == "course.title#561")
        let rows = BagBuilder.rows(features.course, table)
        #expect(rows.offsets == [0, 2, 4, 4, 6])
        #expect(rows.columns == [561, 689, 561, 689, 399, 689])
        let expected: [Float] = [0.70710677, 0.70710677, 1.1547005, 0.57735026, 0.70710677, 0.70710677]
        #expect(zip(rows.values, expected).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func crossesAndMatches() throws {
        let features = try space(["cross learner.job course.topic", "match learner.skills course.skills"], minCount: 1)
        #expect(features.pairCount == 3 * 2 + 2)
        #expect(features.names("pair")[3] == "learner.job=nurse × course.topic=tech")
        // learner 0 knows python and sql, course 1 teaches excel, python and sql: 2 common, cosine 2/√(2·3)
        let rows = TrainingRows.one(learner: 0, course: 1)
        let bag = assembled(features, rows).bag("pair")!.table
        #expect(bag.columns == [1, 6, 7])  // clerk × tech, common, cosine
        #expect(bag.values[1] == 2 && abs(bag.values[2] - 0.81649658) < 1e-6)
    }

    @Test func automaticDeclarations() throws {
        let found = FeatureSpace.automatic(learners: learnerTable, courses: courseTable, minCount: 1)
        let lines = found.map(\.line)
        for line in [
            "learner.job", "learner.age", "learner.skills", "course.topic", "course.skills",
            "cross learner.job course.topic", "match learner.skills course.skills", "course-now", "learner-now",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains("match learner.job course.topic"))  // no common values
    }

    @Test func unknownColumnsAreRefused() {
        #expect(throws: GLMixError.self) { try space(["learner.shoe"]) }
        #expect(throws: GLMixError.self) { try space(["learner.job buckets 3"]) }
    }

    private func history() -> EngagementHistory {
        EngagementHistory(
            [
                Engagements(
                    learner: [0, 1], course: [0, 2], time: [86_400 * 3, 86_400 * 5], label: [1, 0], kind: [0, 0],
                    channel: [0, 0])
            ], courseCount: 3, halfLife: 30)
    }

    private let published: [Int64] = [.min, 86_400, 0]

    /// Course 0 has no date and no impression, course 2 has a date and an impression on day 5: what the rows' own courses
    /// and days show is there, whatever else the run knows.
    @Test(arguments: [
        (0, 9, ["engagements"]), (2, 5, ["age", "engagements"]), (2, 6, ["age", "engagements", "rate"]),
    ])
    func numbersAsOfTheDayComeFromTheRows(_ course: Int, _ day: Int64, _ expected: [String]) throws {
        let declarations = try [FeatureDeclaration("course-now")]
        var rows = TrainingRows()
        rows.add(learner: 0, course: course, time: 86_400 * day, earlier: 0)
        var features = try FeatureSpace(
            declarations, learners: learnerTable, courses: courseTable, minCount: 1, halfLife: 30)
        features.addNow(declarations, rows: [rows], history: history(), publishedAt: published)
        #expect(features.courseNow.map(\.quantity.rawValue) == expected)
    }

    private func assembled(_ features: FeatureSpace, _ rows: TrainingRows) -> Examples {
        ExampleAssembler(
            space: features, learners: [learners], courses: courses, publishedAt: published, history: history()
        ).examples([rows], weights: WatchWeights(kappa: 1, v95: 0), profileColumns: ["job"], workers: Workers(count: 1))
    }

    /// Random coefficients; all pairs as examples at time T, scored by the solver's model.
    /// - Parameter withNow: whether effects by learner and by course have coefficients on the numbers as of the day.
    private func scored(
        withNow: Bool, commonShare: Double = 0.25
    ) throws -> (scorer: ResponseScorer, predictor: ResponsePredictor, expected: [Double]) {
        let now: Int64 = 86_400 * 9
        let declarations = try [
            "learner.job", "learner.age", "learner.skills", "course.topic", "course.skills",
            "cross learner.job course.topic", "cross learner.skills course.skills",
            "match learner.skills course.skills",
            "course-now", "learner-now",
        ].map { try FeatureDeclaration($0) }
        var pairs = TrainingRows()
        let earlier: [Int32] = [1, 0, 3, 7]
        for l in 0..<4 { for c in 0..<3 { pairs.add(learner: l, course: c, time: now, earlier: earlier[l]) } }
        var features = try FeatureSpace(
            declarations, learners: learnerTable, courses: courseTable, minCount: 1, halfLife: 30)
        features.addNow(declarations, rows: [pairs], history: history(), publishedAt: published)
        features.marksDrawn = true
        let data = assembled(features, pairs)
        let coordinates = [
            Coordinate(name: "global", bags: FeatureSpace.bagNames, l2: 1),
            Coordinate(name: "per-learner", by: "learner", bags: ["course", "course-now"], l2: 1),
            Coordinate(name: "per-course", by: "course", bags: ["learner", "learner-now"], l2: 1),
            Coordinate(name: "per-job", by: "job", bags: ["course"], l2: 1),
        ]
        var random = RandomKey(seed: 8, purpose: "test").stream()
        let coefficients = coordinates.map { coordinate -> Coefficients in
            let p = coordinate.bags.reduce(1) { $0 + features.count($1) }
            let entities = coordinate.by.map { data.grouping($0)!.entityCount } ?? 1
            return Coefficients(
                offsets: (0...entities).map { $0 * p }, features: (0..<entities * p).map { UInt32($0 % p) },
                values: (0..<entities * p).map { at in
                    let value = random.normal()
                    let own = coordinate.bags.first.map(features.count) ?? 0
                    // Behind the first bag and before the intercept.
                    let isNow = coordinate.by != nil && at % p >= own && at % p < p - 1
                    return isNow && !withNow ? 0 : value
                })
        }
        let expected = GLMixModel(coordinates: coordinates, coefficients: coefficients)
            .margins(of: data, workers: Workers(count: 1))

        let states = (0..<3).map { history().state(course: $0, day: 9) }
        let model = ResponseModel(
            coefficients: ["global": coefficients[0], "per-course": coefficients[2], "per-job": coefficients[3]],
            courseEngagements: states.map(\.engagements), courseImpressions: states.map(\.impressions))
        let catalogue = Catalogue(
            ids: ["a", "b", "c"], titles: ["", "", ""], publishedAt: published, retiredAt: [.max, .max, .max],
            duration: [nil, nil, nil], attributes: courses, dictionaries: courseTable.dictionaries)
        let predictor = ResponsePredictor(
            ModelDefinition(coordinates: coordinates, space: features, time: now), model, catalogue: catalogue,
            learnerDictionaries: learnerTable.dictionaries, commonShare: commonShare)
        let scorer = predictor.scorer(
            learners: learners,
            effects: LearnerEffects(coefficients: ["per-learner": coefficients[1]], engagements: earlier))
        return (scorer, predictor, expected)
    }

    /// Whether all learner features are laid out as full rows or none is.
    @Test(arguments: [0.25, 2]) func scorerGivesTheMarginsOfAllPairs(_ commonShare: Double) throws {
        let (scorer, _, expected) = try scored(withNow: true, commonShare: commonShare)
        var scores = [Float](repeating: .nan, count: 12)
        scores.withUnsafeMutableBufferPointer { scorer.score(1..<4, into: $0.baseAddress! + 3) }
        scores.withUnsafeMutableBufferPointer { scorer.score(0..<1, into: $0.baseAddress!) }
        for i in 0..<12 { #expect(abs(Double(scores[i]) - expected[i]) < 1e-4, "pair \(i)") }
    }

    /// What the terms of pairs say of learners and courses together is what the solver's margins say: differences
    /// between learners of differences between courses agree, in which all that depends on one side alone goes out.
    @Test func termsSumToWhatIsParticularToThePair() throws {
        let (scorer, predictor, expected) = try scored(withNow: false)
        let explainer = ResponseExplainer(scorer, CourseMeans(predictor))
        var totals: [[Double]] = []
        for learner in 0..<4 {
            explainer.load(learner)
            totals.append((0..<3).map { Double(explainer.terms($0).total) })
            // Means over the catalogue are taken away.
            #expect(abs(totals[learner].reduce(0, +)) < 1e-4, "learner \(learner)")
        }
        for learner in 1..<4 {
            for course in 1..<3 {
                let found = totals[learner][course] - totals[learner][0] - totals[0][course] + totals[0][0]
                let solver =
                    expected[learner * 3 + course] - expected[learner * 3] - expected[course] + expected[0]
                #expect(abs(found - solver) < 1e-4, "learner \(learner), course \(course)")
            }
        }
        names(explainer)
    }

    private func names(_ explainer: ResponseExplainer) {
        explainer.load(0)
        for course in 0..<3 {
            let (terms, _) = explainer.terms(course)
            #expect(terms.allSatisfy { $0.amount > 0 })
            for term in terms { #expect(!explainer.text(term, course: course).contains("(other)")) }
        }
        let match = explainer.terms(1).terms.first { if case .match = $0.kind { true } else { false } }
        if let match { #expect(explainer.text(match, course: 1).contains("python")) }
        // Loading another learner and the first again gives the first's terms: no scratch is left behind.
        let before = explainer.terms(2).terms
        explainer.load(3)
        explainer.load(0)
        #expect(explainer.terms(2).terms == before)
    }
}

extension TrainingRows {
    mutating func add(learner: Int, course: Int, time: Int64, earlier: Int32) {
        self.learner.append(UInt32(learner))
        self.course.append(UInt32(course))
        self.time.append(time)
        label.append(0)
        watched.append(0)
        mass.append(1)
        offset.append(0)
        drawn.append(false)
        self.earlier.append(earlier)
    }

    static func one(learner: Int, course: Int) -> TrainingRows {
        var rows = TrainingRows()
        rows.add(learner: learner, course: course, time: 0, earlier: 0)
        return rows
    }
}
