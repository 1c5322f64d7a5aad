// Reads   ncf/, glmix/ (both fits), cowatch/, watched/, logs/
// Writes  blended/: weights, validation table with its learners, and by shard each learner's best candidates with all
//         scores and each model's own best; candidates of learners without history, by segment
// Memory  all moments (12 bytes each), all models' course side, the validation learners' training rows (14 bytes each),
//         and per thread one learner shard with its candidates and two blocks of 64 learners × courses

import ArgumentParser
import LinearAlgebra
import Metrics
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

@main
struct Blend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blend",
        abstract: "Makes one score of both models', and ranks every course for every learner by it.",
        discussion: """
            A logistic model with weights personal to the learner is fitted on what validation learners (half B) watched \
            after t_v, from the scores of the models that were fitted before it; every reported number is out of fold. \
            Then all learners are scored as of T by the refitted models, fused with selection.
            Memory: all moments, and per thread one learner shard with its candidates.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.blend, options) { stage in
            let inputs = try stage.step("read logs") { try BlendInputs(stage) }
            let validation = try stage.step("validation scores") { try ValidationSet(inputs) }
            let settings = inputs.settings
            let trainer = BlendTrainer(
                settings: settings.fit, segments: validation.segmentCodes.count, candidates: settings.candidates,
                mostRecent: settings.mostRecent, seed: settings.seed)
            let outcome = stage.step("fit") { trainer.train(validation.group, workers: stage.workers) }
            let blend = StoredBlend(
                model: outcome.model, scales: outcome.scales, segmentCodes: validation.segmentCodes,
                candidates: settings.candidates)
            try stage.step("write validation") {
                try ValidationReport(inputs, validation, outcome).write(blend)
            }
            try stage.step("rank all learners") { try FinalRanking(inputs, blend, outcome.spread).write() }
        }
    }
}
