import LinearAlgebra
import Platform

/// Trains the towers on what trend and wide leave over. One call of `train(_:)` is one step of Adam on the mean loss of
/// a step's examples:
///
///     logits(B × N) = offset + scale·Û·V̂ᵀ (+ course bias),   offset = trend + γ·wide (− log sampling probability)
///
/// The logits exist tile by tile (`FusedLoss`). Memory beyond the weights, their gradient and Adam's moments: per thread
/// 96 × N weights of a block of learners, and at most 8 × N × embedding partial gradients. Work items are groups of such
/// blocks and blocks of 512 courses, so no order of a sum depends on threads.
package final class TowerTrainer {
    static let learnerBlock = 96
    static let courseBlock = 512

    let data: NCFData
    let linear: LinearPart
    let trend: TrendTable
    let workers: Workers
    let parameters: NCFParameters
    let loss: NCFParameters.Loss
    let publication: PublicationOrder
    let workspace: TowerWorkspace
    package var towers: Towers
    package var gradient: [Float]
    private var first: [Float]
    private var second: [Float]
    private var snapshotInputs: [Int32: SnapshotInputs] = [:]
    private(set) var stepNumber = 0

    var layout: TowerLayout { towers.layout }
    /// Whether trend or wide add to logits.
    let hasOffsets: Bool

    package init(data: NCFData, towers: Towers, linear: LinearPart, trend: TrendTable, workers: Workers) {
        (self.data, self.towers, self.linear, self.trend, self.workers) = (data, towers, linear, trend, workers)
        parameters = towers.parameters
        loss = parameters.loss.resolved(courses: data.courseCount)
        publication = PublicationOrder(data.publishedAt)
        workspace = TowerWorkspace(layout: towers.layout, parameters: parameters)
        hasOffsets = linear != .none
        let count = towers.layout.weightCount
        gradient = [Float](repeating: 0, count: count)
        first = gradient
        second = gradient
    }

    func inputs(_ snapshot: Int32) -> SnapshotInputs {
        if let known = snapshotInputs[snapshot] { return known }
        let similarity = snapshot < 0 ? nil : data.snapshots[Int(snapshot)].similarity
        let made = SnapshotInputs(similarity, courseCount: data.courseCount)
        snapshotInputs[snapshot] = made
        return made
    }

    /// - Returns: the sum of the examples' losses before the step.
    package func train(_ step: EpochSchedule.Step, epoch: Int, labelShare: [Double], rate: Float) -> Double {
        stepNumber += 1
        let loss = accumulate(step, epoch: epoch, labelShare: labelShare)
        Adam().update(
            weights: &towers.weights, gradient: &gradient, first: &first, second: &second, step: stepNumber,
            rate: rate, l2: parameters.l2, workers: workers)
        if let decay = layout.tensor("learner.decay") {
            for i in decay.range { towers.weights[i] = max(0, towers.weights[i]) }
        }
        return loss
    }

    /// Adds the gradient of the mean loss of a step to `gradient`; returns the summed loss.
    package func accumulate(_ step: EpochSchedule.Step, epoch: Int, labelShare: [Double]) -> Double {
        let batch = TowerBatch(step, epoch: epoch, trainer: self)
        let candidates = candidates(batch, labelShare)
        var loss = 0.0
        towers.weights.withUnsafeBufferPointer { weights in
            let pass = TowerStep(
                trainer: self, batch: batch, candidates: candidates, weights: weights.baseAddress!, step: stepNumber)
            pass.forwardCourses()
            loss = pass.forwardAndBackwardLearners()
            pass.backwardCourses()
            gradient.withUnsafeMutableBufferPointer { pass.addGradients(to: $0.baseAddress!) }
        }
        return loss
    }

    private func candidates(_ batch: TowerBatch, _ labelShare: [Double]) -> Candidates {
        if loss != .sampledSoftmax { return .all(data.courseCount) }
        var random = RandomKey(seed: parameters.seed, purpose: "ncf.negatives").stream(stepNumber)
        return .sampled(
            labels: batch.allLabels(), negatives: parameters.sharedNegatives, labelShare: labelShare, using: &random)
    }
}

