import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// Writes a fit: definition, names, coefficients, numbers as of `time`, and what the report shows.
func write(
    _ model: GLMixModel, _ trace: FitTrace, _ fit: GLMixShards.Fit, time: Int64, _ recipe: Recipe, _ data: LogData,
    _ stage: StageRun
) throws {
    let definition = ModelDefinition(coordinates: model.coordinates, space: recipe.space, time: time)
    let names = model.coordinates.map(definition.featureNames)
    for (k, coordinate) in model.coordinates.enumerated() {
        try stage.write(
            GLMixShards.encode(featureNames: names[k]), as: GLMixShards.features(fit, coordinate.name))
        if coordinate.by == "learner" { continue }
        let coefficients = model.coefficients[k]
        try stage.write(
            GLMixShards.encode(
                coefficients, variances: model.variances.isEmpty ? nil : model.variances[k],
                entities: data.entityNames(coordinate.by, coefficients.entityCount)),
            as: GLMixShards.coefficients(fit, coordinate.name))
    }
    try write(definition, fit, data, stage)
    try writeLearners(model, fit, time: time, recipe, data, stage)
    try stage.write(
        GLMixShards.encode(strongest: strongest(model, names) { data.entityNames($0, $1) }),
        as: GLMixShards.strongest(fit))
    try stage.write(GLMixShards.encode(trace: trace.steps(model.coordinates)), as: GLMixShards.trace(fit))
}

private func writeLearners(
    _ model: GLMixModel, _ fit: GLMixShards.Fit, time: Int64, _ recipe: Recipe, _ data: LogData, _ stage: StageRun
) throws {
    let first = recipe.assembler.firstLearner
    try stage.dealEach(data.shards) { shard in
        var own: [String: Coefficients] = [:]
        var variances: [String: [Double]] = [:]
        for (k, coordinate) in model.coordinates.enumerated() where coordinate.by == "learner" {
            let (all, entities) = (model.coefficients[k], first[shard]..<first[shard + 1])
            own[coordinate.name] = all.slice(entities)
            if !model.variances.isEmpty {
                variances[coordinate.name] = Array(
                    model.variances[k][all.offsets[entities.lowerBound]..<all.offsets[entities.upperBound]])
            }
        }
        let effects = LearnerEffects(coefficients: own, engagements: data.engagementCounts(shard, before: time))
        try stage.write(
            GLMixShards.encode(effects, variances: variances, ids: data.learners[shard].ids),
            as: GLMixShards.learners(fit, shard, of: data.shards))
    }
}

/// The largest coefficients of every coordinate by name.
/// - Parameters:
///   - features: names of each coordinate's features.
///   - entityNames: ids of a grouping's entities, by its name and their number.
func strongest(
    _ model: GLMixModel, _ features: [[String]], entityNames: (String?, Int) -> [String]
) -> [GLMixShards.NamedCoefficient] {
    let entities = zip(model.coordinates, model.coefficients).map { entityNames($0.by, $1.entityCount) }
    return model.strongest(50).map {
        GLMixShards.NamedCoefficient(
            coordinate: model.coordinates[$0.coordinate].name, entity: entities[$0.coordinate][$0.entity],
            feature: features[$0.coordinate][$0.feature], value: $0.value, deviation: $0.deviation)
    }
}

private func write(
    _ definition: ModelDefinition, _ fit: GLMixShards.Fit, _ data: LogData, _ stage: StageRun
) throws {
    let day = CourseActivity.day(definition.time)
    let states = data.catalogue.ids.indices.map { data.history.state(course: $0, day: day) }
    let model = ResponseModel(
        coefficients: [:], courseEngagements: states.map(\.engagements), courseImpressions: states.map(\.impressions))
    try stage.write(GLMixShards.encode(definition: definition), as: GLMixShards.definition(fit))
    try stage.write(GLMixShards.encodeCourses(model, ids: data.courseIDs), as: GLMixShards.courses(fit))
}

