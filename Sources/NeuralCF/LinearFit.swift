import LinearAlgebra
import Platform

/// Fits trend and wide before the towers: softmax regression on snapshot cuts, each example's labels sharing weight 1
/// (ρ = 1). Convex in the trend weights and γ; the decay (a, b ≥ 0) is found by descent on a grid around it.
package struct LinearFit {
    let source: ExampleSource
    let workers: Workers

    // Weak pull to "popular within 90 days, a little memory": decides only where there is nothing to learn from.
    private static let prior: [Double] = [0, 0, 1, 0, 2]
    // In labels. Empty contexts of one cut all face the same candidates: their labels say less than they count.
    private static let ridgeEmpty = 100.0
    private static let ridgeOther = 5.0
    private static let gammaIndex = Trend.featureCount
    private static let size = Trend.featureCount + 1
    /// Work item of the sums over examples.
    private static let block = 64
    /// Values that a and b may take.
    private static let grid: [Double] = [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2]

    package init(source: ExampleSource, workers: Workers) { (self.source, self.workers) = (source, workers) }

    package func fit() -> LinearPart {
        let (trend, wide) = (source.parameters.trend, usesWide)
        if !trend && !wide { return .none }
        let examples = source.snapshotExamples(workers: workers)
        let features = cutFeatures()
        let empty = trend ? fitEmpty(examples.filter { $0.context.isEmpty }, features) : nil
        let warm = capped(examples.filter { !$0.context.isEmpty })
        let (other, decay) = fitOther(warm, features, trend: trend, wide: wide)
        let none = [Double](repeating: 0, count: Trend.featureCount)
        return LinearPart(
            trendEmpty: empty.map { Array($0.prefix(Trend.featureCount)) } ?? none,
            trendOther: Array(other.prefix(Trend.featureCount)),
            gamma: max(0, other[Self.gammaIndex]), decay: decay)
    }

    private var usesWide: Bool {
        source.parameters.wide && source.data.snapshots.contains { $0.wide != WideMatrix.none }
    }

    /// Trend features of each snapshot cut: `featureCount × courses`.
    private func cutFeatures() -> [Int64: FloatBuffer] {
        let courses = source.data.courseCount
        let byDay = Dictionary(grouping: source.snapshotCuts, by: CourseActivity.day)
        let days = byDay.keys.sorted()
        var result: [Int64: FloatBuffer] = [:]
        Trend.forEachDay(source.data.activity, days) { index, values in
            let features = FloatBuffer(Trend.featureCount * courses)
            for i in 0..<features.count { features.start[i] = Float(values[i]) }
            for cut in byDay[days[index]]! { result[cut] = features }
        }
        return result
    }

    private func capped(_ examples: [Example]) -> [Example] {
        let limit = source.parameters.linearExamples
        if examples.count <= limit { return examples }
        var random = RandomKey(seed: source.parameters.seed, purpose: "ncf.linear").stream()
        var order = Array(examples.indices)
        random.shuffle(&order)
        return order.prefix(limit).sorted().map { examples[$0] }
    }

    // MARK: Empty contexts: every example of a cut has the same candidates, so labels are summed first.

    private func fitEmpty(_ examples: [Example], _ features: [Int64: FloatBuffer]) -> [Double] {
        let courses = source.data.courseCount
        let cuts = Set(examples.map(\.cut)).sorted()
        var labels = [Int64: [Double]](
            uniqueKeysWithValues: cuts.map { ($0, [Double](repeating: 0, count: courses)) })
        var counts: [Int64: Double] = [:]
        for example in examples {
            let moments = source.data.shards[Int(example.shard)]
            for at in example.labels {
                labels[example.cut]![Int(moments.courses[at])] += 1 / Double(example.labels.count)
            }
            counts[example.cut, default: 0] += 1
        }
        let active = (0..<Self.size).map { $0 < Self.gammaIndex }
        return ConvexNewton.minimise(Self.prior, active: active) { weights in
            let parts = workers.map(cuts.count) { index in
                emptyTerm(cuts[index], features[cuts[index]]!, labels[cuts[index]]!, counts[cuts[index]]!, weights).flat
            }
            return regularised(parts, examples, weights, strength: Self.ridgeEmpty)
        }.point
    }

    private func emptyTerm(
        _ cut: Int64, _ features: FloatBuffer, _ labels: [Double], _ count: Double, _ weights: [Double]
    ) -> SecondOrder {
        var scratch = SoftmaxMoments(courses: source.data.courseCount)
        scratch.setTrend(features, weights)
        scratch.mask(source.data.publishedAt, after: cut)
        scratch.normalise()
        var term = scratch.moments(features, wide: nil)
        term.loss *= count
        for i in term.gradient.indices { term.gradient[i] *= count }
        for i in term.hessian.indices { term.hessian[i] *= count }
        for (course, weight) in labels.enumerated() where weight != 0 {
            scratch.subtractLabel(course, weight, features, wide: nil, weights, from: &term)
        }
        return term
    }

    // MARK: The others

    private func fitOther(
        _ examples: [Example], _ features: [Int64: FloatBuffer], trend: Bool, wide: Bool
    ) -> ([Double], LinearPart.Decay) {
        let active = (0..<Self.size).map { $0 < Self.gammaIndex ? trend : wide }
        var start = zip(Self.prior, active).map { $1 ? $0 : 0 }
        func fit(_ decay: LinearPart.Decay) -> (point: [Double], loss: Double) {
            var fitted = minimise(start, active, examples, features, decay)
            if fitted.point[Self.gammaIndex] < 0 {  // γ ≥ 0: on the bound it leaves the problem
                var fixed = active
                fixed[Self.gammaIndex] = false
                var at = fitted.point
                at[Self.gammaIndex] = 0
                fitted = minimise(at, fixed, examples, features, decay)
            }
            return fitted
        }
        var cell = (age: 2, position: 3)
        var tried: [LinearPart.Decay: (point: [Double], loss: Double)] = [:]
        func loss(_ age: Int, _ position: Int) -> Double {
            let decay = LinearPart.Decay(age: Self.grid[age], position: Self.grid[position])
            if tried[decay] == nil { tried[decay] = fit(decay) }
            return tried[decay]!.loss
        }
        var best = loss(cell.age, cell.position)
        search: while wide && !examples.isEmpty {
            start = tried[LinearPart.Decay(age: Self.grid[cell.age], position: Self.grid[cell.position])]!.point
            for (age, position) in [(-1, 0), (1, 0), (0, -1), (0, 1), (1, -1), (-1, 1)] {
                let next = (age: cell.age + age, position: cell.position + position)
                guard Self.grid.indices.contains(next.age), Self.grid.indices.contains(next.position) else { continue }
                let found = loss(next.age, next.position)
                if found < best - 1e-7 {
                    (best, cell) = (found, next)
                    continue search
                }
            }
            break
        }
        let decay = LinearPart.Decay(age: Self.grid[cell.age], position: Self.grid[cell.position])
        return (tried[decay]!.point, decay)
    }

    private func minimise(
        _ start: [Double], _ active: [Bool], _ examples: [Example], _ features: [Int64: FloatBuffer],
        _ decay: LinearPart.Decay
    ) -> (point: [Double], loss: Double) {
        let blocks = (examples.count + Self.block - 1) / Self.block
        return ConvexNewton.minimise(start, active: active) { weights in
            let parts = workers.map(blocks) { index in
                let range = index * Self.block..<min((index + 1) * Self.block, examples.count)
                return blockTerm(examples[range], features, weights, decay).flat
            }
            return regularised(parts, examples, weights, strength: Self.ridgeOther)
        }
    }

    private func blockTerm(
        _ examples: ArraySlice<Example>, _ features: [Int64: FloatBuffer], _ weights: [Double],
        _ decay: LinearPart.Decay
    ) -> SecondOrder {
        var scratch = SoftmaxMoments(courses: source.data.courseCount)
        var wide = WideRow(courseCount: source.data.courseCount)
        var sum = [Double](repeating: 0, count: SecondOrder(size: Self.size).flat.count)
        for example in examples {
            let moments = source.data.shards[Int(example.shard)]
            let cut = features[example.cut]!
            moments.withSpan(example.context) { span in
                let matrix = example.snapshot < 0 ? .none : source.data.snapshots[Int(example.snapshot)].wide
                wide.fill(span, at: example.cut, decay: decay, matrix: matrix)
                scratch.setTrend(cut, weights)
                wide.add(Float(weights[Self.gammaIndex]), to: scratch.scores)
                for k in 0..<span.count { scratch.scores[Int(span.courses[k])] = SoftmaxMoments.excluded }
            }
            scratch.mask(source.data.publishedAt, after: example.cut)
            scratch.normalise()
            var term = scratch.moments(cut, wide: wide.values)
            for at in example.labels {
                scratch.subtractLabel(
                    Int(moments.courses[at]), 1 / Double(example.labels.count), cut, wide: wide.values, weights,
                    from: &term)
            }
            for (i, value) in term.flat.enumerated() { sum[i] += value }
        }
        return SecondOrder(flat: sum, size: Self.size)
    }

    /// The mean over examples, plus the ridge: λ pseudo-observations against the number of labels.
    private func regularised(
        _ parts: [[Double]], _ examples: [Example], _ weights: [Double], strength: Double
    ) -> SecondOrder {
        var parts = parts
        treeSum(&parts)
        var sum = parts.isEmpty ? SecondOrder(size: Self.size) : SecondOrder(flat: parts[0], size: Self.size)
        let count = Double(max(examples.count, 1))
        let labels = examples.reduce(0) { $0 + $1.labels.count }
        let ridge = strength / Double(max(labels, 1))
        sum.loss /= count
        for i in sum.gradient.indices { sum.gradient[i] /= count }
        for i in sum.hessian.indices { sum.hessian[i] /= count }
        for i in 0..<Self.size {
            let off = weights[i] - Self.prior[i]
            sum.loss += ridge / 2 * off * off
            sum.gradient[i] += ridge * off
            sum.hessian[i * Self.size + i] += ridge
        }
        return sum
    }
}
