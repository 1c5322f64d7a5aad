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

    /// What the next step starts from.
    package struct State: Sendable, Equatable {
        package var step: Int
        package var weights: [Float]
        /// Adam's moments.
        package var first: [Float]
        package var second: [Float]

        package init(step: Int, weights: [Float], first: [Float], second: [Float]) {
            (self.step, self.weights, self.first, self.second) = (step, weights, first, second)
        }
    }

    /// All ranks must ask for it together.
    package var state: State {
        get {
            var (first, second) = (first, second)
            shareTables(&first, layout)
            shareTables(&second, layout)
            return State(step: stepNumber, weights: towers.weights, first: first, second: second)
        }
        set {
            let sizes = [newValue.weights.count, newValue.first.count, newValue.second.count]
            precondition(sizes.allSatisfy { $0 == layout.weightCount })
            (stepNumber, towers.weights, first, second) = (
                newValue.step, newValue.weights, newValue.first, newValue.second
            )
        }
    }

    /// - Returns: the sum of the examples' losses before the step.
    package func train(_ step: EpochSchedule.Step, epoch: Int, labelShare: [Double], rate: Float) -> Double {
        stepNumber += 1
        let loss = accumulate(step, epoch: epoch, labelShare: labelShare)
        let (layout, ranges) = (layout, ownWeights)
        Adam().update(
            weights: &towers.weights, gradient: &gradient, first: &first, second: &second, ranges: ranges,
            Adam().scale(step: stepNumber, rate: rate, l2: parameters.l2), workers: workers)
        shareTables(&towers.weights, layout)
        if let decay = layout.tensor("learner.decay") {
            for i in decay.range { towers.weights[i] = max(0, towers.weights[i]) }
        }
        return loss
    }

    /// Adds the gradient of the mean loss of a step to `gradient`; returns the summed loss.
    package func accumulate(_ step: EpochSchedule.Step, epoch: Int, labelShare: [Double]) -> Double {
        let batch = TowerBatch(step, epoch: epoch, trainer: self)
        let pairs = loss == .sampledBCE ? negativePairs(batch, labelShare) : nil
        let candidates = pairs?.candidates(courseCount: data.courseCount) ?? candidates(batch, labelShare)
        var loss = 0.0
        towers.weights.withUnsafeBufferPointer { weights in
            let pass = TowerStep(
                trainer: self, batch: batch, candidates: candidates, weights: weights.baseAddress!, step: stepNumber)
            pass.forwardCourses()
            loss = pairs.map { pass.forwardAndBackwardLearners($0) } ?? pass.forwardAndBackwardLearners()
            pass.backwardCourses()
            gradient.withUnsafeMutableBufferPointer { pass.addGradients(to: $0.baseAddress!) }
        }
        return loss
    }

    /// What a step's examples lose in all where each one's candidates have the same logit.
    func lossOfEqualLogits(_ step: EpochSchedule.Step) -> Double {
        var resolved = ResolvedExample()
        return step.examples.reduce(0) { sum, example in
            resolved.resolve(example, hide: parameters.hide)
            let courses = data.shards[Int(example.shard)].courses
            let labels = resolved.labels.count { data.publishedAt[Int(courses[$0])] <= example.cut }
            let candidates = Int(publication.count(at: example.cut)) - resolved.context.count
            return sum + loss.ofEqualLogits(labels: labels, candidates: max(candidates, 1), rho: parameters.rho)
        }
    }

    // MARK: Ranks

    /// Whether ranks share a step's learners, and the rows of the tables: each then steps its own. With attention, and for
    /// single pairs, a rank needs more of the others' learners than their sums: then each does all of it.
    var isDealt: Bool { workers.ranks.areSeveral && parameters.learnerInput != .attention && loss != .sampledBCE }

    /// The weights whose gradient this rank has: its rows of the tables and all that is no table. nil: all.
    private var ownWeights: [Range<Int>]? {
        if !isDealt { return nil }
        let own = workers.own(layout.tableBlocks)
        var ranges: [Range<Int>] = []
        var end = 0
        for table in layout.tables {
            ranges.append(end..<table.offset)
            ranges.append(
                table.offset + layout.tableStart(own.lowerBound)..<table.offset + layout.tableStart(own.upperBound))
            end = table.range.upperBound
        }
        return ranges + [end..<layout.weightCount]
    }

    /// Completes what each rank holds for its rows of the tables.
    /// - Parameter layout: not read from `towers`, whose weights these may be.
    private func shareTables(_ values: inout [Float], _ layout: TowerLayout) {
        if !isDealt { return }
        values.withUnsafeMutableBufferPointer { values in
            var due = Meeting(workers)
            for table in layout.tables {
                due.add(values.baseAddress! + table.offset, items: layout.tableBlocks) { layout.tableStart($0) }
            }
            due.hold()
        }
    }

    private func negativePairs(_ batch: TowerBatch, _ labelShare: [Double]) -> NegativePairs {
        let sampler = NegativeSampler(parameters, publication: publication, labelShare: labelShare)
        return NegativePairs(batch, sampler, step: stepNumber, workers: workers)
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
    /// Courses in that order, and each course's place in it.
    let order: [UInt32]
    let rank: [Int32]
    private let times: [Int64]

    var courseCount: Int { order.count }

    init(_ publishedAt: [Int64]) {
        let order = publishedAt.indices.sorted { (publishedAt[$0], $0) < (publishedAt[$1], $1) }
        times = order.map { publishedAt[$0] }
        self.order = order.map { UInt32($0) }
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

/// The whole context of an example, hidden moments included: these courses are no candidates.
struct ExampleContext {
    private(set) var courses: [UInt32] = []
    private(set) var times: [Int64] = []
    private var resolved = ResolvedExample()

    mutating func resolve(_ example: Example, hide: Double, _ moments: Moments) {
        resolved.resolve(example, hide: hide)
        courses.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        for at in resolved.context {
            courses.append(moments.courses[at])
            times.append(moments.times[at])
        }
    }
}

/// The examples of a step.
struct TowerBatch {
    let examples: [Example]
    let snapshot: SnapshotInputs
    /// Filled by `fillInputs`.
    let inputs: LearnerInputs
    /// Courses of each example's labels.
    let labels: [[UInt32]]
    private let trainer: TowerTrainer
    private let epoch: Int
    private let hideKey: RandomKey

    init(_ step: EpochSchedule.Step, epoch: Int, trainer: TowerTrainer) {
        let (parameters, data, examples) = (trainer.parameters, trainer.data, step.examples)
        self.examples = examples
        (self.trainer, self.epoch) = (trainer, epoch)
        hideKey = RandomKey(seed: parameters.seed, purpose: "ncf.hide")
        snapshot = trainer.inputs(step.snapshot)
        inputs = LearnerInputs(lengths: examples.map(\.context.count), input: parameters.learnerInput)
        var resolved = ResolvedExample()
        labels = examples.map { example in
            resolved.resolve(example, hide: parameters.hide)
            let courses = data.shards[Int(example.shard)].courses
            return resolved.labels.map { courses[$0] }.filter { data.publishedAt[Int($0)] <= example.cut }
        }
    }

    func inputBuilder() -> LearnerInputBuilder {
        LearnerInputBuilder(
            courseCount: trainer.data.courseCount,
            cowatch: trainer.parameters.learnerRows == .cowatch ? snapshot : nil, decay: trainer.towers.decay)
    }

    /// Replaces `contexts` by those of some examples.
    func resolve(_ rows: Range<Int>, _ contexts: inout [ExampleContext]) {
        while contexts.count < rows.count { contexts.append(ExampleContext()) }
        for (index, row) in rows.enumerated() {
            let example = examples[row]
            contexts[index].resolve(example, hide: trainer.parameters.hide, trainer.data.shards[Int(example.shard)])
        }
    }

    /// Draws the hidden moments of some examples and builds their learner inputs.
    func fillInputs(_ rows: Range<Int>, _ contexts: [ExampleContext], _ builder: inout LearnerInputBuilder) {
        let hide = trainer.parameters.hide
        for (index, row) in rows.enumerated() {
            let (example, context) = (examples[row], contexts[index])
            let id = UInt64(example.shard) << 32 | UInt64(example.learner)
            var random = hideKey.stream(UInt64(epoch), mix(id) ^ UInt64(bitPattern: example.cut))
            let hides = hide > 0 && example.hideKey == 0
            builder.begin()
            for k in context.courses.indices {
                // The newest moment always stays.
                if hides && k < context.courses.count - 1 && random.uniform() < hide { continue }
                builder.append(context.courses[k], context.times[k])
            }
            builder.finish(row, at: example.cut, into: inputs)
        }
    }

    func allLabels() -> [UInt32] { labels.flatMap { $0 } }

    static func rows(_ block: Int, _ count: Int, _ size: Int) -> Range<Int> {
        block * size..<min((block + 1) * size, count)
    }
}

/// How ranks share the rows of the tables: in blocks of courses.
extension TowerLayout {
    /// Ascending in the buffer of weights.
    fileprivate var tables: [Tensor] { [tensor("learner.table")!, tensor("course.table")!] }
    fileprivate var tableBlocks: Int { (courseCount + TowerTrainer.courseBlock - 1) / TowerTrainer.courseBlock }
    /// Where a block begins in a table.
    fileprivate func tableStart(_ block: Int) -> Int { min(block * TowerTrainer.courseBlock, courseCount) * width }
}
