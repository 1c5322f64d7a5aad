import LinearAlgebra
import Platform

/// One (learner, cut): the context and the labels are ranges of the moments of the learner's shard, which has less than 2³¹.
package struct Example: Sendable, Equatable, BitwiseCopyable {
    package var shard: Int32
    package var learner: Int32
    /// Seconds; the model looks from here.
    package var cut: Int64
    package var context: Range<Int> { Int(contextStart)..<Int(contextEnd) }
    /// Those of courses that are published only after the cut do not count.
    package var labels: Range<Int> { Int(labelStart)..<Int(labelEnd) }
    /// The newest co-watch snapshot at or before the cut; −1: none yet, courses enter by the diagonal.
    package var snapshot: Int32
    /// 0, or with random cuts the key that decides which moments of `context` are hidden and so labels.
    package var hideKey: UInt64
    // Plain numbers: ranks send each other examples as they lie in memory.
    private var contextStart, contextEnd, labelStart, labelEnd: Int32

    package init(
        shard: Int, learner: Int, cut: Int64, context: Range<Int>, labels: Range<Int>, snapshot: Int?,
        hideKey: UInt64 = 0
    ) {
        (self.shard, self.learner, self.cut) = (Int32(shard), Int32(learner), cut)
        (contextStart, contextEnd) = (Int32(context.lowerBound), Int32(context.upperBound))
        (labelStart, labelEnd) = (Int32(labels.lowerBound), Int32(labels.upperBound))
        (self.snapshot, self.hideKey) = (Int32(snapshot ?? -1), hideKey)
    }
}

