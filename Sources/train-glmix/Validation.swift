import GLMix
import LinearAlgebra
import Metrics
import Platform
import ShardKinds
import Shards
import StageKit

/// The engagements of `[t_v, T)` as examples: what the validation fit has not seen.
struct ValidationRows {
    let examples: Examples
    /// "half A", "half B", or all learners where there are fewer than 600.
    let learners: String

    init(_ half: TimeWindows.Half, _ allRows: [TrainingRows], _ recipe: Recipe, _ data: LogData, _ workers: Workers) {
        let from = data.windows.validation
        let halves = data.halves
        let rows = zip(allRows, data.hashes).map { part, hashes in
            part.filter { i in
                part.time[i] >= from && (!halves || LearnerHash.half(hashes[Int(part.learner[i])]) == half)
            }
        }
        examples = recipe.examples(rows, workers)
        learners = halves ? "half \(half.rawValue.uppercased())" : "all (fewer than 600)"
    }
}

extension Examples {
    var isPositive: [Bool] { labels.map { $0 == 1 } }
    var doubleWeights: [Double] { weights.map(Double.init) }

    func logLoss(_ margins: [Double]) -> Double {
        ResponseMetrics.logLoss(logits: margins, labels: isPositive, weights: doubleWeights)
    }

    func auc(_ margins: [Double]) -> Double? { ResponseMetrics.auc(scores: margins, labels: isPositive) }

    /// AUC within each group, averaged over the groups that have both labels.
    func meanAUC(_ margins: [Double], by grouping: String) -> ResponseMetrics.GroupedAUC {
        ResponseMetrics.groupedAUC(
            scores: margins, labels: isPositive, groups: self.grouping(grouping)!.entities.map(Int.init))
    }

    func calibration(_ margins: [Double]) -> Calibration {
        Calibration(
            probabilities: margins.map(LogisticLoss.probability), labels: isPositive, weights: doubleWeights)
    }
}

/// Quality of the validation fit on half B of the validation learners, and what the report draws.
func validate(
    _ model: GLMixModel, _ rows: ValidationRows, _ recipe: Recipe, _ data: LogData, _ stage: StageRun
) throws {
    let examples = rows.examples
    stage.manifest.facts["validation: learners"] = .text(rows.learners)
    if examples.count == 0 { return stage.say("no engagements in the validation window to measure on") }
    let margins = model.margins(of: examples, workers: stage.workers)
    var fixedModel = model
    let fixed = model.coordinates.indices.filter { model.coordinates[$0].by == nil }
    fixedModel.coordinates = fixed.map { model.coordinates[$0] }
    fixedModel.coefficients = fixed.map { model.coefficients[$0] }
    let calibration = examples.calibration(margins)
    stage.manifest.facts["validation: calibration error"] = .number(calibration.expectedError)
    record(examples, margins, fixed: fixedModel.margins(of: examples, workers: stage.workers), stage)
    try stage.write(
        GLMixShards.encode(
            calibration: calibration.buckets.map { ($0.predicted, $0.observed, $0.weight, $0.rows) }),
        as: GLMixShards.calibration(.fit))
    try stage.write(
        GLMixShards.encode(groups: recipe.reportedColumns.flatMap { groups($0, examples, margins, data) }),
        as: GLMixShards.groups(.fit))
}

/// Quality within each value of a profile column; learners without one share the last line.
private func groups(
    _ column: String, _ examples: Examples, _ margins: [Double], _ data: LogData
) -> [GLMixShards.GroupQuality] {
    let grouping = examples.grouping(column)!
    let names = data.entityNames(column, grouping.entityCount) + [""]
    let ungrouped = Int32(grouping.entityCount)
    let rows = RowGroups(
        count: names.count, group: grouping.entities.map { $0 < 0 ? ungrouped : $0 })
    return names.indices.compactMap { value in
        let own = rows.rows[rows.range(value)].map(Int.init)
        if own.isEmpty { return nil }
        let (z, positive) = (own.map { margins[$0] }, own.map { examples.labels[$0] == 1 })
        let weights = own.map { Double(examples.weights[$0]) }
        let whole = Calibration(
            probabilities: z.map(LogisticLoss.probability), labels: positive, weights: weights, bucketCount: 1)
        return GLMixShards.GroupQuality(
            column: column, value: names[value], rows: own.count, positives: positive.count { $0 },
            auc: ResponseMetrics.auc(scores: z, labels: positive),
            logLoss: ResponseMetrics.logLoss(logits: z, labels: positive, weights: weights),
            predicted: whole.buckets[0].predicted, observed: whole.buckets[0].observed)
    }
}

private func record(_ examples: Examples, _ margins: [Double], fixed: [Double], _ stage: StageRun) {
    let (auc, fixedAUC) = (examples.auc(margins), examples.auc(fixed))
    let (loss, fixedLoss) = (examples.logLoss(margins), examples.logLoss(fixed))
    let byLearner = examples.meanAUC(margins, by: "learner")
    let byCourse = examples.meanAUC(margins, by: "course")
    var facts: [String: Double] = ["log loss": loss, "log loss of the fixed effect": fixedLoss]
    facts["AUC"] = auc
    facts["AUC of the fixed effect"] = fixedAUC
    facts["AUC per learner"] = byLearner.mean
    facts["AUC per course"] = byCourse.mean
    for (name, value) in facts { stage.manifest.facts["validation: \(name)"] = .number(value) }
    stage.count("validation: rows", examples.count)
    stage.count("validation: learners without both labels", byLearner.dropped)
    stage.count("validation: courses without both labels", byCourse.dropped)
    func text(_ value: Double?) -> String { value.map(number) ?? "undefined" }
    stage.say(
        "validation (\(examples.count) rows): AUC \(text(auc)), log loss \(number(loss)); fixed effect alone "
            + "\(text(fixedAUC)), \(number(fixedLoss)); AUC per learner \(text(byLearner.mean)) "
            + "(\(byLearner.groups) learners, \(byLearner.dropped) dropped), per course \(text(byCourse.mean)) "
            + "(\(byCourse.groups), \(byCourse.dropped) dropped)")
}
