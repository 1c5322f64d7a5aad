import LinearAlgebra
import Metrics
import Platform
import Ranking

/// Chooses the parameters of baselines by NDCG@20 on validation half A: lists as of t_v, labels of `[t_v, T)`. Nothing at
/// or after T takes part.
struct BaselineChoice {
    static let cutoff = 20
    /// Learners that are ranked, at most.
    static let mostLearners = 2_000

    private struct Judge: Sendable {
        var shard: Int
        var row: Int
        var labels: [UInt32]
        var removed: ArraySlice<UInt32>
        var isWarm: Bool
    }

    let source: BaselineSource
    let windows: TimeWindows
    /// By course: eligible at t_v.
    let eligible: [Bool]
    private let judges: [Judge]

    /// - Parameters:
    ///   - hashes: `LearnerHash` of each shard's learners.
    ///   - removed: by shard, what does not compete for each learner.
    init(
        _ source: BaselineSource, windows: TimeWindows, hashes: [[UInt64]], eligible: [Bool], removed: [CourseSets]
    ) {
        (self.source, self.windows, self.eligible) = (source, windows, eligible)
        var all: [(judge: Judge, hash: UInt64)] = []
        for (shard, moments) in source.moments.enumerated() {
            for row in 0..<moments.learnerCount {
                let labels = moments.range(row, from: windows.validation, to: windows.asOf)
                if labels.isEmpty { continue }
                let isWarm = !moments.range(row, from: .min, to: windows.validation).isEmpty
                let judge = Judge(
                    shard: shard, row: row, labels: moments.courses[labels].sorted(),
                    removed: removed[shard][row], isWarm: isWarm)
                all.append((judge, hashes[shard][row]))
            }
        }
        if all.count >= TimeWindows.leastToHalve { all = all.filter { LearnerHash.half($0.hash) == .a } }
        // The order of hashes is random but for the seed.
        judges = all.sorted { $0.hash < $1.hash }.prefix(Self.mostLearners).map(\.judge)
    }

    /// The best candidate of each family.
    /// - Parameter snapshot: the co-watch matrices of t_v; read only if there is a choice.
    func choose(_ families: [BaselineFamily], snapshot: () throws -> CoWatchSnapshot) rethrows -> [Baseline] {
        let open = families.filter { $0.candidates.count > 1 }
        if open.isEmpty { return families.map { $0.candidates[0] } }
        let models = BaselineModels(
            source, snapshot: try snapshot(), at: windows.validation, fitting: open.flatMap(\.candidates))
        return families.map { family in
            if family.candidates.count == 1 { return family.candidates[0] }
            let members = judges.filter { family.isForColdToo || $0.isWarm }
            var (best, highest) = (family.candidates[0], -1.0)
            for candidate in family.candidates {
                let quality = quality(candidate, models, members)
                if quality > highest { (best, highest) = (candidate, quality) }
            }
            return best
        }
    }

    private func quality(_ baseline: Baseline, _ models: BaselineModels, _ members: [Judge]) -> Double {
        let scorers = source.moments.indices.map {
            models.scorer(baseline, shard: $0, moments: source.moments[$0])
        }
        let block = 64
        let sums = source.workers.map((members.count + block - 1) / block) { index -> Double in
            var maker = ListMaker(eligible: eligible, depth: Self.cutoff)
            return members[index * block..<min((index + 1) * block, members.count)].reduce(0) { sum, judge in
                maker.begin(without: judge.removed)
                let list = maker.list(scorers[judge.shard], learner: judge.row)
                return sum + RankedHits(ranked: list, relevant: judge.labels).ndcg(at: Self.cutoff)
            }
        }
        return treeSum(sums) / Double(max(members.count, 1))
    }
}
