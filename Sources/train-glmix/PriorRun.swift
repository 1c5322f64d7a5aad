import Foundation
import GLMix
import Platform
import ShardKinds
import Shards
import StageKit

/// An earlier run whose models are the priors of this one's: its `fit` of this `fit`, its `refit` of this `refit`, so that
/// nothing of the validation window reaches the validation fit.
struct PriorRun {
    private let glmix: StageInput
    private let definitions: [GLMixShards.Fit: ModelDefinition]

    /// - Parameter name: of a run beside this one, or a path.
    init(_ name: String, _ windows: TimeWindows, _ stage: StageRun) throws {
        glmix = try StageInput(
            run: EarlierRun.at(name, for: stage.run), stage: StageName.trainGLMix.rawValue,
            folder: StageName.trainGLMix.folder)
        let glmix = glmix
        definitions = try Dictionary(
            uniqueKeysWithValues: GLMixShards.Fit.allCases.map { ($0, try GLMixShards.definition(glmix, $0)) })
        for (fit, limit) in [(GLMixShards.Fit.fit, windows.validation), (.refit, windows.asOf)] {
            let time = definitions[fit]!.time
            if time > limit {
                throw LecternError.configuration(
                    "glmix.prior: \(glmix.folder)/\(fit.rawValue) saw events until \(Moment.text(time)), this run's "
                        + "\(fit.rawValue) only until \(Moment.text(limit)): take an earlier run")
            }
        }
        stage.manifest.inputs["prior"] = glmix.digest
        stage.say("prior: \(glmix.folder), as of \(Moment.text(definitions[.refit]!.time))")
    }

    var space: FeatureSpace { definitions[.fit]!.space }

    /// Rows whose labels the prior's model of this kind had not seen.
    func rows(_ fit: GLMixShards.Fit, _ data: LogData, _ rules: RowRules) throws -> [TrainingRows] {
        var rules = rules
        rules.since = definitions[fit]!.time
        return try data.rows(before: fit == .fit ? data.windows.validation : data.windows.asOf, rules)
    }

    /// The prior's coefficients in the numbering of this run. What only the prior has is left out; coordinates are the
    /// same if name and grouping are.
    func fitPrior(_ fit: GLMixShards.Fit, _ recipe: Recipe, _ data: LogData) throws -> FitPrior {
        let definition = ModelDefinition(coordinates: recipe.coordinates, space: recipe.space, time: 0)
        let groupings = recipe.assembler.groupingSizes(recipe.reportedColumns)
        var prior = FitPrior(means: [], variances: [])
        for coordinate in recipe.coordinates {
            let entities = data.entityNames(coordinate.by, coordinate.by.map { groupings[$0]! } ?? 1)
            let isKnown = definitions[fit]!.coordinates.contains {
                $0.name == coordinate.name && $0.by == coordinate.by
            }
            let posterior =
                isKnown
                ? try GLMixShards.posterior(glmix, fit, coordinate.name, ofLearners: coordinate.by == "learner") : nil
            let (means, variances) = Self.renumbered(posterior, entities, definition.featureNames(coordinate))
            prior.means.append(means)
            prior.variances.append(variances)
        }
        return prior
    }

    private static func renumbered(
        _ posterior: GLMixShards.Posterior?, _ entities: [String], _ features: [String]
    ) -> (Coefficients, [Double]) {
        var (result, variances) = (Coefficients(offsets: [0], features: [], values: []), [Double]())
        guard let posterior else {
            result.offsets = [Int](repeating: 0, count: entities.count + 1)
            return (result, [])
        }
        // By bytes: Swift's strings are equal if they look alike.
        func places(_ names: [String]) -> [[UInt8]: Int] {
            Dictionary(zip(names.map { Array($0.utf8) }, names.indices), uniquingKeysWith: { first, _ in first })
        }
        let feature = places(features)
        let renamed = posterior.features.map { feature[Array($0.utf8)] }
        let entity = places(posterior.entities)
        for id in entities {
            let known = entity[Array(id.utf8)].map { posterior.coefficients.range($0) } ?? 0..<0
            let found = known.compactMap { at in
                renamed[Int(posterior.coefficients.features[at])].map { (feature: $0, at: at) }
            }.sorted { $0.feature < $1.feature }
            for (feature, at) in found {
                result.features.append(UInt32(feature))
                result.values.append(posterior.coefficients.values[at])
                variances.append(posterior.variances[at])
            }
            result.offsets.append(result.features.count)
        }
        return (result, variances)
    }
}
