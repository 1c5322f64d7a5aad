import Baselines
import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit
import StoredModels

/// The `blend` section, and what it takes over from `export`.
struct BlendStageSettings {
    let fit: BlendSettings
    let candidates: Int
    let mostRecent: Int
    let alone: Int
    /// Days.
    let recentHalfLife: Double
    let mostLearners: Int
    let exclusion: HistoryExclusion
    let completedFraction: Float
    let seed: UInt64

    init(_ slice: Slice) throws {
        let prior = slice.numbers("blend.prior")
        guard prior.count == BlendLayout.scoreCount else {
            throw LecternError.configuration(
                "blend.prior: \(prior.count) weights, expected \(BlendLayout.scoreCount): ncf, glmix, recent")
        }
        fit = BlendSettings(
            priorWeights: prior, l2: slice.number("blend.l2"), folds: slice.integer("blend.folds"),
            leastLearners: slice.integer("blend.least_learners"))
        candidates = slice.integer("blend.candidates")
        mostRecent = slice.integer("blend.most_recent")
        alone = slice.integer("blend.alone")
        recentHalfLife = Double(max(1, slice.seconds("blend.recent_half_life")!)) / 86_400
        mostLearners = slice.integer("blend.max_learners")
        exclusion = HistoryExclusion(rawValue: slice.text("export.exclude"))!
        completedFraction = Float(slice.number("export.completed_fraction"))
        seed = UInt64(slice.integer("run.seed"))
    }
}

/// What the stage reads, and what of it is the same for all learners.
struct BlendInputs {
    let stage: StageRun
    let settings: BlendStageSettings
    let logs: StageInput
    let ncf: StageInput
    let glmix: StageInput
    let cowatch: StageInput
    let windows: TimeWindows
    let catalogue: Catalogue
    let learnerDictionaries: [String: ValueDictionary]
    let moments: [Moments]
    let activity: CourseActivity

    var shards: Int { moments.count }
    var workers: Workers { stage.workers }

    init(_ stage: StageRun) throws {
        self.stage = stage
        settings = try BlendStageSettings(stage.slice)
        logs = try stage.input(.importLogs)
        let watched = try stage.input(.filterWatches)
        cowatch = try stage.input(.buildCooccurrence)
        ncf = try stage.input(.trainNCF)
        glmix = try stage.input(.trainGLMix)
        windows = try TimeWindows(watched.manifest)
        catalogue = try LogsShards.catalogue(logs)
        learnerDictionaries = try LogsShards.learnerDictionaries(logs)
        moments = try WatchedShards.allMoments(watched)
        activity = CourseActivity(courseCount: catalogue.count, shards: moments)
    }

    func models(_ fit: GLMixShards.Fit, at time: Int64) throws -> StoredModels {
        try StoredModels(
            fit, at: time, ncf: ncf, glmix: glmix, cowatch: cowatch, catalogue: catalogue,
            learnerDictionaries: learnerDictionaries, workers: workers)
    }

    func courses(_ models: StoredModels, at time: Int64) -> CourseTraits {
        CourseTraits(
            eligible: (0..<catalogue.count).map { catalogue.isEligible($0, at: time) },
            recent: CourseTraits.recentScores(
                activity.decayed(before: CourseActivity.day(time), halfLife: settings.recentHalfLife)),
            hasCoWatches: models.hasCoWatches, hasEngagements: models.hasEngagements)
    }

    func learners(_ shard: Int) throws -> Learners {
        let learners = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: shards)))
        guard learners.count == moments[shard].learnerCount else {
            throw LecternError.data(
                "\(logs.folder): shard \(shard): \(learners.count) learners, watched/ has "
                    + "\(moments[shard].learnerCount); run make all")
        }
        return learners
    }

    func effects(_ fit: GLMixShards.Fit, _ shard: Int) throws -> LearnerEffects {
        try GLMixShards.learnerEffects(glmix, fit, shard, of: shards)
    }

    /// Courses of the raw history before a time that are not ranked.
    func history(_ shard: Int, before time: Int64) throws -> CourseSets {
        let watches = try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
        return settings.exclusion.exclusions(
            watches, learners: moments[shard].learnerCount, before: time, duration: catalogue.duration,
            completedFraction: settings.completedFraction)
    }

    func traits(_ moments: Moments, at time: Int64, segments: [Int]) -> [LearnerTraits] {
        (0..<moments.learnerCount).map { learner in
            LearnerTraits(
                moments, context: moments.range(learner, from: time - windows.history, to: time), at: time,
                segment: segments[learner])
        }
    }
}
