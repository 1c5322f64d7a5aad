import LinearAlgebra
import Platform

/// A trained model over ids: vectors of zeros stand for learners and courses without a moment to train on.
package struct IdModel: Sendable, Equatable {
    package var network: IdNetwork
    /// By shard: learners × embedding.
    package var learners: [Matrix]
    /// courses × embedding.
    package var courses: Matrix
}

/// What a fit of a model over ids chose, and how it came to it.
package struct IdFit: Sendable {
    package var model: IdModel
    package var epochs: Int
    package var history: [EpochRecord]
}

/// Trains a model over ids: every moment in `[end − history, end)` is a positive, with 4 courses drawn uniformly from
/// the others that anybody watched as negatives, anew each epoch (He et al. 2017). Adam, learning rate .001;
/// only vectors in a batch are stepped. The number of epochs is chosen on validation half A, as for the towers.
package struct IdTraining {
    static let negatives = 4
    static let rate: Float = 1e-3

    let data: NCFData
    let windows: TimeWindows
    let parameters: NCFParameters
    let workers: Workers

    package init(data: NCFData, windows: TimeWindows, parameters: NCFParameters, workers: Workers) {
        (self.data, self.windows, self.parameters, self.workers) = (data, windows, parameters, workers)
    }

    /// As in the programs that the models come from.
    var batch: Int { parameters.batch > 0 ? parameters.batch : parameters.model == .idMLP ? 32 : 256 }

    package func fit(progress: (EpochRecord) -> Void = { _ in }) throws -> IdFit {
        var run = IdRun(self, end: windows.validation)
        let validation = Validation(data: data, windows: windows, parameters: parameters, workers: workers)
        var history: [EpochRecord] = []
        var best: (record: EpochRecord, model: IdModel)?
        while history.count < parameters.epochs {
            var record = try run.epoch(history.count + 1)
            let quality = validation.measure(run.model)
            record.quality = quality
            history.append(record)
            progress(record)
            // With nobody to validate on, the last epoch is as good as any.
            if best == nil || validation.warmCount == 0 || quality.warmNDCG > best!.record.quality!.warmNDCG {
                best = (record, run.model)
            }
            if record.epoch - best!.record.epoch >= parameters.patience { break }
        }
        return IdFit(model: best?.model ?? run.model, epochs: best?.record.epoch ?? 0, history: history)
    }

    /// The same with T in the place of t_v, and as many epochs as the fit kept.
    package func refit(_ fit: IdFit, progress: (EpochRecord) -> Void = { _ in }) throws -> IdFit {
        var run = IdRun(self, end: windows.asOf)
        var history: [EpochRecord] = []
        while history.count < fit.epochs {
            history.append(try run.epoch(history.count + 1))
            progress(history[history.count - 1])
        }
        return IdFit(model: run.model, epochs: fit.epochs, history: history)
    }
}