/// Lists the examples of an epoch (docs/ncf.md, "Examples").
package struct ExampleSource: Sendable {
    let data: NCFData
    /// t_i, any order.
    let snapshotCuts: [Int64]
    /// No label and no cut at or after it (t_v, or T in the refit).
    let end: Int64
    let history: Int64
    let labelWindow: Int64
    let parameters: NCFParameters
    /// Empty contexts train only what scores them: a course bias.
    let keepsEmptyContexts: Bool

    package init(
        data: NCFData, snapshotCuts: [Int64], end: Int64, windows: TimeWindows, parameters: NCFParameters
    ) {
        (self.data, self.snapshotCuts, self.end, self.parameters) = (data, snapshotCuts, end, parameters)
        (history, labelWindow) = (windows.history, windows.labelWindow)
        // Without a trend of their own, empty contexts are scored by course biases, which they must train.
        keepsEmptyContexts = parameters.output == .dot
    }

    /// The snapshot cuts with labels of a shard's learners; empty contexts too.
    package func snapshotExamples(_ shard: Int) -> [Example] {
        var list: [Example] = []
        for learner in 0..<data.shards[shard].learnerCount {
            for cut in snapshotCuts { append(shard, learner, cut, keepsEmpty: true, to: &list) }
        }
        return list
    }

    package func snapshotExamples(workers: Workers) -> [Example] {
        workers.map(data.shards.count) { snapshotExamples($0) }.flatMap { $0 }
    }

    /// Courses of an example's labels: those that were candidates at its cut.
    package func labels(_ example: Example) -> [Int] {
        let courses = data.shards[Int(example.shard)].courses
        return example.labels.lazy.map { Int(courses[$0]) }.filter { isPublished($0, at: example.cut) }
    }

    private func isPublished(_ course: Int, at cut: Int64) -> Bool { data.publishedAt[course] <= cut }

    /// In how many snapshot cuts' label windows a moment lies, at least 1.
    var cutsPerLabel: Double {
        let sorted = snapshotCuts.sorted()
        guard let first = sorted.first, let last = sorted.last, last > first else { return 1 }
        let stride = Double(last - first) / Double(sorted.count - 1)
        return max(1, min(Double(labelWindow) / stride, Double(sorted.count)))
    }

    /// One epoch's examples, shard by shard; at most about `examplesPerEpoch`. Memory: these, and per thread all those of one
    /// shard: shards are counted first, by listing them, and listed again when it is known what is drawn of them.
    package func epoch(_ epoch: Int, workers: Workers) -> [[Example]] {
        var part = Part()
        let counts = workers.dealtRows(data.shards.count, width: 2) { shard in
            let list = examples(shard, epoch, part)
            return [Double(list.count), Double(list.count { $0.context.isEmpty })]
        }
        let empty = Int(counts.reduce(0) { $0 + $1[1] })
        var all = Int(counts.reduce(0) { $0 + $1[0] })
        let allowed = parameters.emptyShare / max(1 - parameters.emptyShare, 1e-9) * Double(all - empty)
        if empty < all && Double(empty) > allowed {
            let share = allowed / Double(empty)
            part.ofEmpty = share
            all -= empty
            for (shard, count) in counts.enumerated() {
                var random = drawing("ncf.empty", epoch, shard)
                all += (0..<Int(count[1])).count { _ in random.uniform() < share }
            }
        }
        if all > parameters.examplesPerEpoch { part.ofAll = Double(parameters.examplesPerEpoch) / Double(all) }
        return workers.dealtLists(data.shards.count) { examples($0, epoch, part) }
    }

    /// What is drawn of the examples with an empty context, then of all; nil: each.
    private struct Part {
        var ofEmpty: Double?
        var ofAll: Double?
    }

    private func examples(_ shard: Int, _ epoch: Int, _ part: Part) -> [Example] {
        let key = RandomKey(seed: parameters.seed, purpose: "ncf.examples")
        var list: [Example] = []
        for learner in 0..<data.shards[shard].learnerCount {
            var random = key.stream(epoch, shard << 32 | learner)
            appendExamples(shard, learner, using: &random, to: &list)
        }
        func thin(_ share: Double, _ purpose: String, where applies: (Example) -> Bool) {
            var random = drawing(purpose, epoch, shard)
            list = list.filter { !applies($0) || random.uniform() < share }
        }
        if let share = part.ofEmpty { thin(share, "ncf.empty") { $0.context.isEmpty } }
        if let share = part.ofAll { thin(share, "ncf.cap") { _ in true } }
        return list
    }

    /// One number per example that a share is drawn of: it stays if that is below the share.
    private func drawing(_ purpose: String, _ epoch: Int, _ shard: Int) -> CounterRandom {
        RandomKey(seed: parameters.seed, purpose: purpose).stream(epoch, shard)
    }

    private func appendExamples(
        _ shard: Int, _ learner: Int, using random: inout CounterRandom, to list: inout [Example]
    ) {
        if parameters.examples == .random { return appendRandom(shard, learner, using: &random, to: &list) }
        if parameters.examples != .rolling {
            for cut in snapshotCuts { append(shard, learner, cut, keepsEmpty: keepsEmptyContexts, to: &list) }
        }
        if parameters.examples == .snapshots { return }
        var cuts = rollingCuts(shard, learner)
        if cuts.count > parameters.cutsPerLearner {
            random.shuffle(&cuts)
            cuts.removeLast(cuts.count - parameters.cutsPerLearner)
            cuts.sort()
        }
        for cut in cuts { append(shard, learner, cut, keepsEmpty: keepsEmptyContexts, to: &list) }
    }

    /// Each distinct moment before the end.
    private func rollingCuts(_ shard: Int, _ learner: Int) -> [Int64] {
        let moments = data.shards[shard]
        var cuts: [Int64] = []
        for at in moments.range(learner, from: .min, to: end) where moments.times[at] != cuts.last {
            cuts.append(moments.times[at])
        }
        return cuts
    }

    private func append(_ shard: Int, _ learner: Int, _ cut: Int64, keepsEmpty: Bool, to list: inout [Example]) {
        let moments = data.shards[shard]
        let labels = moments.range(learner, from: cut, to: min(cut + labelWindow, end))
        if !labels.contains(where: { isPublished(Int(moments.courses[$0]), at: cut) }) { return }
        let context = moments.range(learner, from: cut - history, to: cut)
        if context.isEmpty && !keepsEmpty { return }
        list.append(
            Example(
                shard: shard, learner: learner, cut: cut, context: context, labels: labels,
                snapshot: data.snapshot(at: cut)))
    }

    private func appendRandom(
        _ shard: Int, _ learner: Int, using random: inout CounterRandom, to list: inout [Example]
    ) {
        let all = data.shards[shard].range(learner, from: .min, to: end)
        if all.count < 2 { return }
        list.append(
            Example(
                shard: shard, learner: learner, cut: end, context: all, labels: all, snapshot: data.snapshot(at: end),
                hideKey: random.next() | 1))
    }
}

/// Which of a learner's moments are context and which are labels, after random cuts and hiding.
struct ResolvedExample {
    /// Positions in the shard's moments, ascending.
    private(set) var context: [Int] = []
    private(set) var labels: [Int] = []

    mutating func resolve(_ example: Example, hide: Double) {
        context.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        if example.hideKey == 0 {
            context.append(contentsOf: example.context)
            labels.append(contentsOf: example.labels)
            return
        }
        var random = RandomKey(seed: example.hideKey, purpose: "ncf.random").stream()
        for at in example.context {
            if random.uniform() < hide { labels.append(at) } else { context.append(at) }
        }
        // Neither side may be empty: the newest or the first item changes sides.
        if labels.isEmpty { labels.append(context.removeLast()) }
        if context.isEmpty { context.append(labels.removeFirst()) }
    }
}
