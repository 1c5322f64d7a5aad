import LinearAlgebra
import Platform

/// Quality on validation half A after an epoch.
package struct EpochQuality: Codable, Sendable, Equatable {
    /// What α and γ's factor would be if this epoch were the last.
    package var alpha: Float
    package var gammaFactor: Float
    /// Mean over warm learners of −log p of their labels, p the softmax over the ranked courses. Labels that are published
    /// only after t_v have no p: they do not count, nor does a learner who has no others.
    package var warmLoss: Double
    package var warmNDCG: Double
    package var warmRecall: Double
    package var coldNDCG: Double
    package var coldRecall: Double
    /// Mean paired gain in NDCG over epoch 0 with this epoch's best α > 0, and its standard error.
    package var gain: Double
    package var gainError: Double

    package init(
        alpha: Float, gammaFactor: Float, warmLoss: Double, warmNDCG: Double, warmRecall: Double, coldNDCG: Double,
        coldRecall: Double, gain: Double, gainError: Double
    ) {
        (self.alpha, self.gammaFactor, self.warmLoss) = (alpha, gammaFactor, warmLoss)
        (self.warmNDCG, self.warmRecall) = (warmNDCG, warmRecall)
        (self.coldNDCG, self.coldRecall) = (coldNDCG, coldRecall)
        (self.gain, self.gainError) = (gain, gainError)
    }
}

/// Full-ranking NDCG@20 and Recall@20 on labels of [t_v, T): every course published at t_v competes, those of the
/// context are removed. Only learners of half A; all of them when they are fewer than `TimeWindows.leastToHalve`.
struct Validation {
    static let cutoff = 20
    static let alphas: [Float] = [0.25, 0.5, 0.75, 1]
    static let gammaFactors: [Float] = [0.5, 0.75, 1, 1.25]
    /// With random cuts the towers learn beside the wide part, not on top of it: what they leave of it is open.
    static let gammaFactorsBeside: [Float] = [0, 0.125, 0.25, 0.5, 1, 2]

    private struct Learner {
        var shard: Int
        var row: Int
        var context: Range<Int>
        var labels: Set<Int32>
    }

    let data: NCFData
    let parameters: NCFParameters
    let time: Int64
    let history: Int64
    let workers: Workers
    private var warm: [Learner] = []
    private var cold: [Learner] = []
    /// Courses that are published only after t_v.
    private let unpublished: [Int]
    /// NDCG of each warm learner at epoch 0.
    private var baseline: [Double] = []
    private var coldQuality = (ndcg: 0.0, recall: 0.0)
    /// Of t_v; the linear part does not change from epoch to epoch.
    private var trend: TrendTable?

    var warmCount: Int { warm.count }
    var coldCount: Int { cold.count }

    init(data: NCFData, windows: TimeWindows, parameters: NCFParameters, workers: Workers) {
        (self.data, self.parameters, self.workers) = (data, parameters, workers)
        let time = windows.validation
        (self.time, history) = (time, windows.history)
        unpublished = data.publishedAt.indices.filter { data.publishedAt[$0] > time }
        var all: [(learner: Learner, half: TimeWindows.Half)] = []
        for (shard, moments) in data.shards.enumerated() {
            for row in 0..<moments.learnerCount {
                let labels = moments.range(row, from: time, to: windows.asOf)
                if labels.isEmpty { continue }
                let learner = Learner(
                    shard: shard, row: row, context: moments.range(row, from: time - history, to: time),
                    labels: Set(labels.map { Int32(moments.courses[$0]) }))
                all.append((learner, LearnerHash.half(data.hashes[shard][row])))
            }
        }
        let halved = all.count >= TimeWindows.leastToHalve
        let used = all.filter { !halved || $0.half == .a }.map(\.learner)
        warm = capped(used.filter { !$0.context.isEmpty })
        cold = used.filter(\.context.isEmpty)
    }

    private func capped(_ learners: [Learner]) -> [Learner] {
        if learners.count <= parameters.validationLearners { return learners }
        var random = RandomKey(seed: parameters.seed, purpose: "ncf.validation").stream()
        var order = Array(learners.indices)
        random.shuffle(&order)
        return order.prefix(parameters.validationLearners).sorted().map { learners[$0] }
    }

    /// Epoch 0: trend and wide alone (or the untrained towers where they are not guarded).
    mutating func measureBaseline(_ model: NCFModel) -> EpochQuality {
        trend = TrendTable(data.watched, days: [CourseActivity.day(time)], weights: model.linear)
        let at = atTime(model)
        coldQuality = measureCold(at)
        let point = GridPoint(alpha: parameters.guarded ? 0 : 1, gammaFactor: 1)
        let measured = measureWarm(at, [point], losses: true)[0]
        baseline = measured.map(\.ndcg)
        return quality(point, measured, coldQuality)
    }

