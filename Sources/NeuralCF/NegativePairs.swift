import LinearAlgebra

/// What `sampled-bce` scores of a step: of each example its labels, then `negatives` drawn courses per label.
///
/// A draw takes course c with probability q_c among the example's candidates (published, neither context nor label),
/// q_c ∝ popularity^α, with replacement. Weighted by 1/(expected number of draws of c), the sum over the drawn courses
/// is unbiased for the sum over all candidates of `bce`; with weight 1 it is the loss of the papers (He et al. 2017,
/// arXiv:1708.05031).
struct NegativePairs {
    /// Pairs of example i are `offsets[i]..<offsets[i + 1]`; the first `labelCount[i]` are its labels.
    private(set) var offsets: [Int] = [0]
    private(set) var labelCount: [Int] = []
    private(set) var courses: [UInt32] = []
    private(set) var weights: [Float] = []

    init(_ batch: TowerBatch, _ sampler: NegativeSampler, step: Int, workers: Workers) {
        let count = batch.examples.count
        let blocks = (count + TowerTrainer.learnerBlock - 1) / TowerTrainer.learnerBlock
        let parts = workers.map(blocks) { block in
            var seen = [Bool](repeating: false, count: sampler.courseCount)
            var (courses, weights): ([UInt32], [Float]) = ([], [])
            var ends: [Int] = []
            var contexts: [ExampleContext] = []
            let rows = TowerBatch.rows(block, count, TowerTrainer.learnerBlock)
            batch.resolve(rows, &contexts)
            for (index, row) in rows.enumerated() {
                sampler.append(
                    labels: batch.labels[row], context: contexts[index].courses, cut: batch.examples[row].cut,
                    step: step, row: row, seen: &seen, &courses, &weights)
                ends.append(courses.count)
            }
            return (courses, weights, ends)
        }
        for part in parts {
            let base = courses.count
            courses += part.0
            weights += part.1
            offsets += part.2.map { $0 + base }
        }
        labelCount = batch.labels.map(\.count)
    }

    /// The courses that occur.
    func candidates(courseCount: Int) -> Candidates {
        var slots = [Int32](repeating: -1, count: courseCount)
        for course in courses { slots[Int(course)] = 0 }
        var list: [UInt32] = []
        for course in 0..<courseCount where slots[course] == 0 {
            slots[course] = Int32(list.count)
            list.append(UInt32(course))
        }
        return Candidates(courses: list, slots: slots, logProbability: [])
    }
}

/// Draws an example's negatives.
struct NegativeSampler {
    let publication: PublicationOrder
    let perLabel: Int
    let weighted: Bool
    /// Σ popularity^α over the courses of lower rank in the order of publication; nil: every course counts 1.
    private let cumulative: [Double]?
    private let key: RandomKey

    var courseCount: Int { publication.courseCount }

    /// - Parameter labelShare: popularity, as each course's share of an epoch's labels; a hundredth of the mean share is
    ///   added, so that every course can be drawn.
    init(_ parameters: NCFParameters, publication: PublicationOrder, labelShare: [Double]) {
        self.publication = publication
        (perLabel, weighted) = (parameters.negatives, parameters.negativeWeight == .expected)
        key = RandomKey(seed: parameters.seed, purpose: "ncf.negatives")
        if parameters.negativePower == 0 {
            cumulative = nil
        } else {
            let smoothing = 0.01 / Double(max(labelShare.count, 1))
            var sums = [0.0]
            for course in publication.order {
                let mass = Scalar.exp(parameters.negativePower * Scalar.log(labelShare[Int(course)] + smoothing))
                sums.append(sums[sums.count - 1] + mass)
            }
            cumulative = sums
        }
    }

    private func mass(_ rank: Int) -> Double { cumulative.map { $0[rank + 1] - $0[rank] } ?? 1 }

    /// - Parameter seen: all false before and after.
    func append(
        labels: [UInt32], context: [UInt32], cut: Int64, step: Int, row: Int, seen: inout [Bool],
        _ courses: inout [UInt32], _ weights: inout [Float]
    ) {
        courses += labels
        weights += repeatElement(1, count: labels.count)
        let published = Int(publication.count(at: cut))
        let total = cumulative.map { $0[published] } ?? Double(published)
        var (open, openMass) = (published, total)
        for course in [labels, context].joined() where !seen[Int(course)] {
            seen[Int(course)] = true
            let rank = Int(publication.rank[Int(course)])
            if rank < published {
                open -= 1
                openMass -= mass(rank)
            }
        }
        if open > 0 {
            let draws = perLabel * labels.count
            var random = key.stream(step, row)
            for _ in 0..<draws {
                var rank = draw(published, total, &random)
                while seen[Int(publication.order[rank])] { rank = draw(published, total, &random) }
                courses.append(publication.order[rank])
                weights.append(weighted ? Float(openMass / (Double(draws) * mass(rank))) : 1)
            }
        }
        for course in [labels, context].joined() { seen[Int(course)] = false }
    }

    @inline(__always)
    private func draw(_ published: Int, _ total: Double, _ random: inout CounterRandom) -> Int {
        guard let cumulative else { return random.below(published) }
        let at = random.uniform() * total
        var (low, high) = (0, published - 1)  // the last rank whose sum of lower ones is ≤ at
        while low < high {
            let middle = (low + high + 1) / 2
            if cumulative[middle] <= at { low = middle } else { high = middle - 1 }
        }
        return low
    }
}

/// Pairs sorted by course, so that each course's gradient is one thread's own sum.
struct PairsByCourse {
    private let offsets: [Int]
    private var rows: [UInt32]
    private var gradients: [Float]

    init(_ pairs: NegativePairs, _ gradients: [Float], _ candidates: Candidates) {
        var starts = [Int](repeating: 0, count: candidates.count + 1)
        for course in pairs.courses { starts[Int(candidates.slots[Int(course)]) + 1] += 1 }
        for i in 0..<candidates.count { starts[i + 1] += starts[i] }
        offsets = starts
        rows = [UInt32](repeating: 0, count: pairs.courses.count)
        self.gradients = [Float](repeating: 0, count: pairs.courses.count)
        for row in 0..<pairs.labelCount.count {
            for at in pairs.offsets[row]..<pairs.offsets[row + 1] {
                let slot = Int(candidates.slots[Int(pairs.courses[at])])
                rows[starts[slot]] = UInt32(row)
                self.gradients[starts[slot]] = gradients[at]
                starts[slot] += 1
            }
        }
    }

    /// out = Σ gradient·units[row] over the pairs of a course; returns Σ gradient.
    func gather(
        _ slot: Int, _ units: UnsafePointer<Float>, width: Int, into out: UnsafeMutablePointer<Float>
    ) -> Float {
        out.update(repeating: 0, count: width)
        let range = offsets[slot]..<offsets[slot + 1]
        rows.withUnsafeBufferPointer { rows in
            gradients.withUnsafeBufferPointer {
                Vector.addRows(
                    range.count, rows.baseAddress! + range.lowerBound, slot: nil, $0.baseAddress! + range.lowerBound,
                    of: units, width: width, to: out)
            }
        }
        return range.reduce(0) { $0 + gradients[$1] }
    }
}
