// Proves that the solvers find the minimum of the stated objective. Expected values: closed forms worked out by hand
// in each test, and the dense twin of Support.swift.
import GLMix
import LinearAlgebra
import Testing

@Suite struct SolverTests {
    let workers = Workers(count: 2)

    func exact() -> CoordinateDescent {
        var descent = CoordinateDescent()
        descent.tolerance = 1e-11
        return descent
    }

    @Test func fixedInterceptAloneIsTheLogOddsOfTheWeights() throws {
        // weights of ones 3, of zeros 1: σ(b) = 3/4, b = log 3
        let data = examples([1, 1, 0, 0], weights: [1, 2, 0.5, 0.5])
        let coordinate = Coordinate(name: "global", bags: [], l2: 1)
        let model = try exact().fit(data, [coordinate], workers: workers).model
        #expect(abs(model.coefficients[0].values[0] - 1.0986122886681098) < 1e-9)
    }

    @Test func oneFeatureClosedForm() throws {
        // x = ±1 with mirrored labels, so the intercept is 0. At θ = log 3: σ = 3/4. Of 8 rows with x = 1, 7 are ones:
        // the gradient 2·(8·¾ − 7) + λθ is 0 for λ = 2/log 3.
        let x = [[Float]](repeating: [1], count: 8) + [[Float]](repeating: [-1], count: 8)
        let labels: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 0] + [0, 0, 0, 0, 0, 0, 0, 1]
        let data = examples(labels, bags: [FeatureBag(name: "x", table: sparse(x))])
        let coordinate = Coordinate(name: "global", bags: ["x"], l2: 2 / 1.0986122886681098)
        let model = try exact().fit(data, [coordinate], workers: workers).model
        // F − F* ≤ 10⁻¹¹·F leaves |θ − θ*| ≤ √(2·10⁻¹¹·F/λ) < 10⁻⁵
        #expect(abs(model.coefficients[0].values[0] - 1.0986122886681098) < 1e-5)
        #expect(abs(model.coefficients[0].values[1]) < 1e-5)
    }

    @Test func twoEntitiesByHand() throws {
        // Penalised intercepts alone. Entity 0: 7 of 8 ones, 8·σ(θ) − 7 + λθ = 0 at θ = log 3 for λ = 1/log 3;
        // entity 1 mirrored. Entity 2 has one row, a one, whose label alone would drive θ to infinity.
        let labels: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
        let entities = [Int32](repeating: 0, count: 8) + [Int32](repeating: 1, count: 8) + [2]
        let data = examples(labels, groupings: [Grouping(name: "learner", entityCount: 4, entities: entities)])
        let coordinate = Coordinate(name: "l", by: "learner", bags: [], l2: 1 / 1.0986122886681098)
        let coefficients = try exact().fit(data, [coordinate], workers: workers).model.coefficients[0]
        #expect(abs(coefficients.values[0] - 1.0986122886681098) < 1e-8)
        #expect(abs(coefficients.values[1] + 1.0986122886681098) < 1e-8)
        // σ(θ) − 1 + λθ = 0 has θ between 0.4 and 0.5
        #expect(coefficients.values[2] > 0.4 && coefficients.values[2] < 0.5)
        #expect(coefficients.range(3).isEmpty)  // without rows there is no model
    }

    @Test func meetsDenseNewton() throws {
        let data = planted()
        let twin = DenseTwin(data, threeCoordinates)
        let best = twin.minimum()
        let (model, trace) = try exact().fit(data, threeCoordinates, workers: workers)
        let value = twin.objective(flattened(model, data))
        #expect(abs(value - best.value) <= 1e-8 * best.value)
        #expect(abs(trace.passes.last! - best.value) <= 1e-8 * best.value)
        #expect(zip(flattened(model, data), best.theta).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(trace.gap! <= 1e-11 * best.value)
    }

    @Test func certificateBoundsTheGap() throws {
        let data = planted()
        let best = DenseTwin(data, threeCoordinates).minimum().value
        var descent = CoordinateDescent()
        descent.tolerance = 1e-3  // loose, so that a gap is left
        let (_, trace) = try descent.fit(data, threeCoordinates, workers: workers)
        #expect(trace.passes.last! - best <= trace.gap! + 1e-9)
        #expect(trace.gap! <= 1e-3 * trace.passes.last!)
    }

    @Test func blockDescentAloneGetsThereAndNeverRises() throws {
        let data = planted()
        let best = DenseTwin(data, threeCoordinates).minimum().value
        var descent = CoordinateDescent()
        (descent.jointFinish, descent.mostPasses, descent.tolerance) = (false, 200, 1e-12)
        let (_, trace) = try descent.fit(data, threeCoordinates, workers: workers)
        for (before, after) in zip(trace.objectives, trace.objectives.dropFirst()) {
            #expect(after <= before * (1 + 1e-12))
        }
        #expect(abs(trace.passes.last! - best) <= 1e-7 * best)
    }

    @Test func duplicatedRowsAreDoubledWeights() throws {
        let data = planted(rows: 120)
        var doubled = data
        doubled.weights = data.weights.map { 2 * $0 }
        let twice = (0..<240).map { $0 / 2 }
        let pair = data.bags[2].table
        let copies = sparse(
            twice.map { i in
                var row = [Float](repeating: 0, count: 3)
                for at in pair.range(i) { row[Int(pair.columns[at])] = pair.values[at] }
                return row
            })
        let written = Examples(
            labels: twice.map { data.labels[$0] }, weights: twice.map { data.weights[$0] },
            offsets: twice.map { data.offsets[$0] },
            groupings: data.groupings.map { group in
                Grouping(name: group.name, entityCount: group.entityCount, entities: twice.map { group.entities[$0] })
            },
            bags: [
                FeatureBag(name: "learner", table: data.bags[0].table, rowOf: twice.map { data.bags[0].rowOf![$0] }),
                FeatureBag(name: "course", table: data.bags[1].table, rowOf: twice.map { data.bags[1].rowOf![$0] }),
                FeatureBag(name: "pair", table: copies),
            ])
        let a = try exact().fit(doubled, threeCoordinates, workers: workers).model
        let b = try exact().fit(written, threeCoordinates, workers: workers).model
        #expect(zip(flattened(a, doubled), flattened(b, written)).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test func trustRegionMeetsCholesky() throws {
        // 2,100 features force the trust-region solver; all but the first three columns are empty, so the optimum is
        // that of the three
        let data = planted()
        let narrow = data.bag("pair")!.table
        let wide = SparseRows(
            columnCount: 2100, offsets: narrow.offsets, columns: narrow.columns, values: narrow.values)
        let both = examples(
            data.labels, weights: data.weights,
            bags: [FeatureBag(name: "narrow", table: narrow), FeatureBag(name: "wide", table: wide)])
        var descent = CoordinateDescent()
        descent.jointFinish = false
        let a = try descent.fit(both, [Coordinate(name: "g", bags: ["narrow"], l2: 1)], workers: workers)
        let b = try descent.fit(both, [Coordinate(name: "g", bags: ["wide"], l2: 1)], workers: workers)
        #expect(abs(a.trace.passes.last! - b.trace.passes.last!) <= 1e-8 * a.trace.passes.last!)
        for j in 0..<3 {
            #expect(abs(a.model.coefficients[0].values[j] - b.model.coefficients[0].values[j]) < 1e-3)
        }
    }

    @Test func sameBitsForAnyNumberOfThreads() throws {
        let data = planted(rows: 9000)
        let one = try CoordinateDescent().fit(data, threeCoordinates, workers: Workers(count: 1))
        for threads in 2...3 {
            let other = try CoordinateDescent().fit(data, threeCoordinates, workers: Workers(count: threads))
            #expect(other.model == one.model)
            #expect(other.trace == one.trace)
        }
    }

    /// Rows of the joint finish are copied into the entities' order as far as there is room, all, some or none of them.
    @Test func rowsGatheredOrWhereTheyAreGiveTheSameBits() throws {
        let data = planted(rows: 900)
        var both = threeCoordinates
        both[1].bags = ["course", "pair"]  // rows that are shared, and rows of their own
        var descent = CoordinateDescent()
        let gathered = try descent.fit(data, both, workers: Workers(count: 2))
        for room in [0, 40_000] {
            descent.mostRowBytes = room
            let inPlace = try descent.fit(data, both, workers: Workers(count: 2))
            #expect(inPlace.model == gathered.model, "\(room) bytes")
            #expect(inPlace.trace == gathered.trace, "\(room) bytes")
        }
    }

    @Test func sameBitsForAnyNumberOfThreadsWithEverything() throws {
        // elastic net, variances, a prior, rows left out, a segment, penalties searched
        let data = segmented(rows: 9000)
        var net = threeCoordinates
        net[0].l1 = 3
        var limited = threeCoordinates
        (limited[1].minRows, limited[1].maxRows) = (3, 200)
        let segments = threeCoordinates + [Coordinate(name: "s", by: "segment", bags: ["course"], l2: 1)]
        var descent = CoordinateDescent()
        descent.variances = .full
        let earlier = try descent.fit(data, threeCoordinates, workers: Workers(count: 1)).model
        let prior = FitPrior(means: earlier.coefficients, variances: earlier.variances)
        let jobs: [(String, (Workers) throws -> (GLMixModel, FitTrace))] = [
            ("elastic net", { try descent.fit(data, net, workers: $0) }),
            ("prior", { try descent.fit(data, threeCoordinates, prior: prior, workers: $0) }),
            ("max_rows", { try descent.fit(data, limited, workers: $0) }),
            ("segment", { try descent.fit(data, segments, workers: $0) }),
            ("start", { try descent.fit(data, threeCoordinates, start: earlier, workers: $0) }),
        ]
        for (name, job) in jobs {
            let one = try job(Workers(count: 1))
            for threads in 2...3 { #expect(try job(Workers(count: threads)) == one, "\(name), \(threads) threads") }
        }
        func search(_ threads: Int) throws -> [PenaltySearch.Trial] {
            let workers = Workers(count: threads)
            return try PenaltySearch(trials: 2).run(descent, data, threeCoordinates, workers: workers) {
                $0.margins(of: data, workers: workers).reduce(0, +)
            }.trials
        }
        let one = try search(1)
        for threads in 2...3 { #expect(try search(threads) == one, "tune, \(threads) threads") }
    }

    /// `planted` with two segments, whose rows many examples share.
    private func segmented(rows: Int) -> Examples {
        var data = planted(rows: rows)
        let learners = data.groupings[0].entities
        data.groupings.append(
            Grouping(name: "segment", entityCount: 3, entities: learners.map { $0 == 7 ? -1 : $0 % 2 }))
        return data
    }

    @Test func fewEntitiesWithSharedRowsMeetDenseNewton() throws {
        // 12 courses × 3 segments are far fewer than the rows, so products go by shared rows; segment 2 has no row,
        // learner 7 no segment
        let data = segmented(rows: 900)
        let coordinates = [
            threeCoordinates[0], Coordinate(name: "s", by: "segment", bags: ["course"], l2: 1.5),
        ]
        let twin = DenseTwin(data, coordinates)
        let best = twin.minimum().value
        let (model, trace) = try exact().fit(data, coordinates, workers: workers)
        #expect(abs(twin.objective(flattened(model, data)) - best) <= 1e-8 * best)
        #expect(abs(trace.passes.last! - best) <= 1e-8 * best && trace.gap! <= 1e-11 * best)
    }

    @Test func aStartFromFewerRowsEndsAtTheSameOptimum() throws {
        let data = planted(rows: 900)
        let fewer = Examples(
            labels: Array(data.labels[..<700]), weights: Array(data.weights[..<700]),
            offsets: Array(data.offsets[..<700]),
            groupings: data.groupings.map {
                Grouping(name: $0.name, entityCount: $0.entityCount, entities: Array($0.entities[..<700]))
            },
            bags: data.bags.map { bag in
                let rows = bag.rowOf.map { Array($0[..<700]) }
                let end = bag.table.offsets[700 < bag.table.rowCount ? 700 : bag.table.rowCount]
                let table = SparseRows(
                    columnCount: bag.table.columnCount, offsets: Array(bag.table.offsets.prefix(701)),
                    columns: Array(bag.table.columns[..<end]), values: Array(bag.table.values[..<end]))
                return FeatureBag(name: bag.name, table: table, rowOf: rows)
            })
        let start = try exact().fit(fewer, threeCoordinates, workers: workers).model
        let cold = try exact().fit(data, threeCoordinates, workers: workers)
        let warm = try exact().fit(data, threeCoordinates, start: start, workers: workers)
        #expect(warm.trace.passes.count == 1 && warm.trace.objectives.count == 2)
        #expect(abs(warm.trace.passes.last! - cold.trace.passes.last!) <= 1e-9 * cold.trace.passes.last!)
        // hardly a step away from where it began: a start that was lost would need more
        let again = try exact().fit(data, threeCoordinates, start: cold.model, workers: workers)
        #expect(again.trace.jointSteps <= 2)
    }

    @Test func aMillionFeatures() throws {
        // 1,000 of a million features occur, each in 16 rows of its own as in `oneFeatureClosedForm`: all are log 3
        let used = (0..<1000).map { UInt32($0 * 1000 + 7) }
        let rows = used.flatMap { j in (0..<16).map { (j, $0 < 8 ? Float(1) : -1) } }
        let table = SparseRows(
            columnCount: 1_000_000, offsets: Array(0...rows.count), columns: rows.map(\.0), values: rows.map(\.1))
        let labels = used.flatMap { _ in [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1] as [UInt8] }
        let data = examples(labels, bags: [FeatureBag(name: "x", table: table)])
        let coordinate = Coordinate(name: "g", bags: ["x"], l2: 2 / 1.0986122886681098)
        let (model, trace) = try exact().fit(data, [coordinate], workers: workers)
        #expect(trace.gap! <= 1e-11 * trace.passes.last!)
        let values = model.coefficients[0].values
        #expect(values.count == 1_000_001)
        for j in used { #expect(abs(values[Int(j)] - 1.0986122886681098) < 1e-3) }
        #expect(values.reduce(0) { $0 + ($1 == 0 ? 1 : 0) } >= 999_000)  // what never occurs stays 0
    }

    @Test func fewAndManyRows() throws {
        let data = planted()
        var coordinates = threeCoordinates
        coordinates[1].minRows = 12
        let counts = data.groupings[0].entities.reduce(into: [Int](repeating: 0, count: 30)) { $0[Int($1)] += 1 }
        let strict = try exact().fit(data, coordinates, workers: workers)
        for e in 0..<30 { #expect(strict.model.coefficients[1].range(e).isEmpty == (counts[e] < 12)) }
        #expect(counts.contains { $0 < 12 } && counts.contains { $0 >= 12 })

        coordinates[1] = threeCoordinates[1]
        coordinates[1].maxRows = 20
        let limited = try exact().fit(data, coordinates, workers: workers)
        #expect(limited.trace.limited == ["per-learner"])
        #expect(limited.trace.gap == nil)  // no joint objective, no certificate
        coordinates[1].maxRows = 10_000
        #expect(try exact().fit(data, coordinates, workers: workers).trace.limited.isEmpty)
    }

    @Test func keptRowsStandForAll() throws {
        // Intercepts alone. Entity 0 has 12 ones, of which 4 are kept with three times the weight, entity 1 the same of
        // zeros: whichever are kept, the optimum is that of all rows, 12·(1 − σ(θ)) = λθ: θ = log 3 for λ = 3/log 3.
        // The other rows are scored.
        let labels = [UInt8](repeating: 1, count: 12) + [UInt8](repeating: 0, count: 12)
        let entities = [Int32](repeating: 0, count: 12) + [Int32](repeating: 1, count: 12)
        let data = examples(labels, groupings: [Grouping(name: "l", entityCount: 2, entities: entities)])
        let coordinate = Coordinate(name: "l", by: "l", bags: [], l2: 3 / 1.0986122886681098, maxRows: 4)
        let (model, trace) = try exact().fit(data, [coordinate], workers: workers)
        #expect(trace.limited == ["l"])
        #expect(abs(model.coefficients[0].values[0] - 1.0986122886681098) < 1e-8)
        #expect(abs(model.coefficients[0].values[1] + 1.0986122886681098) < 1e-8)
        for (i, z) in model.margins(of: data, workers: workers).enumerated() {
            #expect(abs(z - (i < 12 ? 1.0986122886681098 : -1.0986122886681098)) < 1e-8)
        }
    }

    @Test func scoresOfExamplesAreTheSolversOwn() throws {
        let data = planted()
        let (model, trace) = try exact().fit(data, threeCoordinates, workers: workers)
        let z = model.margins(of: data, workers: workers)
        let twin = DenseTwin(data, threeCoordinates)
        let theta = flattened(model, data)
        for i in 0..<data.count { #expect(abs(z[i] - twin.margin(i, theta)) < 1e-9) }
        #expect(abs(twin.objective(theta) - trace.passes.last!) <= 1e-10 * trace.passes.last!)
    }

    @Test func refusesWhatHasNoOptimum() throws {
        let data = planted()
        var coordinates = threeCoordinates
        coordinates[1].l2 = 0
        #expect(throws: GLMixError.self) { try CoordinateDescent().fit(data, coordinates, workers: workers) }
        coordinates[1].l2 = .nan
        #expect(throws: GLMixError.self) { try CoordinateDescent().fit(data, coordinates, workers: workers) }
        let ones = examples([1, 1, 1])
        #expect(throws: GLMixError.allLabelsAlike(label: 1, rows: 3)) {
            try CoordinateDescent().fit(ones, [Coordinate(name: "g", bags: [], l2: 1)], workers: workers)
        }
    }

    @Test func refusesBadRowsByNumberAndReason() throws {
        func error(_ data: Examples) -> String {
            do {
                try data.validate()
                return ""
            } catch { return "\(error)" }
        }
        #expect(error(planted()) == "")
        #expect(error(examples([1, 2])).contains("row 1: label 2"))
        #expect(error(examples([1, 0], weights: [1, 0])).contains("row 1: weight 0.0"))
        #expect(error(examples([1, 0], weights: [.nan, 1])).contains("row 0: weight nan"))
        #expect(error(examples([1, 0], offsets: [0, .infinity])).contains("row 1: offset inf"))
        let bad = SparseRows(columnCount: 2, offsets: [0, 1, 2], columns: [1, 2], values: [1, 1])
        #expect(error(examples([1, 0], bags: [FeatureBag(name: "x", table: bad)])).contains("row 1: feature 2 of x"))
    }
}
