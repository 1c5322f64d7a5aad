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

    /// The input in which all weigh 1, weighed anew by both queries.
    private func attended(_ context: [(course: Int, time: Int64)], _ cut: Int64, sum: [Double]) -> [Double] {
        let width = towers.layout.dimensions[0]
        let units = context.map { moment -> [Double] in
            if towers.parameters.learnerRows == .cowatch { return coWatchRow(moment.course) }
            return (0..<courseCount).map { $0 == moment.course ? 1 : 0 }
        }
        let ends = [1.0, 3, 7, 14, 30, 60, 120, 240]
        let probabilities = (0..<2).map { q -> [Double] in
            let powers = zip(context, units).map { moment, unit -> Double in
                let age = Double(cut - moment.time) / 86_400
                let bucket = ends.filter { age >= $0 }.count
                let key = (0..<width).map { d in
                    unit.indices.reduce(0.0) { $0 + unit[$1] * value("learner.table", $1, d) }
                }
                let dot = (0..<width).reduce(0.0) { $0 + key[$1] * value("learner.attention.query", q, $1) }
                return exp(dot + value("learner.attention.age", q, bucket))
            }
            return powers.map { $0 / powers.reduce(0, +) }
        }
        let short = 1 / (1 + exp(-value("learner.attention.gate", 0, 0)))
        let norm = sqrt(sum.reduce(0) { $0 + $1 * $1 })
        var input = [Double](repeating: 0, count: courseCount)
        for (k, unit) in units.enumerated() {
            let share = (1 - short) * probabilities[0][k] + short * probabilities[1][k]
            for c in 0..<courseCount { input[c] += Double(units.count) * share * unit[c] / norm }
        }
        return input
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
        var x = normalised(input)
        if towers.parameters.learnerInput == .attention { x = attended(context, cut, sum: input) }
        let u = embed("learner", x)
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

    /// Moments of every course before a time's day, each weighing by its age in days.
    private func counts(_ cut: Int64, _ weight: (Int) -> Double) -> [Double] {
        let today = Int(floor(Double(cut) / 86_400))
        var sums = [Double](repeating: 0, count: courseCount)
        for part in moments {
            for i in part.courses.indices {
                let on = Int(floor(Double(part.times[i]) / 86_400))
                if on < today { sums[Int(part.courses[i])] += weight(today - on) }
            }
        }
        return sums
    }

    func trend(_ cut: Int64, empty: Bool) -> [Double] {
        if empty { return newcomerTrend(cut) }
        var result = [Double](repeating: 0, count: courseCount)
        for (w, halfLife) in zip(linear.trendOther, [7.0, 30, 90, 365]) {
            let sums = counts(cut) { pow(0.5, Double($0) / halfLife) }
            for course in 0..<courseCount { result[course] += w * log(1 + sums[course]) }
        }
        return result
    }

    /// Moments of every course before a time's day, weighing by age, and a learner's divided by the root of how many of
    /// his weigh anything.
    private func temperedCounts(_ cut: Int64, _ weight: (Int) -> Double) -> [Double] {
        let today = Int(floor(Double(cut) / 86_400))
        var sums = [Double](repeating: 0, count: courseCount)
        for part in moments {
            for learner in 0..<part.learnerCount {
                let weights = part.range(learner).map { at -> (course: Int, value: Double) in
                    let on = Int(floor(Double(part.times[at]) / 86_400))
                    return (Int(part.courses[at]), on < today ? weight(today - on) : 0)
                }
                let number = Double(weights.filter { $0.value > 0 }.count)
                for (course, value) in weights where value > 0 { sums[course] += value / sqrt(number) }
            }
        }
        return sums
    }

    private func newcomerTrend(_ cut: Int64) -> [Double] {
        var lists = [15.0, 90, 365].map { halfLife in temperedCounts(cut) { pow(0.5, Double($0) / halfLife) } }
        lists.append(temperedCounts(cut) { $0 <= 28 ? 1 : 0 })
        let moments = counts(cut) { pow(0.5, Double($0) / 90) }.reduce(0, +)
        let totals = lists.map { $0.reduce(0, +) }
        return (0..<courseCount).map { course in
            let mixture = lists.indices.reduce(0.0) {
                $0 + (totals[$1] > 0 ? linear.newcomerShares[$1] * lists[$1][course] / totals[$1] : 0)
            }
            return log(1 + moments * 28 * log(2) / 90 * mixture)
        }
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