/// A training in progress: one thread, batch after batch.
package struct IdRun {
    package struct Pair {
        package var shard: Int32
        package var learner: Int32
        package var course: UInt32
        /// 1 or 0.
        package var label: Float
    }

    /// Weights of the network or vectors, with their gradient and Adam's moments.
    private struct Table {
        var values: [Float]
        var gradient: [Float]
        var first: [Float]
        var second: [Float]

        init(_ values: [Float]) {
            self.values = values
            gradient = [Float](repeating: 0, count: values.count)
            (first, second) = (gradient, gradient)
        }

        mutating func step(_ range: Range<Int>, _ scale: Adam.Scale) {
            let at = range.lowerBound
            values.withUnsafeMutableBufferPointer { w in
                gradient.withUnsafeMutableBufferPointer { g in
                    first.withUnsafeMutableBufferPointer { m in
                        second.withUnsafeMutableBufferPointer { v in
                            Adam().update(
                                range.count, w.baseAddress! + at, gradient: g.baseAddress! + at,
                                first: m.baseAddress! + at, second: v.baseAddress! + at, scale)
                        }
                    }
                }
            }
        }
    }

    private let training: IdTraining
    private let end: Int64
    private var network: IdNetwork
    private var small: Table
    private var learners: [Table]
    private var courses: Table
    /// Courses with a moment to train on.
    private let known: [UInt32]
    private var steps = 0
    private let activations: IdNetwork.Activations
    private var startLoss: Double?

    package init(_ training: IdTraining, end: Int64) {
        (self.training, self.end) = (training, end)
        let parameters = training.parameters
        network = IdNetwork(parameters.model, seed: parameters.seed)
        small = Table(network.weights)
        activations = IdNetwork.Activations(network, pairs: training.batch)
        let (data, width) = (training.data, network.embedding)
        let from = end - training.windows.history
        var seen = [Bool](repeating: false, count: data.courseCount)
        let key = RandomKey(seed: parameters.seed, purpose: "ncf.ids.vectors")
        learners = data.shards.enumerated().map { shard, moments in
            var vectors: [Float] = []
            for learner in 0..<moments.learnerCount {
                let known = moments.range(learner, from: from, to: end)
                for at in known { seen[Int(moments.courses[at])] = true }
                var random = key.stream(shard + 1, learner)
                vectors +=
                    known.isEmpty
                    ? [Float](repeating: 0, count: width) : IdNetwork.uniform(width, 0.05, &random)
            }
            return Table(vectors)
        }
        known = seen.indices.filter { seen[$0] }.map { UInt32($0) }
        courses = Table(
            (0..<data.courseCount).flatMap { course -> [Float] in
                var random = key.stream(0, course)
                return seen[course]
                    ? IdNetwork.uniform(width, 0.05, &random) : [Float](repeating: 0, count: width)
            })
    }

    package var model: IdModel {
        var network = network
        network.weights = small.values
        let width = network.embedding
        return IdModel(
            network: network,
            learners: zip(learners, training.data.shards).map {
                Matrix(rows: $1.learnerCount, columns: width, values: $0.values)
            },
            courses: Matrix(rows: training.data.courseCount, columns: width, values: courses.values))
    }

    mutating func epoch(_ epoch: Int) throws -> EpochRecord {
        let pairs = pairs(epoch)
        var (sum, index) = (0.0, 0)
        for start in stride(from: 0, to: pairs.count, by: training.batch) {
            let loss = step(pairs[start..<min(start + training.batch, pairs.count)])
            index += 1
            if !loss.isFinite { throw NCFDiverged(epoch: epoch, step: index, loss: loss) }
            sum += loss
        }
        let mean = pairs.isEmpty ? 0 : sum / Double(pairs.count)
        if let startLoss, mean > 1.25 * startLoss { throw NCFDiverged(epoch: epoch, step: index, loss: mean) }
        if startLoss == nil { startLoss = mean }
        return EpochRecord(epoch: epoch, steps: index, examples: pairs.count, loss: mean, quality: nil)
    }

    /// Positives and negatives of an epoch, shuffled.
    package func pairs(_ epoch: Int) -> [Pair] {
        let data = training.data
        let key = RandomKey(seed: training.parameters.seed, purpose: "ncf.ids.negatives")
        var all: [Pair] = []
        var watched = [Bool](repeating: false, count: data.courseCount)
        for (shard, moments) in data.shards.enumerated() {
            for learner in 0..<moments.learnerCount {
                let positives = moments.range(learner, from: end - training.windows.history, to: end)
                let own = moments.range(learner, from: .min, to: end)
                for at in own { watched[Int(moments.courses[at])] = true }
                let isOpen = known.contains { !watched[Int($0)] }
                var random = key.stream(epoch, shard << 32 | learner)
                func add(_ course: UInt32, _ label: Float) {
                    all.append(Pair(shard: Int32(shard), learner: Int32(learner), course: course, label: label))
                }
                for at in positives {
                    add(moments.courses[at], 1)
                    for _ in 0..<(isOpen ? IdTraining.negatives : 0) {
                        var course = known[random.below(known.count)]
                        while watched[Int(course)] { course = known[random.below(known.count)] }
                        add(course, 0)
                    }
                }
                for at in own { watched[Int(moments.courses[at])] = false }
            }
        }
        var random = RandomKey(seed: training.parameters.seed, purpose: "ncf.ids.order").stream(epoch)
        random.shuffle(&all)
        return all
    }

    /// One batch: the mean loss's gradient, one step of Adam.
    /// - Returns: the summed loss before the step.
    private mutating func step(_ batch: ArraySlice<Pair>) -> Double {
        let loss = accumulate(batch)
        steps += 1
        let scale = Adam().scale(step: steps, rate: IdTraining.rate)
        let width = network.embedding
        small.step(0..<small.values.count, scale)
        // A vector that stands twice in a batch is stepped once.
        for (shard, learner) in Set(batch.map { [Int($0.shard), Int($0.learner)] }).map({ ($0[0], $0[1]) }) {
            learners[shard].step(learner * width..<(learner + 1) * width, scale)
        }
        for course in Set(batch.map(\.course)) {
            courses.step(Int(course) * width..<(Int(course) + 1) * width, scale)
        }
        return loss
    }

    /// Adds the gradient of the mean loss of a batch; returns the summed loss.
    private mutating func accumulate(_ batch: ArraySlice<Pair>) -> Double {
        let (n, width, product) = (batch.count, network.embedding, network.product)
        network.weights = small.values
        courses.values.withUnsafeBufferPointer { c in
            for (row, pair) in batch.enumerated() {
                learners[Int(pair.shard)].values.withUnsafeBufferPointer { u in
                    network.fill(
                        row, u.baseAddress! + Int(pair.learner) * width, c.baseAddress! + Int(pair.course) * width,
                        activations)
                }
            }
        }
        network.forward(n, activations)
        var (loss, slopes) = (0.0, [Float](repeating: 0, count: n))
        for (row, pair) in batch.enumerated() {
            let (score, label) = (Double(activations.scores.start[row]), Double(pair.label))
            if network.kind == .idMLP {
                loss += (score - label) * (score - label)
                slopes[row] = Float(2 * (score - label) / Double(n))
            } else {
                loss += Scalar.log1pExp(score) - label * score
                slopes[row] = Float((Scalar.sigmoid(score) - label) / Double(n))
            }
        }
        small.gradient.withUnsafeMutableBufferPointer {
            network.backward(n, activations, scores: slopes, into: $0.baseAddress!)
        }
        for (row, pair) in batch.enumerated() {
            let (u, c) = (Int(pair.learner) * width, Int(pair.course) * width)
            for d in 0..<product {
                let g = activations.products.start[row * product + d]
                learners[Int(pair.shard)].gradient[u + d] += g * courses.values[c + d]
                courses.gradient[c + d] += g * learners[Int(pair.shard)].values[u + d]
            }
            let x = activations.layers[0].start + row * 2 * network.width
            for d in 0..<network.width {
                learners[Int(pair.shard)].gradient[u + product + d] += x[d]
                courses.gradient[c + product + d] += x[network.width + d]
            }
        }
        return loss
    }

    /// For tests: everything that is trained as one vector (network, learners by shard, courses), and a batch's loss
    /// and gradient with respect to it.
    package var parameters: [Float] {
        get { small.values + learners.flatMap(\.values) + courses.values }
        set {
            var at = 0
            func take(_ table: inout Table) {
                table.values = Array(newValue[at..<at + table.values.count])
                at += table.values.count
            }
            take(&small)
            for shard in learners.indices { take(&learners[shard]) }
            take(&courses)
        }
    }

    package mutating func lossAndGradient(_ batch: [Pair]) -> (loss: Double, gradient: [Float]) {
        let loss = accumulate(batch[...]) / Double(batch.count)
        let gradient = small.gradient + learners.flatMap(\.gradient) + courses.gradient
        func clear(_ table: inout Table) { for i in table.gradient.indices { table.gradient[i] = 0 } }
        clear(&small)
        for shard in learners.indices { clear(&learners[shard]) }
        clear(&courses)
        return (loss, gradient)
    }
}
