// Reads   logs/ (courses, learners, engagements, watches by shard), the run's times in watched/manifest.json;
//         or, with --examples, shards of kind `examples` written by anyone
// Writes  glmix/fit (engagements before t_v) and glmix/refit (before T): definition, coefficients of every
//         coordinate, what belongs to learners by shard, training rows; or glmix/model with --examples
// Memory  all training rows, compressed; 200,000 learners with 2 M impressions stay below 6 GiB

import ArgumentParser
import GLMix
import ShardKinds
import Shards
import StageKit

@main
struct TrainGLMix: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train-glmix",
        abstract: "Trains the response model: who responds to which course.",
        discussion: """
            A generalised linear mixed model (Zhang et al., KDD 2016): a fixed effect on all features, and effects by \
            learner, course and segment, at the joint optimum of their penalised log loss, with a certificate.
            Memory: all training rows, about 0.3 KB each.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    @Option(
        help: "Train on the shards of kind examples in this folder instead of logs (docs/examples-shards.md).")
    var examples: String?

    func run() throws {
        try runStage(.trainGLMix, options) { stage in
            let settings = GLMixSettings(stage.slice)
            do {
                if let examples {
                    if settings.trials > 0 { stage.warn("glmix.tune: not with --examples: the stated l2 stay") }
                    if settings.prior != nil { stage.warn("glmix.prior: not with --examples: trains without one") }
                    try trainOnExamples(examples, settings, stage)
                } else {
                    try trainOnLogs(settings, stage)
                }
            } catch let error as GLMixError {
                throw error.explained
            }
        }
    }
}

extension GLMixError {
    /// Data that cannot be learnt from is exit 65, a declaration that does not fit the data 78.
    var explained: LecternError {
        switch self {
        case .badExample, .allLabelsAlike: .data("glmix: \(self)")
        case .badCoordinate: .configuration("glmix.coordinates: \(self)")
        case .badFeature: .configuration("glmix.features: \(self)")
        }
    }
}
