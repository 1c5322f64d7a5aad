import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// What is decided once, on training rows before t_v, and holds for both fits.
struct Recipe {
    var coordinates: [Coordinate]
    let assembler: ExampleAssembler
    let weights: WatchWeights
    let space: FeatureSpace
    /// Profile columns that coordinates group by, and `segment` where learners have one: quality is told by their values.
    let reportedColumns: [String]

    /// - Parameter prior: the space whose standardisation of numbers is kept.
    init(_ rows: [TrainingRows], _ data: LogData, _ settings: GLMixSettings, prior: FeatureSpace?) throws {
        weights = WatchWeights(
            kappa: settings.kappa,
            watched: rows.flatMap { part in zip(part.watched, part.label).filter { $0.1 == 1 }.map(\.0) })
        let tables = data.tables(rows)
        coordinates = settings.coordinates ?? settings.automatic(hasSegment: data.hasProfile("segment"))
        try Coordinate.validateBags(coordinates)
        let profileColumns = coordinates.compactMap(\.by).filter { $0 != "learner" && $0 != "course" }
        let declarations =
            settings.features
            ?? FeatureSpace.automatic(
                learners: tables.learners, courses: tables.courses, minCount: settings.minCount, grouped: profileColumns
            )
        var space = try FeatureSpace(
            declarations, learners: tables.learners, courses: tables.courses, minCount: settings.minCount,
            halfLife: settings.halfLife)
        space.addNow(declarations, rows: rows, history: data.history, publishedAt: data.catalogue.publishedAt)
        space.marksDrawn = rows.contains { $0.drawn.contains(true) } && rows.contains { $0.drawn.contains(false) }
        if let prior { space.takeNumbers(of: prior) }
        self.space = space
        for column in profileColumns where !data.hasProfile(column) {
            throw GLMixError.badCoordinate(
                name: coordinates.first { $0.by == column }!.name,
                reason: "by '\(column)': learners have no such categorical column, but \(tables.learners.names)")
        }
        reportedColumns =
            profileColumns + (data.hasProfile("segment") && !profileColumns.contains("segment") ? ["segment"] : [])
        assembler = ExampleAssembler(
            space: space, learners: data.learners.map(\.attributes), courses: data.courseTable,
            publishedAt: data.catalogue.publishedAt, history: data.history)
    }

    func examples(_ rows: [TrainingRows], _ workers: Workers) -> Examples {
        assembler.examples(rows, weights: weights, profileColumns: reportedColumns, workers: workers)
    }
}

/// The validation fit, its metrics, and the refit.
func trainOnLogs(_ settings: GLMixSettings, _ stage: StageRun) throws {
    let data = try stage.step("read logs") { try LogData(stage, halfLife: settings.halfLife) }
    let prior = try settings.prior.map { try PriorRun($0, data.windows, stage) }
    let rows = try stage.step("rows before t_v") { try data.rows(before: data.windows.validation, settings.rules) }
    let allRows = try stage.step("rows before T") { try data.rows(before: data.windows.asOf, settings.rules) }
    var missing = rows.allSatisfy { $0.count == 0 } ? "no engagements" : nil
    if missing == nil, settings.rules.negatives > 0, rows.haveNothingToDraw {
        missing = "no impressions and no course that an engaged learner could have declined"
    }
    if let missing {
        count(rows, allRows, stage)
        stage.warn("\(missing) before the validation window: the model is empty and scores 0")
        return try writeEmptyModels(data, settings, stage)
    }
    var recipe = try stage.step("features") { try Recipe(rows, data, settings, prior: prior?.space) }
    let used = try prior?.rows(.fit, data, settings.rules) ?? rows
    let usedAll = try prior?.rows(.refit, data, settings.rules) ?? allRows
    count(used, usedAll, stage)
    describe(recipe, used, stage)

    // At least 0.6 KB a row, as much again for the joint finish's copies and factors (together at most 1.5 GiB), and what
    // the smallest data take. Measured: 2.26 million rows, 2.7 GiB.
    let rowBytes = 600 * usedAll.reduce(0) { $0 + $1.count }
    try stage.requireMemory(rowBytes + min(rowBytes, 3 << 29) + (32 << 20))
    let examples = stage.step("examples of fit") { recipe.examples(used, stage.workers) }
    if settings.trials > 0 {
        let half = ValidationRows(.a, allRows, recipe, data, stage.workers)
        try stage.step("tune") { try tune(&recipe, examples, half, settings, stage) }
    }
    let (fitted, trace) = try train(
        examples, recipe.coordinates, settings, prior: try prior?.fitPrior(.fit, recipe, data), label: "fit", stage)
    try stage.step("write fit") {
        try write(fitted, trace, .fit, time: data.windows.validation, recipe, data, stage)
        if settings.writesExamples { try writeExamples(examples, used, .fit, recipe, data, stage) }
    }
    try stage.step("validation") {
        try validate(fitted, ValidationRows(.b, allRows, recipe, data, stage.workers), recipe, data, stage)
    }

    if !settings.refits { return try write(fitted, trace, .refit, time: data.windows.asOf, recipe, data, stage) }
    let all = stage.step("examples of refit") { recipe.examples(usedAll, stage.workers) }
    // the same entities and features with some more rows: the fit is nearly the refit's optimum
    let (refitted, retrace) = try train(
        all, recipe.coordinates, settings, prior: try prior?.fitPrior(.refit, recipe, data),
        start: prior == nil ? fitted : nil, label: "refit", stage)
    try stage.step("write refit") {
        try write(refitted, retrace, .refit, time: data.windows.asOf, recipe, data, stage)
        if settings.writesExamples { try writeExamples(all, usedAll, .refit, recipe, data, stage) }
    }
}

