import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import StageKit

/// Quality of the validation fit on the engagements of `[t_v, T)` of half B (of all learners, below 600 of them).
func validate(
    _ model: GLMixModel, _ allRows: [TrainingRows], _ recipe: Recipe, _ data: LogData, _ stage: StageRun
) throws {
    let from = data.windows.validation
    let learners = allRows.reduce(0) { total, part in
        total + Set((0..<part.count).lazy.filter { part.time[$0] >= from }.map { part.learner[$0] }).count
    }
    let halves = learners >= TimeWindows.leastToHalve
    let rows = zip(allRows, data.hashes).map { part, hashes in
        part.filter { i in
            part.time[i] >= from && (!halves || LearnerHash.half(hashes[Int(part.learner[i])]) == .b)
        }
    }
    let examples = recipe.examples(rows, stage.workers)
    stage.manifest.facts["validation: learners"] = .text(halves ? "half B" : "all (fewer than 600)")
    if examples.count == 0 { return stage.say("no engagements in the validation window to measure on") }
    let margins = model.margins(of: examples, workers: stage.workers)
    let whole = ResponseMetrics(margins: margins, labels: examples.labels, weights: examples.weights)
    let byLearner = ResponseMetrics.meanAUC(margins, examples.labels, by: examples.grouping("learner")!)
    let byCourse = ResponseMetrics.meanAUC(margins, examples.labels, by: examples.grouping("course")!)
    var fixedModel = model
    let fixed = model.coordinates.indices.filter { model.coordinates[$0].by == nil }
    fixedModel.coordinates = fixed.map { model.coordinates[$0] }
    fixedModel.coefficients = fixed.map { model.coefficients[$0] }
    let fixedOnly = ResponseMetrics(
        margins: fixedModel.margins(of: examples, workers: stage.workers), labels: examples.labels,
        weights: examples.weights)
    record(whole, byLearner, byCourse, fixedOnly, stage)
    try stage.write(
        GLMixShards.encode(calibration: ResponseMetrics.calibration(margins, examples.labels)),
        as: GLMixShards.calibration(.fit))
}

private func record(
    _ whole: ResponseMetrics, _ byLearner: (mean: Double?, groups: Int, dropped: Int),
    _ byCourse: (mean: Double?, groups: Int, dropped: Int), _ fixedOnly: ResponseMetrics, _ stage: StageRun
) {
    var facts: [String: Double] = ["log loss": whole.logLoss, "log loss of the fixed effect": fixedOnly.logLoss]
    facts["AUC"] = whole.auc
    facts["AUC of the fixed effect"] = fixedOnly.auc
    facts["AUC per learner"] = byLearner.mean
    facts["AUC per course"] = byCourse.mean
    for (name, value) in facts { stage.manifest.facts["validation: \(name)"] = .number(value) }
    stage.count("validation: rows", whole.rows)
    stage.count("validation: learners without both labels", byLearner.dropped)
    stage.count("validation: courses without both labels", byCourse.dropped)
    func text(_ value: Double?) -> String { value.map(number) ?? "undefined" }
    stage.say(
        "validation (\(whole.rows) rows): AUC \(text(whole.auc)), log loss \(number(whole.logLoss)); fixed effect alone "
            + "\(text(fixedOnly.auc)), \(number(fixedOnly.logLoss)); AUC per learner \(text(byLearner.mean)) "
            + "(\(byLearner.groups) learners, \(byLearner.dropped) dropped), per course \(text(byCourse.mean)) "
            + "(\(byCourse.groups), \(byCourse.dropped) dropped)")
}
