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
    let models: StoredModels
    let courses: CourseTraits

    private var time: Int64 { inputs.windows.asOf }

    init(_ inputs: BlendInputs, _ blend: StoredBlend) throws {
        (self.inputs, self.blend) = (inputs, blend)
        models = try inputs.models(.refit, at: inputs.windows.asOf)
        courses = inputs.courses(models, at: inputs.windows.asOf)
    }

    /// Variances of the sampled learners of a shard, and how many learners and entries were ranked.
    private struct Tally: Codable {
        var ncf: [Double] = []
        var glmix: [Double] = []
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
        for tally in tallies {
            stage.count("learners ranked", tally.learners)
            stage.count("candidates", tally.entries)
            stage.count("learners with fewer candidates", tally.short)
        }
        noteScales("ncf", tallies.flatMap(\.ncf), blend.scales.ncf)
        noteScales("glmix", tallies.flatMap(\.glmix), blend.scales.glmix)
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
        let ranked = rank(
            scores, inputs.traits(moments, at: time, segments: blend.segments(learners.attributes)), blend.model, alone)
        try inputs.stage.write(
            BlendedShards.encode(Candidates(ranked)), as: BlendedShards.candidates(shard, of: inputs.shards))
        try inputs.stage.write(BlendedShards.encode(single(ranked)), as: BlendedShards.single(shard, of: inputs.shards))
        return Tally(
            ncf: ranked.compactMap { $0.variances?.ncf }, glmix: ranked.compactMap { $0.variances?.glmix },
            learners: ranked.count, entries: ranked.reduce(0) { $0 + $1.courses.count },
            short: ranked.count { $0.courses.count < blend.candidates })
    }

    private func rank(
        _ scores: ModelScores, _ traits: [LearnerTraits], _ model: BlendModel, _ workers: Workers
    ) -> [RankedLearner] {
        scores.rank(
            model, scales: blend.scales, traits: traits, candidates: blend.candidates,
            alone: inputs.settings.alone, workers: workers)
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
    private func noteScales(_ name: String, _ variances: [Double], _ scale: Float) {
        let spread = variances.isEmpty ? 0 : (treeSum(variances) / Double(variances.count)).squareRoot()
        // A model that said nothing when the blend was fitted has scale 1 for want of a better one.
        let ratio = spread == 0 ? 1 : spread / Double(scale)
        inputs.stage.manifest.facts["scale_ratio_\(name)"] = .number(ratio)
        if ratio < 0.5 || ratio > 2 {
            inputs.stage.warn(
                "\(name): after the refit scores spread \(ratio) times as wide as when the blend was fitted")
        }
    }
}