/// Models without coordinates: they score 0.
func writeEmptyModels(_ data: LogData, _ settings: GLMixSettings, _ stage: StageRun) throws {
    for (fit, time) in [(GLMixShards.Fit.fit, data.windows.validation), (.refit, data.windows.asOf)] {
        let space = try FeatureSpace(
            [], learners: TrainingTable(parts: [], rows: [], dictionaries: [:]),
            courses: TrainingTable(parts: [], rows: [], dictionaries: [:]), minCount: settings.minCount,
            halfLife: settings.halfLife)
        try write(ModelDefinition(coordinates: [], space: space, time: time), fit, data, stage)
        for shard in 0..<data.shards {
            let effects = LearnerEffects(coefficients: [:], engagements: data.engagementCounts(shard, before: time))
            try stage.write(
                GLMixShards.encode(effects, variances: [:], ids: data.learners[shard].ids),
                as: GLMixShards.learners(fit, shard, of: data.shards))
        }
    }
}

/// The training rows, by learner shard, and the names of their entities and features.
func writeExamples(
    _ examples: Examples, _ rows: [TrainingRows], _ fit: GLMixShards.Fit, _ recipe: Recipe, _ data: LogData,
    _ stage: StageRun
) throws {
    let firsts = rows.reduce(into: [0]) { $0.append($0.last! + $1.count) }
    try stage.dealEach(data.shards) { shard in
        let range = firsts[shard]..<firsts[shard + 1]
        let columns = ExampleColumns(
            labels: Array(examples.labels[range]), weights: Array(examples.weights[range]),
            offsets: Array(examples.offsets[range]),
            entities: Dictionary(uniqueKeysWithValues: examples.groupings.map { ($0.name, Array($0.entities[range])) }),
            bags: Dictionary(uniqueKeysWithValues: examples.bags.map { ($0.name, $0.rows(range)) }))
        try stage.write(
            columns.encoded(), as: ShardName.of("\(fit.rawValue)/examples", shard, of: data.shards))
    }
    for bag in examples.bags {
        try stage.write(
            ExampleColumns.encode(names: recipe.space.names(bag.name), kind: "features"),
            as: "\(fit.rawValue)/features-of-\(bag.name)\(ShardName.suffix)")
    }
    for grouping in examples.groupings {
        try stage.write(
            ExampleColumns.encode(names: data.entityNames(grouping.name, grouping.entityCount), kind: "entities"),
            as: "\(fit.rawValue)/entities-of-\(grouping.name)\(ShardName.suffix)")
    }
}

extension LogData {
    /// Ids of the entities of a grouping; the fixed effect has one without a name.
    func entityNames(_ by: String?, _ count: Int) -> [String] {
        switch by {
        case nil: return [""]
        case "learner": return learners.flatMap(\.ids)
        case "course": return courseIDs
        case let column?:
            let values = dictionaries[column]?.values ?? []
            return (0..<count).map { $0 < values.count ? values[$0] : "#\($0)" }
        }
    }
}

extension Coefficients {
    /// The coefficients of some consecutive entities.
    func slice(_ entities: Range<Int>) -> Coefficients {
        let (from, to) = (offsets[entities.lowerBound], offsets[entities.upperBound])
        return Coefficients(
            offsets: offsets[entities.lowerBound...entities.upperBound].map { $0 - from },
            features: Array(features[from..<to]), values: Array(values[from..<to]))
    }
}

extension FeatureBag {
    /// Own rows for some consecutive examples.
    func rows(_ range: Range<Int>) -> SparseRows {
        var rows = SparseRows(columnCount: featureCount, offsets: [0], columns: [], values: [])
        for i in range {
            let at = table.range(rowOf.map { Int($0[i]) } ?? i)
            rows.columns += table.columns[at]
            rows.values += table.values[at]
            rows.offsets.append(rows.columns.count)
        }
        return rows
    }
}
