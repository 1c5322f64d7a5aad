import GLMix
import Metrics
import Platform
import Shards
import StageKit

/// Searches the λ's by weighted log loss on validation half A, and puts the best into the recipe.
func tune(
    _ recipe: inout Recipe, _ examples: Examples, _ half: ValidationRows, _ settings: GLMixSettings, _ stage: StageRun
) throws {
    if settings.prior != nil {
        throw LecternError.configuration("glmix.tune and glmix.prior exclude each other: tune the run of the prior")
    }
    if recipe.coordinates.count > SobolSequence.mostDimensions {
        throw LecternError.configuration(
            "glmix.tune: \(recipe.coordinates.count) coordinates, at most \(SobolSequence.mostDimensions)")
    }
    if half.examples.count == 0 {
        return stage.warn("glmix.tune: no engagements in the validation window to judge by; the stated l2 stay")
    }
    let progress = stage.progress("tune", total: settings.trials + 1, unit: "trials")
    let (trials, best) = try PenaltySearch(trials: settings.trials).run(
        settings.descent, examples, recipe.coordinates, workers: stage.allWorkers
    ) { model in
        progress.advance(1)
        return half.examples.logLoss(model.margins(of: half.examples, workers: stage.workers))
    }
    for k in recipe.coordinates.indices {
        recipe.coordinates[k].l2 = trials[best].penalties[k]
        stage.manifest.facts["tune: l2 of \(recipe.coordinates[k].name)"] = .number(recipe.coordinates[k].l2)
    }
    stage.manifest.facts["tune: log loss by trial"] = .numbers(trials.map(\.loss))
    stage.say(
        "tune: log loss \(number(trials[0].loss)) on \(half.learners) as stated, \(number(trials[best].loss)) in trial "
            + "\(best) of \(settings.trials): l2 "
            + recipe.coordinates.map { "\($0.name) \(number($0.l2))" }.joined(separator: ", "))
}