/// Courses in the order in which they were published.
struct PublicationOrder: Sendable {
    private let times: [Int64]
    private let rank: [Int32]

    init(_ publishedAt: [Int64]) {
        let order = publishedAt.indices.sorted { (publishedAt[$0], $0) < (publishedAt[$1], $1) }
        times = order.map { publishedAt[$0] }
        var rank = [Int32](repeating: 0, count: order.count)
        for (place, course) in order.enumerated() { rank[course] = Int32(place) }
        self.rank = rank
    }

    func ranks(of candidates: Candidates) -> [Int32] { candidates.courses.map { rank[Int($0)] } }

    /// How many were published at a time: the first rank that was not.
    func count(at time: Int64) -> Int32 {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return Int32(low)
    }
}

/// The examples of a step with their hidden moments drawn and their learner inputs built.
struct TowerBatch {
    let examples: [Example]
    let snapshot: SnapshotInputs
    let inputs: LearnerInputs
    /// Courses of each example's labels.
    let labels: [[UInt32]]
    /// Courses that are no candidates: the whole context, hidden moments included.
    let contexts: [[UInt32]]
    let wideContext: [ResolvedExample]

    init(_ step: EpochSchedule.Step, epoch: Int, trainer: TowerTrainer) {
        let (parameters, data) = (trainer.parameters, trainer.data)
        let examples = step.examples
        let snapshot = trainer.inputs(step.snapshot)
        let inputs = LearnerInputs(
            lengths: examples.map(\.context.count), hasDecay: parameters.learnerInput == .decay)
        let key = RandomKey(seed: parameters.seed, purpose: "ncf.hide")
        let decay = trainer.towers.decay
        let blocks = (examples.count + TowerTrainer.learnerBlock - 1) / TowerTrainer.learnerBlock
        let resolved = trainer.workers.map(blocks) { block -> [ResolvedExample] in
            var builder = LearnerInputBuilder(
                courseCount: data.courseCount, cowatch: parameters.learnerRows == .cowatch ? snapshot : nil,
                decay: decay)
            let range = TowerBatch.rows(block, examples.count, TowerTrainer.learnerBlock)
            return range.map { index in
                let example = examples[index]
                var resolved = ResolvedExample()
                resolved.resolve(example, hide: parameters.hide)
                let moments = data.shards[Int(example.shard)]
                let id = UInt64(example.shard) << 32 | UInt64(example.learner)
                var random = key.stream(UInt64(epoch), mix(id) ^ UInt64(bitPattern: example.cut))
                let hides = parameters.hide > 0 && example.hideKey == 0
                builder.begin()
                for (k, at) in resolved.context.enumerated() {
                    // The newest moment always stays.
                    if hides && k < resolved.context.count - 1 && random.uniform() < parameters.hide { continue }
                    builder.append(moments.courses[at], moments.times[at])
                }
                builder.finish(index, at: example.cut, into: inputs)
                return resolved
            }
        }.flatMap { $0 }
        self.examples = examples
        self.snapshot = snapshot
        self.inputs = inputs
        wideContext = resolved
        labels = zip(examples, resolved).map { example, resolved in
            resolved.labels.map { data.shards[Int(example.shard)].courses[$0] }
                .filter { data.publishedAt[Int($0)] <= example.cut }
        }
        contexts = zip(examples, resolved).map { example, resolved in
            resolved.context.map { data.shards[Int(example.shard)].courses[$0] }
        }
    }

    func allLabels() -> [UInt32] { labels.flatMap { $0 } }

    static func rows(_ block: Int, _ count: Int, _ size: Int) -> Range<Int> {
        block * size..<min((block + 1) * size, count)
    }
}
