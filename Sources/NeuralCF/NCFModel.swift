import LinearAlgebra
import Platform

/// A fitted score: score(x, c, τ) = trend(c, τ) + γ·wide(x, c) + α·tower(x, c).
package struct NCFModel: Sendable, Equatable {
    package var linear: LinearPart
    package var towers: Towers
    /// 0, .25, .5, .75 or 1: how far the towers are trusted.
    package var alpha: Float
    /// What validation multiplied γ by.
    package var gammaFactor: Float

    package init(linear: LinearPart, towers: Towers, alpha: Float, gammaFactor: Float) {
        (self.linear, self.towers, self.alpha, self.gammaFactor) = (linear, towers, alpha, gammaFactor)
    }

    /// γ as it enters scores.
    package var gamma: Float { Float(linear.gamma) * gammaFactor }
}

/// A model at one time: everything that scores need and that is the same for every learner.
package final class NCFAtTime: Sendable {
    package let model: NCFModel
    /// Seconds; contexts are `[time − history, time)`.
    package let time: Int64
    package let history: Int64
    package let towers: TowersAtTime
    package let wide: WideMatrix
    /// Trend scores of every course, for empty contexts and for the others.
    package let trendEmpty: [Float]
    package let trendOther: [Float]
    /// In the place of everything else: a model over ids.
    package let pairs: IdNetwork?
    /// Trend and α·(course bias), for empty contexts and for the others: what a score begins with.
    let startEmpty: [Float]
    let startOther: [Float]
    /// The course vectors, laid out for products with blocks of learners; nil if α is 0.
    let factor: PackedFactor?

    /// - Parameters:
    ///   - snapshot: the newest at or before `time`.
    ///   - watched: by all learners; only days before `time`'s count.
    package convenience init(
        model: NCFModel, snapshot: CoWatchSnapshot?, watched: WatchHistory, time: Int64, history: Int64,
        workers: Workers
    ) {
        let trend = TrendTable(watched, days: [CourseActivity.day(time)], weights: model.linear)
        self.init(model: model, snapshot: snapshot, trend: trend, time: time, history: history, workers: workers)
    }

    /// - Parameter trend: by the model's weights, with `time`'s day.
    convenience init(
        model: NCFModel, snapshot: CoWatchSnapshot?, trend: TrendTable, time: Int64, history: Int64, workers: Workers
    ) {
        precondition(snapshot.map { $0.time <= time } ?? true, "a snapshot from the future")
        func row(_ empty: Bool) -> [Float] {
            Array(UnsafeBufferPointer(start: trend.row(at: time, emptyContext: empty), count: trend.courseCount))
        }
        self.init(
            model: model, towers: TowersAtTime(model.towers, snapshot: snapshot, workers: workers),
            wide: snapshot?.wide ?? .none, trendEmpty: row(true), trendOther: row(false), time: time, history: history)
    }

    init(
        model: NCFModel, towers: TowersAtTime, wide: WideMatrix, trendEmpty: [Float], trendOther: [Float], time: Int64,
        history: Int64, pairs: IdNetwork? = nil
    ) {
        self.pairs = pairs
        (self.model, self.towers, self.time, self.history) = (model, towers, time, history)
        self.wide = model.gamma > 0 ? wide : .none
        (self.trendEmpty, self.trendOther) = (trendEmpty, trendOther)
        let usesTowers = model.alpha != 0 && pairs == nil
        factor = usesTowers ? PackedFactor(transposed: towers.courseVectors) : nil
        func start(_ trend: [Float]) -> [Float] {
            usesTowers ? zip(trend, towers.courseBias).map { $0 + model.alpha * $1 } : trend
        }
        (startEmpty, startOther) = (start(trendEmpty), start(trendOther))
    }

    package var courseCount: Int { trendEmpty.count }
}

/// Which parts of a learner's scores are not zero throughout.
package struct NCFParts: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let trend = NCFParts(rawValue: 1)
    package static let wide = NCFParts(rawValue: 2)
    package static let towers = NCFParts(rawValue: 4)
}

/// A model at one time bound to a group of learners.
package struct NCFScorer: CourseScorer {
    package let model: NCFAtTime
    package let moments: Moments
    /// learners × embedding.
    package let learnerVectors: Matrix

    /// - Parameter learnerVectors: as stored; nil: computed here.
    package init(_ model: NCFAtTime, moments: Moments, learnerVectors: Matrix? = nil, workers: Workers) {
        self.model = model
        self.moments = moments
        self.learnerVectors =
            learnerVectors
            ?? model.towers.learnerVectors(
                moments, learners: Array(0..<moments.learnerCount), at: model.time, history: model.history,
                workers: workers)
        precondition(self.learnerVectors.rows == moments.learnerCount)
        precondition(self.learnerVectors.columns == model.towers.courseVectors.columns)
    }

    package var courseCount: Int { model.courseCount }
    package var learnerCount: Int { moments.learnerCount }

    /// The moments that a learner's scores are made of.
    package func context(_ learner: Int) -> Range<Int> {
        moments.range(learner, from: model.time - model.history, to: model.time)
    }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        if let pairs = model.pairs { return score(learners, pairs, into: out) }
        NCFScoreBlock(self, learners).scores(learners: learners.count, courseCount: courseCount, into: out)
    }

    package func block(_ learners: Range<Int>) -> any ScoreBlock {
        model.pairs == nil ? NCFScoreBlock(self, learners) : WholeRows(self, learners)
    }

    private func score(_ learners: Range<Int>, _ pairs: IdNetwork, into out: UnsafeMutablePointer<Float>) {
        let scratch = pairs.scratch()
        learnerVectors.values.withUnsafeBufferPointer { vectors in
            for (k, learner) in learners.enumerated() {
                pairs.score(
                    vectors.baseAddress! + learner * learnerVectors.columns, model.towers.courseVectors, scratch,
                    into: out + k * courseCount)
            }
        }
    }

    /// Which parts of a learner's scores are not zero throughout.
    package func parts(_ learner: Int) -> NCFParts {
        if model.pairs != nil {
            let width = learnerVectors.columns
            return learnerVectors.values[learner * width..<(learner + 1) * width].contains { $0 != 0 } ? .towers : []
        }
        let context = self.context(learner)
        var parts: NCFParts = []
        let trend = context.isEmpty ? model.trendEmpty : model.trendOther
        if trend.contains(where: { $0 != 0 }) { parts.insert(.trend) }
        if context.isEmpty { return parts }
        if model.model.alpha != 0 { parts.insert(.towers) }
        var wide = WideRow(courseCount: courseCount)
        moments.withSpan(context) {
            wide.fill($0, at: model.time, decay: model.model.linear.decay, matrix: model.wide)
        }
        if wide.isNonZero { parts.insert(.wide) }
        return parts
    }
}
