import LinearAlgebra
import Platform

/// Fits trend and wide before the towers, on snapshot cuts. Where there is a context: softmax regression, each example's
/// labels sharing weight 1 (ρ = 1), convex in the trend weights and γ; the decay (a, b ≥ 0) is found by descent on a grid
/// around it. For empty contexts see `NewcomerTrend`.
package struct LinearFit {
    let source: ExampleSource
    let workers: Workers

    // Pull to "popular within 30 days, a little memory": decides where there is little to learn from.
    private static let prior: [Double] = [0, 1, 0, 0, 2]
    private static let priorDecay = 0.25
    // Strengths in labels.
    private static let ridgeOther = 5.0
    private static let ridgeDecay = 20.0
    private static let gammaIndex = Trend.featureCount
    private static let size = Trend.featureCount + 1
    /// The decay is searched with at most so many examples.
    private static let searchExamples = 2_048
    /// Work item of the sums over examples.
    private static let block = 64
    /// Values that a and b may take.
    private static let grid: [Double] = [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2]
    private static let gridStart = 2

    package init(source: ExampleSource, workers: Workers) { (self.source, self.workers) = (source, workers) }

    package func fit() -> LinearPart {
        let (trend, wide) = (source.parameters.trend, usesWide)
        if !trend && !wide { return .none }
        let features = cutFeatures()
        let (warm, newcomers) = examples()
        let empty = trend ? fitEmpty(newcomers) : nil
        let (other, decay) = fitOther(warm, features, trend: trend, wide: wide)
        return LinearPart(
            newcomerShares: empty ?? NewcomerTrend.evenShares.map { _ in 0 },
            trendOther: Array(other.prefix(Trend.featureCount)),
            gamma: max(0, other[Self.gammaIndex]), decay: decay)
    }

    /// A seeded part of the examples with a context, at most `linearExamples`, and all without. Shards are listed twice, so
    /// that no more is in memory.
    private func examples() -> (warm: [Example], newcomers: [Example]) {
        let shards = source.data.shards.count
        let found = workers.map(shards) { shard in
            let list = source.snapshotExamples(shard)
            let newcomers = list.filter(\.context.isEmpty)
            return (warm: list.count - newcomers.count, newcomers: newcomers)
        }
        var starts = [0]
        for part in found { starts.append(starts[starts.count - 1] + part.warm) }
        let drawn = drawn(source.parameters.linearExamples, of: starts[shards])
        let warm = workers.map(shards) { shard in
            let list = source.snapshotExamples(shard).filter { !$0.context.isEmpty }
            guard let drawn else { return list }
            return list.indices.filter { drawn.contains(starts[shard] + $0) }.map { list[$0] }
        }
        return (warm.flatMap { $0 }, found.flatMap(\.newcomers))
    }

    /// So many different numbers below a limit (Floyd; Bentley 1987, doi:10.1145/30401.315746); nil: all.
    private func drawn(_ count: Int, of limit: Int) -> Set<Int>? {
        if limit <= count { return nil }
        var random = RandomKey(seed: source.parameters.seed, purpose: "ncf.linear").stream()
        var drawn: Set<Int> = []
        for last in (limit - count)..<limit {
            let number = random.below(last + 1)
            drawn.insert(drawn.contains(number) ? last : number)
        }
        return drawn
    }

    private var usesWide: Bool {
        source.parameters.wide && source.data.snapshots.contains { $0.wide != WideMatrix.none }
    }

    /// What all examples of a snapshot cut have in common.
    private struct CutFeatures {
        /// featureCount × courses.
        let trend: FloatBuffer
        /// Courses that are no candidates yet.
        let unpublished: [UInt32]
    }

    private func cutFeatures() -> [Int64: CutFeatures] {
        let courses = source.data.courseCount
        let byDay = Dictionary(grouping: source.snapshotCuts, by: CourseActivity.day)
        let days = byDay.keys.sorted()
        var result: [Int64: CutFeatures] = [:]
        Trend.forEachDay(source.data.activity, days) { index, values in
            let trend = FloatBuffer(Trend.featureCount * courses)
            for i in 0..<trend.count { trend.start[i] = Float(values[i]) }
            for cut in byDay[days[index]]! {
                let unpublished = (0..<courses).filter { source.data.publishedAt[$0] > cut }.map { UInt32($0) }
                result[cut] = CutFeatures(trend: trend, unpublished: unpublished)
            }
        }
        return result
    }

    /// A seeded part of the examples, in their order.
    private func subset(_ examples: [Example], _ limit: Int) -> [Example] {
        if examples.count <= limit { return examples }
        var random = RandomKey(seed: source.parameters.seed, purpose: "ncf.linear").stream()
        var order = Array(examples.indices)
        random.shuffle(&order)
        return order.prefix(limit).sorted().map { examples[$0] }
    }

    // MARK: Empty contexts

    private func fitEmpty(_ examples: [Example]) -> [Double] {
        let courses = source.data.courseCount
        let byCut = Dictionary(grouping: examples, by: \.cut)
        let cuts = byCut.keys.sorted()
        var fit = NewcomerFit()
        NewcomerTrend.forEachDay(source.data.watched, cuts.map(CourseActivity.day)) { index, lists in
            var labels = [Double](repeating: 0, count: courses)
            for example in byCut[cuts[index]]! {
                let found = source.labels(example)
                for course in found { labels[course] += 1 / Double(found.count) }
            }
            let candidates = source.data.publishedAt.count { $0 <= cuts[index] }
            fit.add(lists, labels: labels, candidates: candidates)
        }
        return fit.shares(cutsPerLabel: source.cutsPerLabel)
    }

    // MARK: The others

    private func fitOther(
        _ examples: [Example], _ features: [Int64: CutFeatures], trend: Bool, wide: Bool
    ) -> ([Double], LinearPart.Decay) {
        let active = (0..<Self.size).map { $0 < Self.gammaIndex ? trend : wide }
        let start = zip(Self.prior, active).map { $1 ? $0 : 0 }
        if !wide {
            return (
                fit(examples, features, .init(age: 0, position: 0), start, active).point, .init(age: 0, position: 0)
            )
        }
        if source.parameters.examples == .random {  // made-up times: age means nothing
            let decay = LinearPart.Decay(age: 0, position: 0)
            return (fit(examples, features, decay, start, active).point, decay)
        }
        let (decay, near) = search(subset(examples, Self.searchExamples), features, start, active)
        return (fit(examples, features, decay, near, active).point, decay)
    }

    /// Descends from cell to neighbouring cell of the grid of (a, b) while the loss falls.
    private func search(
        _ examples: [Example], _ features: [Int64: CutFeatures], _ start: [Double], _ active: [Bool]
    ) -> (LinearPart.Decay, [Double]) {
        var tried: [LinearPart.Decay: (point: [Double], loss: Double)] = [:]
        var (cell, near) = ((age: Self.gridStart, position: Self.gridStart), start)
        func result(_ age: Int, _ position: Int) -> (point: [Double], loss: Double) {
            let decay = LinearPart.Decay(age: Self.grid[age], position: Self.grid[position])
            if let found = tried[decay] { return found }
            var found = fit(examples, features, decay, near, active)
            let off = [decay.age, decay.position].reduce(0) { $0 + ($1 - Self.priorDecay) * ($1 - Self.priorDecay) }
            found.loss += ridge(Self.ridgeDecay, examples) / 2 * off
            tried[decay] = found
            return found
        }
        var best = result(cell.age, cell.position)
        descent: while !examples.isEmpty {
            near = best.point
            for (age, position) in [(-1, 0), (1, 0), (0, -1), (0, 1), (1, -1), (-1, 1)] {
                let next = (age: cell.age + age, position: cell.position + position)
                guard Self.grid.indices.contains(next.age), Self.grid.indices.contains(next.position) else { continue }
                let found = result(next.age, next.position)
                if found.loss < best.loss - 1e-7 {
                    (best, cell) = (found, next)
                    continue descent
                }
            }
            break
        }
        return (.init(age: Self.grid[cell.age], position: Self.grid[cell.position]), best.point)
    }

    private func fit(
        _ examples: [Example], _ features: [Int64: CutFeatures], _ decay: LinearPart.Decay, _ start: [Double],
        _ active: [Bool]
    ) -> (point: [Double], loss: Double) {
        let fitted = minimise(start, active, examples, features, decay)
        if fitted.point[Self.gammaIndex] >= 0 { return fitted }
        var (fixed, at) = (active, fitted.point)  // γ ≥ 0: on the bound it leaves the problem
        fixed[Self.gammaIndex] = false
        at[Self.gammaIndex] = 0
        return minimise(at, fixed, examples, features, decay)
    }

    private func minimise(
        _ start: [Double], _ active: [Bool], _ examples: [Example], _ features: [Int64: CutFeatures],
        _ decay: LinearPart.Decay
    ) -> (point: [Double], loss: Double) {
        let blocks = (examples.count + Self.block - 1) / Self.block
        return ConvexNewton.minimise(start, active: active) { weights in
            let parts = workers.dealtRows(blocks, width: SecondOrder(size: Self.size).flat.count) { index in
                let range = index * Self.block..<min((index + 1) * Self.block, examples.count)
                return blockTerm(examples[range], features, weights, decay).flat
            }
            return regularised(parts, examples, weights)
        }
    }

    private func blockTerm(
        _ examples: ArraySlice<Example>, _ features: [Int64: CutFeatures], _ weights: [Double],
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
                scratch.setTrend(cut.trend, weights)
                wide.add(Float(weights[Self.gammaIndex]), to: scratch.scores)
                for k in 0..<span.count { scratch.scores[Int(span.courses[k])] = RowLoss.excluded }
            }
            scratch.mask(cut.unpublished)
            scratch.normalise()
            var term = scratch.moments(cut.trend, wide: wide.values)
            let labels = source.labels(example)
            for course in labels {
                scratch.subtractLabel(
                    course, 1 / Double(labels.count), cut.trend, wide: wide.values, weights, from: &term)
            }
            for (i, value) in term.flat.enumerated() { sum[i] += value }
        }
        return SecondOrder(flat: sum, size: Self.size)
    }

    /// The ridge against the mean loss: pseudo-labels over labels. Where label windows of neighbouring cuts overlap, a
    /// label is in several examples and says no more than in one.
    private func ridge(_ strength: Double, _ examples: [Example]) -> Double {
        let labels = examples.reduce(0) { $0 + $1.labels.count }
        return strength * source.cutsPerLabel / Double(max(labels, 1))
    }

    /// The mean over examples, plus the ridge.
    private func regularised(
        _ parts: [[Double]], _ examples: [Example], _ weights: [Double]
    ) -> SecondOrder {
        var parts = parts
        treeSum(&parts)
        var sum = parts.isEmpty ? SecondOrder(size: Self.size) : SecondOrder(flat: parts[0], size: Self.size)
        let count = Double(max(examples.count, 1))
        let ridge = ridge(Self.ridgeOther, examples)
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