    /// Chooses α and γ's factor for a model whose towers have just been trained: those of the highest NDCG. (By loss,
    /// towers that rank clearly better were refused: see docs/ncf.md.)
    /// - Precondition: `measureBaseline` was called.
    func measure(_ model: NCFModel) -> EpochQuality {
        let at = atTime(model)
        let isBeside = parameters.examples == .random
        let factors =
            model.linear.gamma == 0 ? [1] : isBeside ? Validation.gammaFactorsBeside : Validation.gammaFactors
        let alphas = isBeside ? [1] : Validation.alphas
        var grid = [GridPoint(alpha: 1, gammaFactor: 1)]
        if parameters.guarded {
            grid = alphas.flatMap { a in factors.map { GridPoint(alpha: a, gammaFactor: $0) } }
        }
        let means = measureWarm(at, grid, losses: false).map { mean($0.map(\.ndcg)) }
        var best = 0
        for i in means.indices where means[i] > means[best] { best = i }
        let measured = measureWarm(at, [grid[best]], losses: true)[0]
        return quality(grid[best], measured, layoutHasBias(model) ? measureCold(at) : coldQuality)
    }

    /// The same for a model over ids: no learner is cold for it but those that it does not know.
    func measure(_ model: IdModel) -> EpochQuality {
        let blocks = (warm.count + 63) / 64
        let measured = workers.map(blocks) { block -> [Measured] in
            let (row, scratch) = (FloatBuffer(data.courseCount), model.network.scratch())
            return warm[TowerBatch.rows(block, warm.count, 64)].map { learner in
                let (moments, vectors) = (data.shards[learner.shard], model.learners[learner.shard])
                vectors.values.withUnsafeBufferPointer {
                    model.network.score(
                        $0.baseAddress! + learner.row * vectors.columns, model.courses, scratch, into: row.start)
                }
                for at in learner.context { row.start[Int(moments.courses[at])] = RowLoss.excluded }
                maskUnpublished(row.start)
                let top = topCourses(row.start, data.courseCount, Validation.cutoff).indices
                var measured = Validation.quality(of: top, labels: learner.labels)
                measured.loss = loss(row.start, learner.labels)
                return measured
            }
        }.flatMap { $0 }
        return EpochQuality(
            alpha: 1, gammaFactor: 1, warmLoss: mean(measured.compactMap(\.loss)), warmNDCG: mean(measured.map(\.ndcg)),
            warmRecall: mean(measured.map(\.recall)), coldNDCG: 0, coldRecall: 0, gain: 0, gainError: 0)
    }

    private func quality(
        _ point: GridPoint, _ measured: [Measured], _ cold: (ndcg: Double, recall: Double)
    ) -> EpochQuality {
        let gains = zip(measured, baseline).map { $0.ndcg - $1 }
        return EpochQuality(
            alpha: point.alpha, gammaFactor: point.gammaFactor, warmLoss: mean(measured.compactMap(\.loss)),
            warmNDCG: mean(measured.map(\.ndcg)), warmRecall: mean(measured.map(\.recall)), coldNDCG: cold.ndcg,
            coldRecall: cold.recall, gain: mean(gains), gainError: standardError(gains))
    }

    private func layoutHasBias(_ model: NCFModel) -> Bool { model.towers.layout.tensor("course.output_bias") != nil }

    private func atTime(_ model: NCFModel) -> NCFAtTime {
        var full = model
        (full.alpha, full.gammaFactor) = (1, 1)
        return NCFAtTime(
            model: full, snapshot: data.snapshot(at: time).map { data.snapshots[$0] }, trend: trend!, time: time,
            history: history, workers: workers)
    }

    private struct GridPoint {
        var alpha: Float
        var gammaFactor: Float
    }

    private struct Measured {
        var ndcg: Double
        var recall: Double
        var loss: Double?
    }

    /// Replaces the scores by the loss's gradient. - Returns: nil if no label competes.
    private func loss(_ scores: UnsafeMutablePointer<Float>, _ labels: Set<Int32>) -> Double? {
        let competing = labels.map { Int($0) }.filter { data.publishedAt[$0] <= time }.sorted()
        return competing.isEmpty ? nil : RowLoss.softmax(scores, data.courseCount, labels: competing, rho: 1)
    }

    /// [grid point][warm learner]
    /// - Parameter losses: a softmax for each learner and grid point, which takes ten times the ranking.
    private func measureWarm(_ model: NCFAtTime, _ grid: [GridPoint], losses: Bool) -> [[Measured]] {
        let size = 64
        let blocks = (warm.count + size - 1) / size
        // warm.count × grid.count
        var all = [Measured](repeating: Measured(ndcg: 0, recall: 0), count: warm.count * grid.count)
        all.withUnsafeMutableBufferPointer { all in
            guard let all = all.baseAddress else { return }
            workers.forEachOwn(blocks) { block in
                let rows = TowerBatch.rows(block, warm.count, size)
                measureBlock(warm[rows], model, grid, losses: losses, into: all + rows.lowerBound * grid.count)
            }
            workers.share(all, items: blocks) { min($0 * size, warm.count) * grid.count }
        }
        return grid.indices.map { g in warm.indices.map { all[$0 * grid.count + g] } }
    }

