import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit
import StoredModels

/// Ranks every learner of the platform as of T by the refitted models, shard by shard.
struct FinalRanking {
    let inputs: BlendInputs
    let blend: StoredBlend
    /// How wide the scores spread that fitted the blend.
    let spread: (ncf: ScoreSpread, glmix: ScoreSpread)
    let models: StoredModels
    let courses: CourseTraits

    private var time: Int64 { inputs.windows.asOf }

    init(_ inputs: BlendInputs, _ blend: StoredBlend, _ spread: (ncf: ScoreSpread, glmix: ScoreSpread)) throws {
        (self.inputs, self.blend, self.spread) = (inputs, blend, spread)
        models = try inputs.models(.refit, at: inputs.windows.asOf)
        courses = inputs.courses(models, at: inputs.windows.asOf)
    }

    /// How wide the scores of a shard's measured learners spread, and how many learners and entries were ranked.
    private struct Tally: Codable {
        var ncf = ScoreSpread()
        var glmix = ScoreSpread()
        var learners = 0
        var entries = 0
        var short = 0
    }

    func write() throws {
        let stage = inputs.stage
        stage.count("eligible courses", courses.eligibleCount)
        let progress = stage.progress("rank", total: stage.allWorkers.own(inputs.shards).count, unit: "shards")
        let tallies = try stage.deal(inputs.shards) { shard -> Tally in
            let tally = try write(shard)
            progress.advance(1)
            return tally
        }
        try writeDefaults()
        var now = (ncf: ScoreSpread(), glmix: ScoreSpread())
        for tally in tallies {
            now.ncf += tally.ncf
            now.glmix += tally.glmix
            stage.count("learners ranked", tally.learners)
            stage.count("candidates", tally.entries)
            stage.count("learners with fewer candidates", tally.short)
        }
        noteScale("ncf", now.ncf.ratio(to: spread.ncf))
        noteScale("glmix", now.glmix.ratio(to: spread.glmix))
    }

    private func write(_ shard: Int) throws -> Tally {
        // Shards are the work items: within one, a single thread.
        let alone = Workers(count: 1)
        let learners = try inputs.learners(shard)
        let moments = inputs.moments[shard]
        let vectors = try NCFShards.learnerVectors(inputs.ncf, .refit, shard, of: inputs.shards)
        let scorers = models.bind(
            moments, learners.attributes, try inputs.effects(.refit, shard), vectors: vectors, workers: alone)
        let scores = ModelScores(
            ncf: scorers.ncf, glmix: scorers.glmix, courses: courses,
            exclusions: try inputs.history(shard, before: time))
        let traits = inputs.traits(moments, at: time, segments: blend.segments(learners.attributes))
        let ranked = rank(scores, traits, blend.model, measured: ScoreSpread.sample(moments, inputs.windows), alone)
        try inputs.stage.write(
            BlendedShards.encode(Candidates(ranked)), as: BlendedShards.candidates(shard, of: inputs.shards))
        try inputs.stage.write(BlendedShards.encode(single(ranked)), as: BlendedShards.single(shard, of: inputs.shards))
        var tally = Tally(
            learners: ranked.count, entries: ranked.reduce(0) { $0 + $1.courses.count },
            short: ranked.count { $0.courses.count < blend.candidates })
        for (learner, traits) in zip(ranked, traits) {
            guard let variances = learner.variances else { continue }
            tally.ncf.add(variances.ncf, isCold: traits.isCold)
            tally.glmix.add(variances.glmix, isCold: traits.isCold)
        }
        return tally
    }

    private func rank(
        _ scores: ModelScores, _ traits: [LearnerTraits], _ model: BlendModel, measured: [Bool] = [],
        _ workers: Workers
    ) -> [RankedLearner] {
        scores.rank(
            model, scales: blend.scales, traits: traits, candidates: blend.candidates,
            alone: inputs.settings.alone, measured: measured, workers: workers)
    }

    /// Learners of whom nothing is known but, from row 1 on, their segment.
    private func writeDefaults() throws {
        let segments = inputs.learnerDictionaries[BlendSegments.column]?.values.count ?? 0
        let columns = try inputs.learners(0).attributes.columns
        let rows = segments + 1
        var table = AttributeTable(rows: rows, columns: columns.mapValues { $0.missing(rows: rows) })
        if table.columns[BlendSegments.column] != nil {
            table.columns[BlendSegments.column] = .categorical(
                codes: [0] + (0..<UInt32(segments)).map { $0 }, valid: (0..<rows).map { $0 > 0 })
        }
        let effects = try inputs.effects(.refit, 0).missing(learners: rows)
        let moments = Moments(offsets: [Int](repeating: 0, count: rows + 1), courses: [], times: [])
        let scorers = models.bind(moments, table, effects, workers: inputs.workers)
        var nothing = CourseSets()
        for _ in 0..<rows { nothing.append([]) }
        let scores = ModelScores(ncf: scorers.ncf, glmix: scorers.glmix, courses: courses, exclusions: nothing)
        let traits = inputs.traits(moments, at: time, segments: blend.segments(table))
        var ranked = rank(scores, traits, blend.model, inputs.workers)
        // The blend's weights for newcomers come from newcomers with profiles. Of whom not even the segment is known, GLMix
        // can only say what it says of a missing profile, which is another thing: the trend alone.
        if scorers.ncf.parts(0).contains(.trend) {
            var trend = blend.model
            trend.cold.choice = .ncf
            ranked[0] = rank(scores, traits, trend, inputs.workers)[0]
        }
        try inputs.stage.write(BlendedShards.encode(Candidates(ranked)), as: BlendedShards.defaults)
        try inputs.stage.write(BlendedShards.encode(single(ranked)), as: BlendedShards.defaultSingle)
    }

    private func single(_ ranked: [RankedLearner]) -> BlendedShards.SingleLists {
        BlendedShards.SingleLists(
            ncf: RankedLists(ranked.map(\.ncfAlone)), glmix: RankedLists(ranked.map(\.glmixAlone)))
    }

    /// How much wider the refitted model's scores spread than those that fitted the blend.
    private func noteScale(_ name: String, _ ratio: Double) {
        inputs.stage.manifest.facts["scale_ratio_\(name)"] = .number(ratio)
        if ratio < 0.5 || ratio > 2 {
            inputs.stage.warn(
                "\(name): after the refit scores spread \(ratio) times as wide as when the blend was fitted")
        }
    }
}
