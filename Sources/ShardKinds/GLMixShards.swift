import FoundationEssentials
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
    package static func groups(_ fit: Fit) -> String { "\(fit.rawValue)/groups\(ShardName.suffix)" }
    package static func strongest(_ fit: Fit) -> String { "\(fit.rawValue)/strongest\(ShardName.suffix)" }
    package static func trace(_ fit: Fit) -> String { "\(fit.rawValue)/trace\(ShardName.suffix)" }
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
    /// - Parameter variances: one per coefficient; nil: the model has none.
    package static func encode(_ coefficients: Coefficients, variances: [Double]?, entities: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-coefficients", rows: coefficients.entityCount)
        shard.add("entity", Ragged(entities))
        add(coefficients, variances, to: &shard, prefix: "")
        return shard
    }

    private static func add(
        _ c: Coefficients, _ variances: [Double]?, to shard: inout ShardBuilder, prefix: String
    ) {
        let offsets = c.offsets.map(Int64.init)
        shard.add(prefix + "feature", Ragged(offsets: offsets, values: c.features))
        shard.add(prefix + "value", Ragged(offsets: offsets, values: c.values))
        if let variances { shard.add(prefix + "variance", Ragged(offsets: offsets, values: variances)) }
    }

    private static func coefficients(_ shard: Shard, prefix: String) throws -> Coefficients {
        let features = try shard.ragged(prefix + "feature", as: UInt32.self)
        return Coefficients(
            offsets: features.offsets.map(Int.init), features: features.values,
            values: try aligned(prefix + "value", to: features.offsets, shard))
    }

    /// nil where the shard has none.
    private static func variances(_ shard: Shard, prefix: String) throws -> [Double]? {
        guard shard.has(prefix + "variance") else { return nil }
        return try aligned(prefix + "variance", to: shard.ragged(prefix + "feature", as: UInt32.self).offsets, shard)
    }

    /// Coefficients of a coordinate with variances, by id of the entities: what a later fit takes as its prior.
    package struct Posterior: Sendable {
        package let entities: [String]
        package let features: [String]
        package let coefficients: Coefficients
        package let variances: [Double]
    }

    /// - Parameter ofLearners: whether entities are learners, whose coefficients lie in their shards.
    /// - Throws: `.badData` where the model was made without variances.
    package static func posterior(
        _ glmix: StageInput, _ fit: Fit, _ coordinate: String, ofLearners: Bool
    ) throws -> Posterior {
        let features = try glmix.shard(features(fit, coordinate)).strings("name").strings
        let prefix = ofLearners ? coordinate + "." : ""
        let names =
            ofLearners ? glmix.names("\(fit.rawValue)/learners") : [coefficients(fit, coordinate)]
        var (entities, all, variances) = ([String](), Coefficients(offsets: [0], features: [], values: []), [Double]())
        for name in names {
            let shard = try glmix.shard(name)
            guard let own = try self.variances(shard, prefix: prefix) else {
                throw LecternError.data(
                    "\(shard.name): has no variances, so it cannot be a prior: fit it with glmix.variances: diagonal")
            }
            let part = try coefficients(shard, prefix: prefix)
            entities += try shard.strings(ofLearners ? "id" : "entity").strings
            let base = all.features.count
            all.offsets += part.offsets.dropFirst().map { $0 + base }
            all.features += part.features
            all.values += part.values
            variances += own
        }
        guard all.entityCount == entities.count, all.features.allSatisfy({ Int($0) < features.count }) else {
            throw LecternError.data("\(glmix.folder): coordinate \(coordinate) does not fit its features and entities")
        }
        return Posterior(entities: entities, features: features, coefficients: all, variances: variances)
    }

    private static func aligned(_ column: String, to offsets: [Int64], _ shard: Shard) throws -> [Double] {
        let found = try shard.ragged(column, as: Double.self)
        guard found.offsets == offsets else {
            throw LecternError.data("\(shard.name): \(column) has other offsets than the features")
        }
        return found.values
    }

    // MARK: What belongs to learners

    /// Rows are the learners of a shard, as in `logs/`.
    /// - Parameter variances: by coordinate, one per coefficient; empty: the model has none.
    package static func encode(
        _ effects: LearnerEffects, variances: [String: [Double]], ids: [String]
    ) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-learners", rows: ids.count)
        shard.add("id", Ragged(ids))
        shard.add("engagements", effects.engagements)
        for (name, coefficients) in effects.coefficients {
            add(coefficients, variances[name], to: &shard, prefix: name + ".")
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
            found[name] = try coefficients(shard, prefix: name + ".")
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
            found[coordinate] = try coefficients(glmix.shard(name), prefix: "")
        }
        return ResponseModel(
            coefficients: found, courseEngagements: try courses.values("engagements"),
            courseImpressions: try courses.values("impressions"))
    }

    // MARK: For the report

    /// Validation rows in buckets by predicted probability.
    package static func encode(
        calibration: [(predicted: Double, observed: Double, weight: Double, rows: Int)]
    ) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-calibration", rows: calibration.count)
        shard.add("predicted", calibration.map(\.predicted))
        shard.add("observed", calibration.map(\.observed))
        shard.add("weight", calibration.map(\.weight))
        shard.add("examples", calibration.map { Int64($0.rows) })
        return shard
    }

    /// Quality on the validation rows of learners with one value of a profile column.
    package struct GroupQuality: Sendable, Equatable {
        package let column: String
        /// Empty: learners without a value.
        package let value: String
        package let rows: Int
        package let positives: Int
        /// nil without both labels.
        package let auc: Double?
        package let logLoss: Double
        package let predicted: Double
        package let observed: Double

        package init(
            column: String, value: String, rows: Int, positives: Int, auc: Double?, logLoss: Double, predicted: Double,
            observed: Double
        ) {
            (self.column, self.value, self.rows, self.positives) = (column, value, rows, positives)
            (self.auc, self.logLoss, self.predicted, self.observed) = (auc, logLoss, predicted, observed)
        }
    }

    package static func encode(groups: [GroupQuality]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-groups", rows: groups.count)
        shard.add("column", Ragged(groups.map(\.column)))
        shard.add("value", Ragged(groups.map(\.value)))
        shard.add("examples", groups.map { Int64($0.rows) })
        shard.add("positives", groups.map { Int64($0.positives) })
        shard.add("auc", groups.map { $0.auc ?? 0 })
        shard.add("auc.valid", groups.map { $0.auc != nil })
        shard.add("log_loss", groups.map(\.logLoss))
        shard.add("predicted", groups.map(\.predicted))
        shard.add("observed", groups.map(\.observed))
        return shard
    }

    /// A coefficient with names for people.
    package struct NamedCoefficient: Sendable, Equatable {
        package let coordinate: String
        /// Empty: the fixed effect.
        package let entity: String
        package let feature: String
        package let value: Double
        /// NaN: the model has no variances.
        package let deviation: Double

        package init(coordinate: String, entity: String, feature: String, value: Double, deviation: Double) {
            (self.coordinate, self.entity, self.feature) = (coordinate, entity, feature)
            (self.value, self.deviation) = (value, deviation)
        }
    }

    package static func encode(strongest: [NamedCoefficient]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-strongest", rows: strongest.count)
        shard.add("coordinate", Ragged(strongest.map(\.coordinate)))
        shard.add("entity", Ragged(strongest.map(\.entity)))
        shard.add("feature", Ragged(strongest.map(\.feature)))
        shard.add("value", strongest.map(\.value))
        shard.add("deviation", strongest.map { $0.deviation.isNaN ? 0 : $0.deviation })
        shard.add("deviation.valid", strongest.map { !$0.deviation.isNaN })
        return shard
    }

    /// F after each coordinate of each pass.
    /// - Parameter steps: pass from 1 (0: the start); coordinate, empty at the start and for the joint finish.
    package static func encode(trace steps: [(pass: Int, coordinate: String, objective: Double)]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "glmix-trace", rows: steps.count)
        shard.add("pass", steps.map { Int32($0.pass) })
        shard.add("coordinate", Ragged(steps.map(\.coordinate)))
        shard.add("objective", steps.map(\.objective))
        return shard
    }
}