extension [TrainingRows] {
    /// Without impressions negatives are drawn: whether there was a course for none of the positives.
    fileprivate var haveNothingToDraw: Bool {
        allSatisfy { part in part.label.allSatisfy { $0 == 1 } && part.drawn.allSatisfy { $0 } }
    }
}

private func count(_ fit: [TrainingRows], _ all: [TrainingRows], _ stage: StageRun) {
    for (label, rows) in [("fit", fit), ("refit", all)] {
        var counts = TrainingRows.Counts()
        for part in rows { counts.add(part.counts) }
        stage.count("\(label): engagements read", counts.read)
        stage.count("\(label): positives", counts.positives)
        stage.count("\(label): negatives", counts.negatives)
        stage.count("\(label): drawn negatives", counts.drawnNegatives)
        stage.count("\(label): merged into a row", counts.merged)
        stage.count("\(label): dropped: impression repeated", counts.repeatedImpressions)
        stage.count("\(label): dropped: impression too recent", counts.tooRecent)
    }
}

/// What the report wants to know about weights and features.
private func describe(_ recipe: Recipe, _ rows: [TrainingRows], _ stage: StageRun) {
    var (positives, weighted) = (0, 0)
    var weights: [Float] = []
    for part in rows {
        for i in 0..<part.count {
            weights.append(recipe.weights.weight(watched: part.watched[i]) * part.mass[i])
            if part.label[i] == 0 { continue }
            positives += 1
            if part.watched[i] > 0 { weighted += 1 }
        }
    }
    let share = positives > 0 ? Double(weighted) / Double(positives) : 0
    let effective = WatchWeights.effectiveSampleSize(weights)
    stage.manifest.facts["weighted_positives"] = .number(share)
    stage.manifest.facts["effective_sample_size"] = .number(effective)
    stage.manifest.facts["v95_seconds"] = .number(recipe.weights.v95)
    for bag in FeatureSpace.bagNames {
        stage.manifest.facts["features \(bag)"] = .integer(Int64(recipe.space.count(bag)))
    }
    stage.say(
        "\(weights.count) rows, \(positives) positive, of which \(Int(100 * share + 0.5)) % have watch time; effective sample "
            + "size \(Int(effective)); features: "
            + FeatureSpace.bagNames.map { "\($0) \(recipe.space.count($0))" }.joined(separator: ", "))
    if rows.contains(where: { $0.drawn.contains(true) }) {
        stage.manifest.facts["negatives"] = .text(
            "drawn where a learner and channel have no impressions; offsets -log(mass*q) correct popularity and intercept"
        )
    }
}
