import Foundation
import LinearAlgebra
import Platform
import Shards

/// The shard kinds of `glmix/` (docs/shards.md, docs/glmix.md). There are two models of one make: `fit/`, from
/// engagements before t_v, and `refit/`, from those before T.
package enum GLMixShards {
    package enum Fit: String, Sendable, CaseIterable {
        case fit, refit
    }

    package static func definition(_ fit: Fit) -> String { "\(fit.rawValue)/definition\(ShardName.suffix)" }
    package static func courses(_ fit: Fit) -> String { "\(fit.rawValue)/courses\(ShardName.suffix)" }
    package static func calibration(_ fit: Fit) -> String { "\(fit.rawValue)/calibration\(ShardName.suffix)" }
    package static func features(_ fit: Fit, _ coordinate: String) -> String {
        "\(fit.rawValue)/features-\(coordinate)\(ShardName.suffix)"
    }
    package static func coefficients(_ fit: Fit, _ coordinate: String) -> String {
        "\(fit.rawValue)/coefficients-\(coordinate)\(ShardName.suffix)"
    }
    package static func learners(_ fit: Fit, _ shard: Int, of shards: Int) -> String {
        ShardName.of("\(fit.rawValue)/learners", shard, of: shards)
    }

    // MARK: Definition

    /// Coordinates and features as JSON, in one row.
    package static func encode(definition: some Encodable) -> ShardBuilder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var shard = ShardBuilder(kind: "glmix-definition", rows: 1)
        var json = Ragged<UInt8>()
        json.append(try! encoder.encode(definition))
        shard.add("json", json)
        return shard
    }

    /// - Parameter type: GLMix's `ModelDefinition`, which this floor does not know.
    package static func definition<Definition: Decodable>(
        _ glmix: StageInput, _ fit: Fit, as type: Definition.Type = Definition.self
    ) throws -> Definition {
        let shard = try glmix.shard(definition(fit))
        let json = try shard.strings("json")
        guard json.count == 1, let definition = try? JSONDecoder().decode(type, from: Data(json.values)) else {
            throw LecternError.data("\(shard.name): is not a model's definition; run make train-glmix")
        }
        return definition
    }

    // MARK: Features and coefficients

    /// What each feature of a coordinate is called, the intercept last; coefficients refer to these rows.
    package static func encode(featureNames names: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-features", rows: names.count)
        shard.add("name", Ragged(names))
        return shard
    }

    /// One row per entity: its id, and the features that have a coefficient, ascending.
    package static func encode(_ coefficients: Coefficients, entities: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-coefficients", rows: coefficients.entityCount)
        shard.add("entity", Ragged(entities))
        add(coefficients, to: &shard, feature: "feature", value: "value")
        return shard
    }

    private static func add(_ c: Coefficients, to shard: inout ShardBuilder, feature: String, value: String) {
        let offsets = c.offsets.map(Int64.init)
        shard.add(feature, Ragged(offsets: offsets, values: c.features))
        shard.add(value, Ragged(offsets: offsets, values: c.values))
    }

    private static func coefficients(_ shard: Shard, feature: String, value: String) throws -> Coefficients {
        let features = try shard.ragged(feature, as: UInt32.self)
        let values = try shard.ragged(value, as: Double.self)
        guard features.offsets == values.offsets else {
            throw LecternError.data("\(shard.name): \(feature) and \(value) have different offsets")
        }
        return Coefficients(
            offsets: features.offsets.map(Int.init), features: features.values, values: values.values)
    }

    // MARK: What belongs to learners

    /// Rows are the learners of a shard, as in `logs/`.
    package static func encode(_ effects: LearnerEffects, ids: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-learners", rows: ids.count)
        shard.add("id", Ragged(ids))
        shard.add("engagements", effects.engagements)
        for (name, coefficients) in effects.coefficients {
            add(coefficients, to: &shard, feature: name + ".feature", value: name + ".value")
        }
        return shard
    }

    package static func learnerEffects(_ glmix: StageInput, _ fit: Fit, _ shard: Int, of shards: Int) throws
        -> LearnerEffects
    {
        let shard = try glmix.shard(learners(fit, shard, of: shards))
        var found: [String: Coefficients] = [:]
        for column in shard.columns where column.name.hasSuffix(".feature") {
            let name = String(column.name.dropLast(".feature".count))
            found[name] = try coefficients(shard, feature: column.name, value: name + ".value")
        }
        return LearnerEffects(coefficients: found, engagements: try shard.values("engagements"))
    }

    // MARK: What belongs to courses

    package static func encodeCourses(_ model: ResponseModel, ids: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-courses", rows: ids.count)
        shard.add("id", Ragged(ids))
        shard.add("engagements", model.courseEngagements)
        shard.add("impressions", model.courseImpressions)
        return shard
    }

    /// Everything of a fit but the learners' own effects.
    package static func model(_ glmix: StageInput, _ fit: Fit) throws -> ResponseModel {
        let courses = try glmix.shard(courses(fit))
        var found: [String: Coefficients] = [:]
        let prefix = "\(fit.rawValue)/coefficients-"
        for name in glmix.manifest.outputs.keys.sorted() where name.hasPrefix(prefix) {
            let coordinate = String(name.dropFirst(prefix.count).dropLast(ShardName.suffix.count))
            found[coordinate] = try coefficients(glmix.shard(name), feature: "feature", value: "value")
        }
        return ResponseModel(
            coefficients: found, courseEngagements: try courses.values("engagements"),
            courseImpressions: try courses.values("impressions"))
    }

    // MARK: Validation

    /// Validation rows in buckets by predicted probability.
    package static func encode(
        calibration: [(predicted: Double, observed: Double, rows: Int)]
    ) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-calibration", rows: calibration.count)
        shard.add("predicted", calibration.map(\.predicted))
        shard.add("observed", calibration.map(\.observed))
        shard.add("examples", calibration.map { Int64($0.rows) })
        return shard
    }
}
