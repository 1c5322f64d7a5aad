// Proves elastic net, priors, variances and the search for penalties. Expected values: closed forms worked out by hand,
// proximal gradient descent and Gaussian elimination on the dense twin of Support.swift, Sobol points of SciPy.
import Foundation
import GLMix
import LinearAlgebra
import Platform
import Testing

private let log3 = 1.0986122886681098

/// x = ±1, 8 rows each; 7 of the rows with x = 1 are ones, mirrored for −1. The slope of the loss at θ is
/// 2·(8·σ(θ) − 7): −2 at log 3, −6 at 0; the intercept is 0.
private func mirrored() -> Examples {
    let x = [[Float]](repeating: [1], count: 8) + [[Float]](repeating: [-1], count: 8)
    let labels: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 0] + [0, 0, 0, 0, 0, 0, 0, 1]
    return examples(labels, bags: [FeatureBag(name: "x", table: sparse(x))])
}

private func exact() -> CoordinateDescent {
    var descent = CoordinateDescent()
    descent.tolerance = 1e-11
    return descent
}

@Suite struct PenaltyTests {
    let workers = Workers(count: 2)

    @Test func elasticNetClosedForm() throws {
        // −2 + λθ + γ = 0 at θ = log 3 for γ = 1, λ = 1/log 3
        let coordinate = Coordinate(name: "g", bags: ["x"], l2: 1 / log3, l1: 1)
        let (model, trace) = try exact().fit(mirrored(), [coordinate], workers: workers)
        #expect(abs(model.coefficients[0].values[0] - log3) < 1e-5)
        #expect(trace.gap! <= 1e-11 * trace.passes.last!)
        // γ above the slope 6 at 0 leaves the coefficient exactly 0
        let strong = Coordinate(name: "g", bags: ["x"], l2: 1, l1: 6.5)
        #expect(try exact().fit(mirrored(), [strong], workers: workers).model.coefficients[0].values[0] == 0)
        #expect(throws: GLMixError.self) {
            try exact().fit(
                planted(), [Coordinate(name: "l", by: "learner", bags: ["course"], l2: 1, l1: 1)], workers: workers)
        }
    }

    /// Proximal gradient descent on the twin; gamma: per coefficient.
    private func proximalMinimum(_ twin: DenseTwin, gamma: [Double]) -> Double {
        // ¼·Σ w·‖x‖² + max λ bounds the curvature
        let bound = zip(twin.w, twin.x).reduce(twin.lambda.max()!) { total, row in
            total + 0.25 * row.0 * row.1.reduce(0) { $0 + $1 * $1 }
        }
        var theta = [Double](repeating: 0, count: gamma.count)
        for _ in 0..<8000 {
            var g = zip(twin.lambda, theta).map { $0 * $1 }
            for i in twin.y.indices {
                let r = twin.w[i] * (1 / (1 + exp(-twin.margin(i, theta))) - twin.y[i])
                for j in g.indices where twin.x[i][j] != 0 { g[j] += r * twin.x[i][j] }
            }
            for j in theta.indices {
                let moved = theta[j] - g[j] / bound
                let shrunk = abs(moved) - gamma[j] / bound
                theta[j] = shrunk > 0 ? (moved > 0 ? shrunk : -shrunk) : 0
            }
        }
        return zip(gamma, theta).reduce(twin.objective(theta)) { $0 + $1.0 * abs($1.1) }
    }

    @Test func elasticNetMeetsProximalGradientJointly() throws {
        let data = planted(rows: 250)
        var coordinates = [threeCoordinates[0], threeCoordinates[2]]
        coordinates[0].l1 = 6
        let twin = DenseTwin(data, coordinates)
        let p = data.bags.reduce(1) { $0 + $1.featureCount }
        let best = proximalMinimum(
            twin, gamma: twin.lambda.indices.map { $0 < p - 1 ? 6 : 0 })
        let (model, trace) = try exact().fit(data, coordinates, workers: workers)
        #expect(abs(trace.passes.last! - best) <= 1e-7 * best)
        let zeros = model.coefficients[0].values.dropLast().filter { $0 == 0 }.count
        #expect(zeros > 0 && zeros < p - 1)  // the net selects
        #expect(trace.gap! <= 1e-11 * trace.passes.last!)
    }

    @Test func priorClosedForm() throws {
        // −2 + (θ − μ)/σ² = 0 at θ = log 3 for σ² = ¼, μ = log 3 − ½
        let coordinate = Coordinate(name: "g", bags: ["x"], l2: 7)
        let mean = Coefficients(offsets: [0, 1], features: [0], values: [log3 - 0.5])
        let prior = FitPrior(means: [mean], variances: [[0.25]])
        let model = try exact().fit(mirrored(), [coordinate], prior: prior, workers: workers).model
        #expect(abs(model.coefficients[0].values[0] - log3) < 1e-5)
        #expect(abs(model.coefficients[0].values[1]) < 1e-5)
    }

    /// Rows of one label alone have no optimum for the free intercept: the prior's means stay. Without rows its variances do.
    @Test func priorStaysWhereNothingCanBeLearnt() throws {
        let mean = Coefficients(offsets: [0, 2], features: [0, 1], values: [0.7, -1.2])
        let prior = FitPrior(means: [mean], variances: [[0.25, 0.5]])
        let coordinate = Coordinate(name: "g", bags: ["x"], l2: 7)
        var descent = exact()
        descent.variances = .diagonal
        var ones = mirrored()
        ones.labels = ones.labels.map { _ in 1 }
        #expect(throws: GLMixError.self) { try descent.fit(ones, [coordinate], workers: workers) }
        #expect(try descent.fit(ones, [coordinate], prior: prior, workers: workers).model.coefficients == [mean])
        let none = Examples(
            labels: [], weights: [], offsets: [], groupings: [],
            bags: [FeatureBag(name: "x", table: SparseRows(columnCount: 1, offsets: [0], columns: [], values: []))])
        let model = try descent.fit(none, [coordinate], prior: prior, workers: workers).model
        #expect(model.coefficients == [mean])
        #expect(abs(model.variances[0][0] - 0.25) < 1e-12)
    }

    @Test func priorByEntity() throws {
        // intercepts alone. Entity 0, 7 of 8 ones: 8σ(θ) − 7 + (θ − μ)/σ² = 0 at log 3 for σ² = ½, μ = log 3 − ½. Entity 1
        // has the same rows and no prior: λ = 1/log 3. Entity 2 has a prior and no rows, and keeps it.
        let labels: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0]
        let entities = [Int32](repeating: 0, count: 8) + [Int32](repeating: 1, count: 8)
        let data = examples(labels, groupings: [Grouping(name: "learner", entityCount: 3, entities: entities)])
        let coordinate = Coordinate(name: "l", by: "learner", bags: [], l2: 1 / log3)
        let means = Coefficients(offsets: [0, 1, 1, 2], features: [0, 0], values: [log3 - 0.5, -4])
        var descent = exact()
        descent.variances = .full
        let model = try descent.fit(
            data, [coordinate], prior: FitPrior(means: [means], variances: [[0.5, 0.125]]), workers: workers
        ).model
        #expect(model.coefficients[0].offsets == [0, 1, 2, 3])
        #expect(abs(model.coefficients[0].values[0] - log3) < 1e-6)
        #expect(abs(model.coefficients[0].values[1] - log3) < 1e-6)
        #expect(model.coefficients[0].values[2] == -4)
        // 1/(8·¾·¼ + 1/σ²), 1/(8·¾·¼ + λ), and the prior's own
        #expect(abs(model.variances[0][0] - 1 / 3.5) < 1e-6)
        #expect(abs(model.variances[0][1] - 1 / (1.5 + 1 / log3)) < 1e-6)
        #expect(model.variances[0][2] == 0.125)
    }

    @Test func variancesMeetDenseBlocks() throws {
        let data = planted()
        let twin = DenseTwin(data, threeCoordinates)
        let counts = [1, 30, 12]
        for kind in [VarianceKind.diagonal, .full] {
            var descent = exact()
            descent.variances = kind
            let (model, _) = try descent.fit(data, threeCoordinates, workers: workers)
            let theta = flattened(model, data)
            var base = 0
            for k in 0..<3 {
                let p = threeCoordinates[k].bags.reduce(1) { $0 + data.bag($1)!.featureCount }
                for e in 0..<counts[k] {
                    let h = hessian(twin, theta, base + p * e..<base + p * (e + 1))
                    for at in model.coefficients[k].range(e) {
                        let j = Int(model.coefficients[k].features[at])
                        let unit = (0..<p).map { $0 == j ? 1.0 : 0 }
                        let expected = kind == .full ? twin.solve(h, unit)[j] : 1 / h[j][j]
                        #expect(abs(model.variances[k][at] - expected) <= 1e-6 * expected, "\(kind) \(k) \(e) \(j)")
                    }
                }
                base += p * counts[k]
            }
        }
    }

    /// Second derivatives of the twin's objective by some of its coefficients.
    private func hessian(_ twin: DenseTwin, _ theta: [Double], _ block: Range<Int>) -> [[Double]] {
        var h = block.map { j in block.map { $0 == j ? twin.lambda[j] : 0 } }
        for i in twin.y.indices {
            let p = 1 / (1 + exp(-twin.margin(i, theta)))
            for (a, j) in block.enumerated() where twin.x[i][j] != 0 {
                for (b, k) in block.enumerated() { h[a][b] += twin.w[i] * p * (1 - p) * twin.x[i][j] * twin.x[i][k] }
            }
        }
        return h
    }

    @Test func strongestAreTheLargest() throws {
        let data = planted()
        var descent = CoordinateDescent()
        descent.variances = .diagonal
        let (model, _) = try descent.fit(data, threeCoordinates, workers: workers)
        let found = model.strongest(5)
        #expect(found.map(\.coordinate) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
        for k in 0..<3 {
            let sizes = model.coefficients[k].values.map(abs).sorted(by: >)
            let own = found.filter { $0.coordinate == k }
            #expect(own.map { abs($0.value) } == Array(sizes.prefix(5)))
            for strong in own {
                let at = model.coefficients[k].range(strong.entity).first {
                    Int(model.coefficients[k].features[$0]) == strong.feature
                }!
                #expect(model.coefficients[k].values[at] == strong.value)
                #expect(abs(strong.deviation * strong.deviation - model.variances[k][at]) < 1e-12)
            }
        }
    }

    @Test func sobolPoints() {
        // scipy.stats.qmc.Sobol(10, scramble=False), points 1, 2, 4 and 5
        var sobol = SobolSequence(dimensions: 10)
        let points = (0..<5).map { _ in sobol.next() }
        #expect(points[0] == [Double](repeating: 0.5, count: 10))
        #expect(points[1] == [0.75, 0.25, 0.25, 0.25, 0.75, 0.75, 0.25, 0.75, 0.75, 0.75])
        #expect(points[3] == [0.375, 0.375, 0.625, 0.875, 0.375, 0.125, 0.375, 0.875, 0.875, 0.625])
        #expect(points[4] == [0.875, 0.875, 0.125, 0.375, 0.875, 0.625, 0.875, 0.375, 0.375, 0.125])
    }

    @Test func searchFindsBetterPenalties() throws {
        // labels with planted effects; penalties far too weak at the start; judged on other rows of the same truth
        let all = planted(rows: 1200)
        let (train, rest) = (part(all, 0..<600), part(all, 600..<1200))
        var weak = threeCoordinates
        for k in weak.indices { weak[k].l2 = 0.05 }
        let (trials, best) = try PenaltySearch(trials: 8).run(CoordinateDescent(), train, weak, workers: workers) {
            let z = $0.margins(of: rest, workers: workers)
            return zip(z, rest.labels).reduce(0.0) { $0 + log1p(exp($1.1 == 1 ? -$1.0 : $1.0)) } / Double(rest.count)
        }
        #expect(trials.count == 9 && trials[0].penalties == [0.05, 0.05, 0.05])
        #expect(trials[best].loss == trials.map(\.loss).min() && trials[best].loss < trials[0].loss - 0.01)
        for trial in trials.dropFirst() {
            #expect(trial.penalties.allSatisfy { $0 > 0.05 / 32.01 && $0 < 0.05 * 32.01 })
        }
        // a warm start ends at the optimum of its own penalties
        var own = weak
        for k in own.indices { own[k].l2 = trials[best].penalties[k] }
        let cold = try CoordinateDescent().fit(train, own, workers: workers).model.margins(of: rest, workers: workers)
        let loss =
            zip(cold, rest.labels).reduce(0.0) { $0 + log1p(exp($1.1 == 1 ? -$1.0 : $1.0)) } / Double(rest.count)
        #expect(abs(loss - trials[best].loss) < 2e-3)
    }

    private func part(_ data: Examples, _ rows: Range<Int>) -> Examples {
        let own = data.bags[2].table
        let (first, last) = (own.offsets[rows.lowerBound], own.offsets[rows.upperBound])
        let pair = SparseRows(
            columnCount: own.columnCount, offsets: own.offsets[rows.lowerBound...rows.upperBound].map { $0 - first },
            columns: Array(own.columns[first..<last]), values: Array(own.values[first..<last]))
        return Examples(
            labels: Array(data.labels[rows]), weights: Array(data.weights[rows]), offsets: Array(data.offsets[rows]),
            groupings: data.groupings.map {
                Grouping(name: $0.name, entityCount: $0.entityCount, entities: Array($0.entities[rows]))
            },
            bags: data.bags.dropLast().map {
                FeatureBag(name: $0.name, table: $0.table, rowOf: Array($0.rowOf![rows]))
            } + [FeatureBag(name: "pair", table: pair)])
    }
}
