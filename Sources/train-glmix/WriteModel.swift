import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// Writes a fit: definition, names, coefficients, and numbers as of `time`.
func write(
    _ model: GLMixModel, _ fit: GLMixShards.Fit, time: Int64, _ recipe: Recipe, _ data: LogData, _ stage: StageRun
) throws {
    let definition = ModelDefinition(coordinates: model.coordinates, space: recipe.space, time: time)
    var shared: [String: Coefficients] = [:]
    for (coordinate, coefficients) in zip(model.coordinates, model.coefficients) {
        try stage.write(
            GLMixShards.encode(featureNames: definition.featureNames(coordinate)),
            as: GLMixShards.features(fit, coordinate.name))
        if coordinate.by != "learner" { shared[coordinate.name] = coefficients }
    }
    for (name, coefficients) in shared.sorted(by: { $0.key < $1.key }) {
        let coordinate = model.coordinates.first { $0.name == name }!
        try stage.write(
            GLMixShards.encode(coefficients, entities: data.entityNames(coordinate.by, coefficients.entityCount)),
            as: GLMixShards.coefficients(fit, name))
    }
    try write(definition, fit, data, stage)
    _ = try stage.workers.map(data.shards) { shard in
        var own: [String: Coefficients] = [:]
        let first = recipe.assembler.firstLearner
        for (coordinate, coefficients) in zip(model.coordinates, model.coefficients) where coordinate.by == "learner" {
            own[coordinate.name] = coefficients.slice(first[shard]..<first[shard + 1])
        }
        let effects = LearnerEffects(coefficients: own, engagements: data.engagementCounts(shard, before: time))
        try stage.write(
            GLMixShards.encode(effects, ids: data.learners[shard].ids),
            as: GLMixShards.learners(fit, shard, of: data.shards))
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
                GLMixShards.encode(effects, ids: data.learners[shard].ids),
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
    _ = try stage.workers.map(data.shards) { shard in
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
