import LinearAlgebra
import Platform

/// One line of the training history.
package struct EpochRecord: Codable, Sendable, Equatable {
    /// 0: trend and wide alone.
    package var epoch: Int
    package var steps: Int
    package var examples: Int
    /// Mean over the epoch's examples, towers as they were at each step.
    package var loss: Double
    /// Nil in the refit: nothing after T may judge it.
    package var quality: EpochQuality?

    package init(epoch: Int, steps: Int, examples: Int, loss: Double, quality: EpochQuality?) {
        (self.epoch, self.steps, self.examples) = (epoch, steps, examples)
        (self.loss, self.quality) = (loss, quality)
    }
}

/// What a fit chose, and how it came to it.
package struct NCFFit: Sendable {
    package var model: NCFModel
    /// The epoch whose towers were kept.
    package var epochs: Int
    package var history: [EpochRecord]

    package init(model: NCFModel, epochs: Int, history: [EpochRecord]) {
        (self.model, self.epochs, self.history) = (model, epochs, history)
    }
}

package struct NCFDiverged: Error, Equatable {
    package let epoch: Int
    package let step: Int
    package let loss: Double
}

/// Fits the model of `[…, t_v)` and refits it with T in the place of t_v.
package struct NCFTraining {
    package let data: NCFData
    package let windows: TimeWindows
    package let parameters: NCFParameters
    package let workers: Workers
    /// nil: from random towers.
    package let start: WarmStart?

    package init(
        data: NCFData, windows: TimeWindows, parameters: NCFParameters, workers: Workers, start: WarmStart? = nil
    ) {
        (self.data, self.windows, self.parameters, self.workers) = (data, windows, parameters, workers)
        self.start = start
    }

    // Losses that only too large steps explain. The first step is of one snapshot, which may have had few courses, and a
    // start from random towers may get worse before it gets better: the first epoch is bounded loosely, by that step or by
    // what its examples lose where every candidate has the same logit, whichever is more. It bounds the others.
    private static let divergenceOfFirst = 4.0
    private static let divergence = 1.25

    /// - Parameters:
    ///   - saved: what `save` was given; the training goes on from there and ends in the same model.
    ///   - save: called after every trained epoch.
    ///   - progress: called after every epoch, epoch 0 included, when it has been saved.
    package func fit(
        from saved: NCFCheckpoint? = nil, save: (NCFCheckpoint) throws -> Void = { _ in },
        progress: (EpochRecord) -> Void = { _ in }
    ) throws -> NCFFit {
        if let done = saved?.fit { return done }
        let source = source(windows.fitSnapshots, end: windows.validation)
        let linear = saved?.linear ?? LinearFit(source: source, workers: workers).fit()
        var run = Run(self, source, linear, from: start?.fit)
        var validation = Validation(data: data, windows: windows, parameters: parameters, workers: workers)
        var model = NCFModel(linear: linear, towers: run.trainer.towers, alpha: 1, gammaFactor: 1)
        let start = EpochRecord(
            epoch: 0, steps: 0, examples: 0, loss: 0, quality: validation.measureBaseline(model))
        var history = saved?.history ?? [start]
        if saved == nil { progress(start) }
        var best = saved?.best
        run.resume(saved)
        while history.count <= parameters.epochs && !isOver(best, after: history.count - 1) {
            var record = try run.epoch(history.count)
            model.towers = run.trainer.towers
            let quality = validation.measure(model)
            record.quality = quality
            history.append(record)
            // With nobody to validate on, the last epoch is as good as any.
            if best == nil || validation.warmCount == 0 || quality.warmNDCG > best!.record.quality!.warmNDCG {
                best = NCFCheckpoint.Best(record: record, weights: model.towers.weights)
            }
            try save(run.checkpoint(linear, history, best: best))
            progress(record)
        }
        return NCFFit(model: chosen(linear, best, run), epochs: best?.record.epoch ?? 0, history: history)
    }

    private func isOver(_ best: NCFCheckpoint.Best?, after epoch: Int) -> Bool {
        best.map { epoch - $0.record.epoch >= parameters.patience } ?? false
    }

    /// The gain over trend and wide that towers must show, in its standard errors: it is the best of up to 16 grid points
    /// in each epoch, and the best of so many exceeds one standard error by chance alone.
    private static let guardErrors = 3.0

    /// α > 0 only if the gain exceeds `guardErrors`. The towers of the best epoch are kept in any case: related courses
    /// come from their embeddings.
    private func chosen(_ linear: LinearPart, _ best: NCFCheckpoint.Best?, _ run: Run) -> NCFModel {
        guard let best, let quality = best.record.quality else {
            // Nothing was trained.
            return NCFModel(linear: linear, towers: run.trainer.towers, alpha: 0, gammaFactor: 1)
        }
        let trusted = !parameters.guarded || quality.gain > Self.guardErrors * quality.gainError
        var towers = run.trainer.towers
        towers.weights = best.weights
        return NCFModel(
            linear: linear, towers: towers, alpha: trusted ? quality.alpha : 0,
            gammaFactor: trusted ? quality.gammaFactor : 1)
    }

    /// The same recipe with T in the place of t_v: as many epochs as the fit kept, of the larger data; α and γ's factor
    /// stay.
    package func refit(
        _ fit: NCFFit, from saved: NCFCheckpoint? = nil, save: (NCFCheckpoint) throws -> Void = { _ in },
        progress: (EpochRecord) -> Void = { _ in }
    ) throws -> NCFFit {
        let saved = saved?.fit == nil ? nil : saved
        let source = source(windows.refitSnapshots, end: windows.asOf)
        let linear = saved?.linear ?? LinearFit(source: source, workers: workers).fit()
        var run = Run(self, source, linear, from: start?.refit)
        run.resume(saved)
        var history = saved?.history ?? []
        while history.count < fit.epochs {
            history.append(try run.epoch(history.count + 1))
            try save(run.checkpoint(linear, history, fit: fit))
            progress(history[history.count - 1])
        }
        let model = NCFModel(
            linear: linear, towers: run.trainer.towers, alpha: fit.model.alpha, gammaFactor: fit.model.gammaFactor)
        return NCFFit(model: model, epochs: fit.epochs, history: history)
    }

    private func source(_ cuts: [Int64], end: Int64) -> ExampleSource {
        ExampleSource(data: data, snapshotCuts: cuts, end: end, windows: windows, parameters: parameters)
    }

    /// A training in progress.
    private struct Run {
        let source: ExampleSource
        let trainer: TowerTrainer
        private var startLoss: Double? = nil
        private var plannedSteps = 0

        init(_ training: NCFTraining, _ source: ExampleSource, _ linear: LinearPart, from earlier: Towers?) {
            self.source = source
            var towers = Towers(
                courseCount: training.data.courseCount, parameters: training.parameters, decay: linear.decay)
            if let earlier, let start = training.start { towers.begin(from: earlier, earlier: start.earlier) }
            let table = TrendTable(
                training.data.watched, days: source.cutDays(), weights: linear, newcomers: source.keepsEmptyContexts,
                workers: training.workers)
            // Random cuts hide pairs that the wide matrix has counted: it would be trusted too much.
            let below = source.parameters.examples == .random ? linear.withoutWide : linear
            trainer = TowerTrainer(
                data: training.data, towers: towers, linear: below, trend: table, workers: training.workers)
        }

        mutating func resume(_ saved: NCFCheckpoint?) {
            guard let saved else { return }
            trainer.state = saved.trainer
            (plannedSteps, startLoss) = (saved.plannedSteps, saved.startLoss)
        }

        func checkpoint(
            _ linear: LinearPart, _ history: [EpochRecord], best: NCFCheckpoint.Best? = nil, fit: NCFFit? = nil
        ) -> NCFCheckpoint {
            NCFCheckpoint(
                fit: fit, linear: linear, history: history, best: best, trainer: trainer.state,
                plannedSteps: plannedSteps, startLoss: startLoss)
        }

        mutating func epoch(_ epoch: Int) throws -> EpochRecord {
            let parameters = source.parameters
            let shards = source.epoch(epoch, workers: trainer.workers)
            let schedule = EpochSchedule(
                shards: shards, batch: parameters.batchSize(examples: shards.reduce(0) { $0 + $1.count }), epoch: epoch,
                seed: parameters.seed)
            if plannedSteps == 0 { plannedSteps = schedule.stepCount * parameters.epochs }
            let share = labelShare(shards)
            var (sum, count, equalSum) = (0.0, 0, 0.0)
            for index in 0..<schedule.stepCount {
                let step = schedule.step(index)
                let rate = NCFTraining.rate(parameters, trainer.stepNumber, of: plannedSteps)
                let loss = trainer.train(step, epoch: epoch, labelShare: share, rate: rate)
                if !loss.isFinite { throw NCFDiverged(epoch: epoch, step: index + 1, loss: loss) }
                sum += loss
                count += step.examples.count
                if epoch == 1 {
                    equalSum += trainer.lossOfEqualLogits(step)
                    if index == 0 { startLoss = loss / Double(step.examples.count) }
                }
            }
            let mean = count == 0 ? 0 : sum / Double(count)
            if epoch == 1, let first = startLoss { startLoss = max(first, equalSum / Double(count)) }
            let factor = epoch == 1 ? NCFTraining.divergenceOfFirst : NCFTraining.divergence
            if let startLoss, mean > factor * startLoss {
                throw NCFDiverged(epoch: epoch, step: schedule.stepCount, loss: mean)
            }
            if epoch == 1 && count > 0 { startLoss = mean }
            return EpochRecord(epoch: epoch, steps: schedule.stepCount, examples: count, loss: mean, quality: nil)
        }

        /// Each course's share of an epoch's labels.
        private func labelShare(_ shards: [[Example]]) -> [Double] {
            let data = source.data
            var counts = [Int](repeating: 0, count: data.courseCount)
            for examples in shards {
                for example in examples { for course in source.labels(example) { counts[course] += 1 } }
            }
            let total = Double(max(counts.reduce(0, +), 1))
            return counts.map { Double($0) / total }
        }
    }

    /// The learning rate of a step (counted from 0).
    static func rate(_ parameters: NCFParameters, _ step: Int, of planned: Int) -> Float {
        let done = min(Double(step) / Double(max(planned, 1)), 1)
        switch parameters.schedule {
        case .step: return parameters.learningRate * (done < 2.0 / 3 ? 1 : 0.1)
        case .cosine: return parameters.learningRate * Float(0.5 * (1 + cosine(.pi * done)))
        }
    }

    /// cos x for 0 ≤ x ≤ π without libm: the Taylor series of the half angle, then cos x = 2·cos²(x/2) − 1.
    private static func cosine(_ x: Double) -> Double {
        let square = x * x / 4
        var (term, sum) = (1.0, 1.0)
        for k in 1...12 {
            term *= -square / Double((2 * k - 1) * (2 * k))
            sum += term
        }
        return 2 * sum * sum - 1
    }
}

extension ExampleSource {
    /// Days on which a cut may lie: `TrendTable` has two scores of every course for each.
    package func cutDays() -> Set<Int32> {
        if parameters.examples == .random { return [CourseActivity.day(end)] }
        var days = Set(snapshotCuts.map(CourseActivity.day))
        if parameters.examples == .snapshots { return days }
        for day in data.activity.days where day <= CourseActivity.day(end) { days.insert(day) }
        return days
    }
}
