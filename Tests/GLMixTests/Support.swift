// Small data sets for the tests of this folder, and a plain twin of the whole solver: one dense matrix of all
// coefficients, gradient and Hessian by their definitions, Gaussian elimination. It shares no code with the module.
import Foundation
import GLMix
import LinearAlgebra

func sparse(_ rows: [[Float]]) -> SparseRows {
    var offsets = [0]
    var (columns, values): ([UInt32], [Float]) = ([], [])
    for row in rows {
        for (j, x) in row.enumerated() where x != 0 {
            columns.append(UInt32(j))
            values.append(x)
        }
        offsets.append(columns.count)
    }
    return SparseRows(columnCount: rows.first?.count ?? 0, offsets: offsets, columns: columns, values: values)
}

func examples(
    _ labels: [UInt8], weights: [Float]? = nil, offsets: [Float]? = nil, groupings: [Grouping] = [],
    bags: [FeatureBag] = []
) -> Examples {
    Examples(
        labels: labels, weights: weights ?? labels.map { _ in 1 }, offsets: offsets ?? labels.map { _ in 0 },
        groupings: groupings, bags: bags)
}

/// Learners × courses with planted effects: 30 learners, 12 courses, 5 course and 4 learner features, weights and
/// offsets, some learners with fewer rows than features and some with more.
func planted(rows: Int = 400, seed: UInt64 = 3) -> Examples {
    var random = RandomKey(seed: seed, purpose: "test").stream()
    let (learners, courses) = (30, 12)
    func table(_ rows: Int, _ columns: Int) -> SparseRows {
        sparse(
            (0..<rows).map { _ in
                (0..<columns).map { _ in random.uniform() < 0.4 ? 0 : Float(random.normal()) }
            })
    }
    let (q, s, pair) = (table(learners, 4), table(courses, 5), table(rows, 3))
    let effects = (0..<learners).map { _ in (0..<6).map { _ in random.normal() } }
    var (l, c): ([UInt32], [UInt32]) = ([], [])
    for i in 0..<rows {
        l.append(UInt32(i < rows / 2 ? i % 3 : random.below(learners)))
        c.append(UInt32(random.below(courses)))
    }
    let labels: [UInt8] = (0..<rows).map { i in
        var z = -0.3 + effects[Int(l[i])][5]
        for at in s.range(Int(c[i])) { z += Double(s.values[at]) * effects[Int(l[i])][Int(s.columns[at])] }
        return random.uniform() < 1 / (1 + exp(-z)) ? 1 : 0
    }
    return Examples(
        labels: labels, weights: (0..<rows).map { _ in Float(0.5 + random.uniform()) },
        offsets: (0..<rows).map { _ in Float(0.3 * random.normal()) },
        groupings: [
            Grouping(name: "learner", entityCount: learners, entities: l.map { Int32($0) }),
            Grouping(name: "course", entityCount: courses, entities: c.map { Int32($0) }),
        ],
        bags: [
            FeatureBag(name: "learner", table: q, rowOf: l), FeatureBag(name: "course", table: s, rowOf: c),
            FeatureBag(name: "pair", table: pair),
        ])
}

let threeCoordinates = [
    Coordinate(name: "global", bags: ["learner", "course", "pair"], l2: 1.5),
    Coordinate(name: "per-learner", by: "learner", bags: ["course"], l2: 2),
    Coordinate(name: "per-course", by: "course", bags: ["learner"], l2: 3),
]

/// Everything as one dense logistic regression with a penalty per coefficient.
struct DenseTwin {
    var x: [[Double]]
    var y: [Double]
    var w: [Double]
    var o: [Double]
    var lambda: [Double]

    init(_ data: Examples, _ coordinates: [Coordinate]) {
        y = data.labels.map(Double.init)
        w = data.weights.map(Double.init)
        o = data.offsets.map(Double.init)
        x = [[Double]](repeating: [], count: data.count)
        lambda = []
        for coordinate in coordinates {
            let p = coordinate.bags.reduce(1) { $0 + data.bag($1)!.featureCount }
            let group = coordinate.by.map { data.grouping($0)! }
            let entities = group?.entityCount ?? 1
            for i in 0..<data.count {
                var row = [Double](repeating: 0, count: p * entities)
                if let group, group.entities[i] < 0 {
                    x[i] += row
                    continue
                }
                let first = p * Int(group?.entities[i] ?? 0)
                var base = 0
                for name in coordinate.bags {
                    let bag = data.bag(name)!
                    for at in bag.table.range(Int(bag.rowOf?[i] ?? UInt32(i))) {
                        row[first + base + Int(bag.table.columns[at])] = Double(bag.table.values[at])
                    }
                    base += bag.featureCount
                }
                row[first + p - 1] = 1
                x[i] += row
            }
            lambda += [Double](repeating: coordinate.l2, count: p * entities)
            if coordinate.by == nil { lambda[lambda.count - 1] = 0 }
        }
    }

    func margin(_ i: Int, _ theta: [Double]) -> Double { zip(x[i], theta).reduce(o[i]) { $0 + $1.0 * $1.1 } }

    func objective(_ theta: [Double]) -> Double {
        var f = zip(lambda, theta).reduce(0) { $0 + 0.5 * $1.0 * $1.1 * $1.1 }
        for i in y.indices {
            let z = margin(i, theta) * (y[i] == 1 ? -1 : 1)
            f += w[i] * (max(z, 0) + log1p(exp(-abs(z))))
        }
        return f
    }

    func minimum() -> (theta: [Double], value: Double) {
        let n = lambda.count
        var theta = [Double](repeating: 0, count: n)
        for _ in 0..<60 {
            var g = zip(lambda, theta).map { $0 * $1 }
            var h = (0..<n).map { j in (0..<n).map { $0 == j ? lambda[j] : 0 } }
            for i in y.indices {
                let p = 1 / (1 + exp(-margin(i, theta)))
                let d = w[i] * p * (1 - p)
                let occupied = (0..<n).filter { x[i][$0] != 0 }
                for j in occupied {
                    g[j] += w[i] * (p - y[i]) * x[i][j]
                    for k in occupied { h[j][k] += d * x[i][j] * x[i][k] }
                }
            }
            let step = solve(h, g)
            var size = 1.0
            while objective(zip(theta, step).map { $0 - size * $1 }) > objective(theta) + 1e-13, size > 1e-8 {
                size /= 2
            }
            theta = zip(theta, step).map { $0 - size * $1 }
            if g.map(abs).max()! < 1e-11 { break }
        }
        return (theta, objective(theta))
    }

    func solve(_ matrix: [[Double]], _ b: [Double]) -> [Double] {
        var (a, x) = (matrix, b)
        let n = b.count
        for i in 0..<n {
            if a[i][i] == 0 { continue }
            for r in i + 1..<max(n, i + 1) where a[r][i] != 0 {
                let f = a[r][i] / a[i][i]
                for c in i..<n { a[r][c] -= f * a[i][c] }
                x[r] -= f * x[i]
            }
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            for c in i + 1..<max(n, i + 1) { x[i] -= a[i][c] * x[c] }
            x[i] /= a[i][i]
        }
        return x
    }
}

/// All coefficients in the twin's layout.
func flattened(_ model: GLMixModel, _ data: Examples) -> [Double] {
    zip(model.coordinates, model.coefficients).flatMap { coordinate, coefficients in
        let p = coordinate.bags.reduce(1) { $0 + data.bag($1)!.featureCount }
        return (0..<coefficients.entityCount).flatMap { coefficients.dense($0, featureCount: p) }
    }
}
