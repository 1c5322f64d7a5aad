import Baselines
import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit
import StoredModels

/// The validation learners of half B, from all shards, as one group: their contexts before t_v, their labels in
/// `[t_v, T)`, and both models of `fit/` bound to them.
struct ValidationSet {
    /// In shard order.
    let members: [(shard: Int, learner: Int)]
    let group: ValidationGroup
    let segmentCodes: [UInt32]
    /// Whether both halves are all learners, because there are so few.
    let isHalved: Bool

    private struct Part {
        var rows: [Int]
        var attributes: AttributeTable
        var hashes: [UInt64]
        var effects: LearnerEffects
        /// As `ncf/fit` has them: a model over ids knows learners by nothing else.
        var vectors: Matrix
        var excluded: CourseSets
    }

    init(_ inputs: BlendInputs) throws {
        let time = inputs.windows.validation
        let candidates = try Self.learnersWithLabels(inputs)
        let all = candidates.flatMap { $0 }
        isHalved = all.count >= TimeWindows.leastToHalve
        let half = isHalved ? all.filter { LearnerHash.half($0.hash) == .b } : all
        let chosen = half.sorted { (mix($0.hash), $0.shard, $0.learner) < (mix($1.hash), $1.shard, $1.learner) }
            .prefix(inputs.settings.mostLearners)
        let byShard = (0..<inputs.shards).map { shard in
            chosen.filter { $0.shard == shard }.map(\.learner).sorted()
        }
        let parts = try inputs.workers.map(inputs.shards) { try Self.part(inputs, $0, byShard[$0]) }
        members = parts.enumerated().flatMap { shard, part in part.rows.map { (shard, $0) } }

        let moments = Moments.concatenated(parts.enumerated().map { inputs.moments[$0].subset($1.rows) })
        let attributes = AttributeTable.concatenated(parts.map(\.attributes))
        var excluded = CourseSets()
        for part in parts { for l in 0..<part.excluded.learnerCount { excluded.append(Array(part.excluded[l])) } }
        var relevant = CourseSets()
        for l in 0..<moments.learnerCount {
            relevant.append(Array(moments.courses[moments.range(l, from: time, to: inputs.windows.asOf)]))
        }
        let models = try inputs.models(.fit, at: time)
        let scorers = models.bind(
            moments, attributes, LearnerEffects.concatenated(parts.map(\.effects)),
            vectors: Matrix(
                rows: members.count, columns: models.ncf.towers.courseVectors.columns,
                values: parts.flatMap(\.vectors.values)), workers: inputs.workers)
        segmentCodes = BlendSegments.codes(attributes)
        let segments = BlendSegments.numbers(attributes, codes: segmentCodes)
        let orders = Self.orders(inputs, at: time)
        group = ValidationGroup(
            scores: ModelScores(
                ncf: scorers.ncf, glmix: scorers.glmix, courses: inputs.courses(models, at: time), exclusions: excluded),
            traits: inputs.traits(moments, at: time, segments: segments), hashes: parts.flatMap(\.hashes),
            relevant: relevant, popularOrder: orders.popular, recentOrder: orders.recent)
    }

    private static func learnersWithLabels(
        _ inputs: BlendInputs
    ) throws -> [[(shard: Int, learner: Int, hash: UInt64)]] {
        try inputs.workers.map(inputs.shards) { shard in
            let moments = inputs.moments[shard]
            let rows = (0..<moments.learnerCount).filter {
                !moments.range($0, from: inputs.windows.validation, to: inputs.windows.asOf).isEmpty
            }
            if rows.isEmpty { return [] }
            let ids = try inputs.learners(shard).ids
            return rows.map { (shard, $0, LearnerHash.of(ids[$0].utf8)) }
        }
    }

    private static func part(_ inputs: BlendInputs, _ shard: Int, _ rows: [Int]) throws -> Part {
        let learners = try inputs.learners(shard)
        let time = inputs.windows.validation
        let moments = inputs.moments[shard].subset(rows)
        return Part(
            rows: rows, attributes: learners.attributes.subset(rows),
            hashes: rows.map { LearnerHash.of(learners.ids[$0].utf8) },
            effects: try inputs.effects(.fit, shard).subset(rows), vectors: try vectors(inputs, shard, rows),
            // A course of the context can be no label; what raw history excludes in export is excluded here too.
            excluded: CourseSets(moments, before: time)
                .union(try inputs.history(shard, before: time).subset(rows)))
    }

    private static func vectors(_ inputs: BlendInputs, _ shard: Int, _ rows: [Int]) throws -> Matrix {
        let all = try NCFShards.learnerVectors(inputs.ncf, .fit, shard, of: inputs.shards)
        return Matrix(
            rows: rows.count, columns: all.columns,
            values: rows.flatMap { all.values[$0 * all.columns..<($0 + 1) * all.columns] })
    }

    /// Courses by popularity before t_v, as the baselines have it.
    private static func orders(_ inputs: BlendInputs, at time: Int64) -> (popular: [UInt32], recent: [UInt32]) {
        let count = inputs.catalogue.count
        let all = Popularity.counts(inputs.moments, courseCount: count, to: time)
        let recent = Popularity.counts(
            inputs.moments, courseCount: count, from: time - 28 * Popularity.day, to: time)
        func order(_ scores: [Float]) -> [UInt32] {
            (0..<UInt32(count)).sorted { (-scores[Int($0)], $0) < (-scores[Int($1)], $1) }
        }
        return (order(Popularity.scores(all)), order(Popularity.scores(recent: recent, all: all)))
    }
}
