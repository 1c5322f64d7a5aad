import GLMix
import LinearAlgebra
import NeuralCF
import Platform
import ShardKinds
import Shards

/// Both trained models of one fit, read from their shards: what blend and export score and explain with.
package struct StoredModels: Sendable {
    package let ncf: NCFAtTime
    package let glmix: ResponsePredictor
    /// By course: co-watches and engagements before the models' time.
    package let hasCoWatches: [Bool]
    package let hasEngagements: [Bool]
    /// What the coordinates of the response model are grouped by: learner, course, profile columns.
    package let groupedBy: Set<String>

    /// - Parameters:
    ///   - fit: `.fit` scores as of t_v, `.refit` as of T.
    ///   - time: what the models' own time must be.
    package init(
        _ fit: GLMixShards.Fit, at time: Int64, ncf: StageInput, glmix: StageInput, cowatch: StageInput,
        catalogue: Catalogue, learnerDictionaries: [String: ValueDictionary], workers: Workers
    ) throws {
        let snapshot = try CoWatchShards.snapshot(cowatch, at: time)
        self.ncf = try Self.neural(fit, ncf, snapshot, workers)
        let definition = try GLMixShards.definition(glmix, fit, as: ModelDefinition.self)
        let response = try GLMixShards.model(glmix, fit)
        self.glmix = ResponsePredictor(
            definition, response, catalogue: catalogue, learnerDictionaries: learnerDictionaries)
        groupedBy = Set(definition.coordinates.compactMap(\.by))
        hasCoWatches = (0..<catalogue.count).map { snapshot.similarity.range($0).count > 1 }
        hasEngagements = response.courseEngagements.map { $0 > 0 }
        for (folder, found) in [(ncf.folder, self.ncf.time), (glmix.folder, definition.time)] where found != time {
            throw LecternError.data("\(folder): \(fit.rawValue) scores as of \(found), expected \(time); run make all")
        }
        for (folder, found) in [(ncf.folder, self.ncf.courseCount), (glmix.folder, self.glmix.courseCount)]
        where found != catalogue.count {
            throw LecternError.data("\(folder): \(found) courses, the catalogue has \(catalogue.count); run make all")
        }
    }

    private static func neural(
        _ fit: GLMixShards.Fit, _ ncf: StageInput, _ snapshot: CoWatchSnapshot, _ workers: Workers
    ) throws -> NCFAtTime {
        do {
            return try NCFAtTime(
                NCFShards.definition(ncf, fit, as: NCFDefinition.self), NCFShards.model(ncf, fit), snapshot: snapshot,
                workers: workers)
        } catch let error as NCFStoredMismatch {
            throw LecternError.data(
                "\(ncf.folder)/\(NCFShards.towers(fit)): \(error.tensor): \(error.found), expected \(error.expected); "
                    + "run make train-ncf")
        }
    }

    /// Binds both models to a group of learners.
    /// - Parameter vectors: learner embeddings as stored; nil: computed from the moments.
    package func bind(
        _ moments: Moments, _ learners: AttributeTable, _ effects: LearnerEffects, vectors: Matrix? = nil,
        workers: Workers
    ) -> (ncf: NCFScorer, glmix: ResponseScorer) {
        (
            NCFScorer(ncf, moments: moments, learnerVectors: vectors, workers: workers),
            glmix.scorer(learners: learners, effects: effects)
        )
    }
}