    private func measureBlock(
        _ learners: ArraySlice<Learner>, _ model: NCFAtTime, _ grid: [GridPoint], losses: Bool,
        into out: UnsafeMutablePointer<Measured>
    ) {
        let count = data.courseCount
        let gamma = Float(model.model.linear.gamma)
        let (trend, sum) = (FloatBuffer(count), FloatBuffer(count))
        let towers = grid.contains { $0.alpha != 0 } ? towerScores(learners, model) : nil
        var wide = WideRow(courseCount: count)
        var ranking = WeightedRanking(courseCount: count, k: Self.cutoff)
        for (row, learner) in learners.enumerated() {
            let moments = data.shards[learner.shard]
            model.trendOther.withUnsafeBufferPointer { trend.start.update(from: $0.baseAddress!, count: count) }
            for at in learner.context { trend.start[Int(moments.courses[at])] = RowLoss.excluded }
            maskUnpublished(trend.start)
            moments.withSpan(learner.context) {
                wide.fill($0, at: time, decay: model.model.linear.decay, matrix: model.wide)
            }
            let linear = [UnsafePointer(trend.start), UnsafePointer(wide.values)]
            ranking.begin(linear + (towers.map { [UnsafePointer($0.row(row))] } ?? []))
            for (g, point) in grid.enumerated() {
                let weights = [1, gamma * point.gammaFactor] + (towers == nil ? [] : [point.alpha])
                var measured = Validation.quality(of: ranking.best(weights), labels: learner.labels)
                if losses {
                    ranking.write(weights, into: sum.start)
                    measured.loss = loss(sum.start, learner.labels)
                }
                out[row * grid.count + g] = measured
            }
        }
    }

    /// Rows of scores of all courses.
    private struct ScoreRows {
        let values: FloatBuffer
        let stride: Int

        func row(_ k: Int) -> UnsafeMutablePointer<Float> { values.start + k * stride }
    }

    /// What the towers, with α = 1, give each learner.
    private func towerScores(_ learners: ArraySlice<Learner>, _ model: NCFAtTime) -> ScoreRows {
        let (count, stride) = (data.courseCount, Panels.padded(data.courseCount))
        let out = ScoreRows(values: FloatBuffer(learners.count * stride), stride: stride)
        var first = learners.startIndex
        while first < learners.endIndex {
            let shard = learners[first].shard
            let same = learners[first...].prefix { $0.shard == shard }
            let vectors = model.towers.learnerVectors(
                data.shards[shard], learners: same.map(\.row), at: time, history: history, workers: Workers(count: 1))
            let row = first - learners.startIndex
            for k in row..<row + same.count { out.row(k).update(from: model.towers.courseBias, count: count) }
            let packed = PackedRows(
                vectors.values[...], rows: same.count, depth: vectors.columns, scale: model.model.towers.outputScale)
            model.factor!.multiply(packed, columns: 0..<count, addTo: out.row(row), row: stride)
            first = same.endIndex
        }
        return out
    }

    private func maskUnpublished(_ row: UnsafeMutablePointer<Float>) {
        for course in unpublished { row[course] = RowLoss.excluded }
    }

    /// Empty contexts all get the same list.
    private func measureCold(_ model: NCFAtTime) -> (ndcg: Double, recall: Double) {
        let row = FloatBuffer(data.courseCount)
        for course in 0..<data.courseCount {
            row.start[course] = model.trendEmpty[course] + model.towers.courseBias[course]
        }
        maskUnpublished(row.start)
        let top = topCourses(row.start, data.courseCount, Validation.cutoff).indices
        let measured = cold.map { Validation.quality(of: top, labels: $0.labels) }
        return (mean(measured.map(\.ndcg)), mean(measured.map(\.recall)))
    }

    /// NDCG with gains of 1 and discounts 1/log2(rank + 1) (Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418); the
    /// ideal list is cut at min(k, relevant).
    private static func quality(of top: [Int32], labels: Set<Int32>) -> Measured {
        var (gain, ideal, hits) = (0.0, 0.0, 0)
        for (rank, course) in top.enumerated() where labels.contains(course) {
            gain += 1 / Scalar.log(Double(rank + 2))
            hits += 1
        }
        for rank in 0..<min(cutoff, labels.count) { ideal += 1 / Scalar.log(Double(rank + 2)) }
        return Measured(ndcg: gain / ideal, recall: Double(hits) / Double(labels.count))
    }

    private func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }

    private func standardError(_ values: [Double]) -> Double {
        if values.count < 2 { return .infinity }
        let center = mean(values)
        let squares = values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
        return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
    }
}
