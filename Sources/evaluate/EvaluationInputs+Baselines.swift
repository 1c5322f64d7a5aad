import Baselines
import CoWatch
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

extension EvaluationInputs {
    /// The baselines of the configuration: parameters chosen as of t_v, models as of T.
    func chooseBaselines() throws -> ([(name: String, baseline: Baseline)], BaselineModels) {
        let cowatch = try stage.input(.buildCooccurrence)
        let learners = try stage.workers.map(after.shards) {
            try LogsShards.learners(after.logs.shard(LogsShards.learners($0, of: after.shards)))
        }
        let source = BaselineSource(
            moments: try WatchedShards.allMoments(watched), profiles: profiles(learners), courseCount: courseCount,
            history: windows.history, wide: wideKind(cowatch),
            isSimilarityBounded: isSimilarityBounded(cowatch), seed: settings.seed, workers: stage.workers)
        let families = families(source)
        let candidates = CandidateRule(stage.slice, logs: after.logs, catalogue: catalogue, at: windows.validation)
        let removed = try stage.workers.map(after.shards) {
            try candidates.removed($0, of: after.shards, moments: source.moments[$0])
        }
        let choice = BaselineChoice(
            source, windows: windows, hashes: learners.map { $0.ids.map { LearnerHash.of($0.utf8) } },
            eligible: candidates.eligible, removed: removed)
        let chosen = try choice.choose(families) { try snapshot(cowatch, at: windows.validation) }
        for (family, baseline) in zip(families, chosen) where family.candidates.count > 1 {
            stage.manifest.facts["baseline \(family.name)"] = .text(baseline.text)
        }
        let models = BaselineModels(
            source, snapshot: try snapshot(cowatch, at: windows.asOf), at: windows.asOf, fitting: chosen)
        return (zip(families, chosen).map { ($0.name, $1) }, models)
    }

    private func families(_ source: BaselineSource) -> [BaselineFamily] {
        let hasEase = source.wide == .ease || courseCount <= CoWatch.WideOptions().easeLimit
        var shown: Set<String> = []
        return settings.baselines.compactMap { name in
            let family = BaselineFamily(
                name, recentDays: Double(settings.recentWindow) / Double(Popularity.day), wide: source.wide,
                columns: source.profiles.keys.sorted(), hasEase: hasEase)
            guard let family else {
                stage.say("baseline \(name): nothing here that it could be made of")
                return nil
            }
            return shown.insert(family.name).inserted ? family : nil  // wide may be ease under another name
        }
    }

    /// What the matrix of `cowatch/` is.
    private func wideKind(_ cowatch: StageInput) -> Baseline.Weights? {
        guard case .text(let kind)? = cowatch.manifest.facts["wide"] else { return nil }
        // The similarity is called cowatch too.
        return kind == "cowatch" ? .dampedCoWatch : Baseline.Weights(rawValue: kind)
    }

    /// Lift and pointwise mutual information have no bound.
    private func isSimilarityBounded(_ cowatch: StageInput) -> Bool {
        guard case .text(let measure)? = cowatch.manifest.facts["measure"] else { return false }
        return measure == CoWatch.Measure.cosine.rawValue || measure == CoWatch.Measure.jaccard.rawValue
    }

    private func snapshot(_ cowatch: StageInput, at time: Int64) throws -> CoWatchSnapshot {
        let snapshot = try CoWatchShards.snapshot(cowatch, at: time)
        guard snapshot.similarity.rowCount == courseCount else {
            throw LecternError.data(
                "\(cowatch.folder): \(snapshot.similarity.rowCount) courses, the catalogue has \(courseCount); "
                    + "run make build-cooccurrence")
        }
        return snapshot
    }

    /// Categorical columns of the learners: by name, then shard, the code of each one's value, −1 for none.
    private func profiles(_ learners: [Learners]) -> [String: [[Int32]]] {
        var profiles: [String: [[Int32]]] = [:]
        for name in learners.first?.attributes.names ?? [] {
            let codes = learners.map { part -> [Int32]? in
                guard case .categorical(let codes, let valid)? = part.attributes.columns[name] else { return nil }
                return zip(codes, valid).map { $1 ? Int32($0) : -1 }
            }
            if codes.allSatisfy({ $0 != nil }) { profiles[name] = codes.map { $0! } }
        }
        return profiles
    }
}
