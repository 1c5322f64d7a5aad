// The plain twin of the model: dictionaries, double and libm instead of buffers, kernels and blocks. Written from the
// formulas of docs/ncf.md.
import Foundation
import LinearAlgebra
import NeuralCF
import Platform

struct ReferenceNCF {
    let towers: Towers
    let linear: LinearPart
    let snapshot: CoWatchSnapshot
    let moments: [Moments]
    let courseCount: Int
    /// Score = trend + γ·wide alone.
    var ignoresTowers = false

    private func value(_ name: String, _ i: Int, _ j: Int = 0) -> Double {
        let tensor = towers.layout.tensor(name)!
        return Double(towers.weights[tensor.offset + i * tensor.columns + j])
    }

    private func coWatchRow(_ course: Int) -> [Double] {
        var row = [Double](repeating: 0, count: courseCount)
        for at in snapshot.similarity.range(course) {
            row[Int(snapshot.similarity.columns[at])] = Double(snapshot.similarity.values[at])
        }
        return normalised(row)
    }

    private func normalised(_ row: [Double]) -> [Double] {
        let norm = sqrt(row.reduce(0) { $0 + $1 * $1 })
        return norm > 0 ? row.map { $0 / norm } : row
    }

    private func embed(_ side: String, _ input: [Double]) -> [Double] {
        let dimensions = towers.layout.dimensions
        var x = (0..<dimensions[0]).map { d in
            input.indices.reduce(value("\(side).bias", 0, d)) { $0 + input[$1] * value("\(side).table", $1, d) }
        }
        for layer in 1..<dimensions.count {
            let below = x.map { max($0, 0) }
            x = (0..<dimensions[layer]).map { d in
                below.indices.reduce(value("\(side).dense.\(layer).bias", 0, d)) {
                    $0 + below[$1] * value("\(side).dense.\(layer).weight", $1, d)
                }
            }
        }
        return towers.parameters.output == .cosine ? normalised(x) : x
    }

    func weights(_ context: [(course: Int, time: Int64)], _ cut: Int64, _ a: Double, _ b: Double) -> [Double] {
        context.enumerated().map { k, moment in
            let age = Double(cut - moment.time) / 86_400
            return exp(-a * log(1 + age) - b * log(1 + Double(context.count - 1 - k)))
        }
    }

    func tower(_ context: [(course: Int, time: Int64)], _ cut: Int64) -> [Double] {
        let dot = towers.parameters.output == .dot
        if context.isEmpty { return (0..<courseCount).map { dot ? value("course.output_bias", 0, $0) : 0 } }
        var weights = [Double](repeating: 1, count: context.count)
        if towers.parameters.learnerInput == .decay {
            weights = self.weights(context, cut, value("learner.decay", 0, 0), value("learner.decay", 0, 1))
        }
        var input = [Double](repeating: 0, count: courseCount)
        for (moment, weight) in zip(context, weights) {
            if towers.parameters.learnerRows == .watched {
                input[moment.course] += weight
            } else {
                for (j, value) in coWatchRow(moment.course).enumerated() { input[j] += weight * value }
            }
        }
        let u = embed("learner", normalised(input))
        return (0..<courseCount).map { course in
            let v = embed("course", coWatchRow(course))
            let product = zip(u, v).reduce(0) { $0 + $1.0 * $1.1 }
            return product / Double(towers.parameters.temperature) + (dot ? value("course.output_bias", 0, course) : 0)
        }
    }

    func wide(_ context: [(course: Int, time: Int64)], _ cut: Int64) -> [Double] {
        var sums = [Double](repeating: 0, count: courseCount)
        let weights = self.weights(context, cut, linear.decay.age, linear.decay.position)
        for (moment, weight) in zip(context, weights) {
            for course in 0..<courseCount { sums[course] += weight * wideValue(moment.course, course) }
        }
        for moment in context { sums[moment.course] = 0 }
        let top = sums.max() ?? 0
        return top > 0 ? sums.map { $0 / top } : sums.map { _ in 0 }
    }

    private func wideValue(_ i: Int, _ j: Int) -> Double {
        switch snapshot.wide {
        case .none: return 0
        case .dense(let matrix): return Double(matrix[i, j])
        case .sparse(let rows):
            return rows.range(i).reduce(0) { Int(rows.columns[$1]) == j ? Double(rows.values[$1]) : $0 }
        }
    }

    func trend(_ cut: Int64, empty: Bool) -> [Double] {
        let today = Int(floor(Double(cut) / 86_400))
        var result = [Double](repeating: 0, count: courseCount)
        for (h, halfLife) in [7.0, 30, 90, 365].enumerated() {
            var sums = [Double](repeating: 0, count: courseCount)
            for part in moments {
                for i in part.courses.indices {
                    let on = Int(floor(Double(part.times[i]) / 86_400))
                    if on < today { sums[Int(part.courses[i])] += pow(0.5, Double(today - on) / halfLife) }
                }
            }
            let w = (empty ? linear.trendEmpty : linear.trendOther)[h]
            for course in 0..<courseCount { result[course] += w * log(1 + sums[course]) }
        }
        return result
    }

    func score(
        _ context: [(course: Int, time: Int64)], _ cut: Int64, alpha: Double = 1, gammaFactor: Double = 1
    ) -> [Double] {
        let trend = trend(cut, empty: context.isEmpty)
        let wide = context.isEmpty ? [Double](repeating: 0, count: courseCount) : self.wide(context, cut)
        let tower = ignoresTowers ? trend.map { _ in 0 } : self.tower(context, cut)
        return (0..<courseCount).map { trend[$0] + linear.gamma * gammaFactor * wide[$0] + alpha * tower[$0] }
    }

    /// The summed loss of a step without hiding or dropout.
    func loss(_ step: EpochSchedule.Step, publishedAt: [Int64]) -> Double {
        step.examples.reduce(0) { sum, example in
            let part = moments[Int(example.shard)]
            let context = example.context.map { (course: Int(part.courses[$0]), time: part.times[$0]) }
            let labels = example.labels.map { Int(part.courses[$0]) }.filter { publishedAt[$0] <= example.cut }
            let scores = score(context, example.cut)
            let watched = Set(context.map(\.course))
            let open = (0..<courseCount).filter {
                !watched.contains($0) && publishedAt[$0] <= example.cut
            }
            if towers.parameters.loss == .bce {
                return sum + open.reduce(0) { $0 + log(1 + exp(scores[$1])) - (labels.contains($1) ? scores[$1] : 0) }
            }
            let total = log(open.reduce(0) { $0 + exp(scores[$1]) })
            let weight = pow(Double(labels.count), -towers.parameters.rho)
            return sum + weight * labels.reduce(0) { $0 + total - scores[$1] }
        }
    }
}
