import LinearAlgebra
import Metrics
import Platform
import Ranking
import ShardKinds
import StageKit

/// Writes what came out of validation, and says it.
struct ValidationReport {
    let inputs: BlendInputs
    let validation: ValidationSet
    let outcome: BlendOutcome

    private var stage: StageRun { inputs.stage }
    private var group: ValidationGroup { validation.group }

    init(_ inputs: BlendInputs, _ validation: ValidationSet, _ outcome: BlendOutcome) {
        (self.inputs, self.validation, self.outcome) = (inputs, validation, outcome)
    }

    func write(_ blend: StoredBlend) throws {
        let table = table()
        try stage.write(BlendedShards.encode(rows()), as: BlendedShards.validationLearners)
        try stage.write(BlendedShards.encode(table), as: BlendedShards.validation)
        try stage.write(
            BlendedShards.encode(parameters(blend.segmentCodes), definition: blend), as: BlendedShards.weights)
        describe(table)
    }

    private func rows() -> BlendedShards.ValidationLearners {
        var rows = BlendedShards.ValidationLearners()
        rows.shard = validation.members.map { UInt32($0.shard) }
        rows.learner = validation.members.map { UInt32($0.learner) }
        rows.contextLength = group.traits.map { UInt32($0.contextLength) }
        rows.fold = outcome.folds.map { UInt8($0) }
        rows.relevant = (0..<group.count).map { UInt32(group.relevant[$0].count) }
        for model in ValidationModel.allCases {
            let hits = outcome.hits[model]!
            rows.ranks[model.rawValue] = hits.map { $0.ranks.map { UInt32($0) } }
            rows.ndcg[model.rawValue] = hits.map { $0.ndcg(at: BlendedShards.k) }
            rows.recall[model.rawValue] = hits.map { $0.recall(at: BlendedShards.k) }
        }
        return rows
    }

    /// Every model's means, and those of the blend's paired differences from every other model.
    private func table() -> [BlendedShards.ValidationEntry] {
        let groups: [(name: String, learners: [Int])] = [
            ("all", Array(0..<group.count)), ("warm", (0..<group.count).filter { !group.traits[$0].isCold }),
            ("cold", (0..<group.count).filter { group.traits[$0].isCold }),
        ]
        return groups.flatMap { name, learners in
            ["ndcg", "recall"].flatMap { metric in entries(name, learners, metric) }
        }
    }

    private func entries(_ name: String, _ learners: [Int], _ metric: String) -> [BlendedShards.ValidationEntry] {
        func values(_ model: ValidationModel) -> [Double] {
            learners.map {
                let hits = outcome.hits[model]![$0]
                return metric == "ndcg" ? hits.ndcg(at: BlendedShards.k) : hits.recall(at: BlendedShards.k)
            }
        }
        let models = ValidationModel.allCases
        let blend = values(.blend)
        let others = models.filter { $0 != .blend }
        let columns = models.map(values) + others.map { zip(blend, values($0)).map { $0 - $1 } }
        let intervals = Bootstrap(seed: inputs.settings.seed, purpose: "blend.validation")
            .intervals(columns: columns, learners: nil, workers: stage.workers)
        let labels = models.map { ($0.rawValue, "") } + others.map { ("blend", $0.rawValue) }
        return zip(labels, intervals).map { label, interval in
            BlendedShards.ValidationEntry(
                model: label.0, against: label.1, group: name, metric: metric, learners: learners.count,
                mean: interval.mean, low: interval.low, high: interval.high)
        }
    }

    private func parameters(_ segmentCodes: [UInt32]) -> [BlendedShards.Parameter] {
        let values = inputs.learnerDictionaries[BlendSegments.column]?.values ?? []
        let names = outcome.model.layout.names(
            segments: segmentCodes.map { Int($0) < values.count ? values[Int($0)] : "#\($0)" })
        return [
            ("warm", outcome.mixture.warm, outcome.model.warm), ("cold", outcome.mixture.cold, outcome.model.cold),
        ].flatMap { name, mixture, group in
            names.indices.map {
                BlendedShards.Parameter(
                    group: name, name: names[$0], mixture: mixture[$0], value: group.parameters[$0])
            }
        }
    }

    private func describe(_ table: [BlendedShards.ValidationEntry]) {
        let cold = group.traits.count(where: \.isCold)
        stage.count("validation learners", group.count)
        stage.count("validation learners without history", cold)
        stage.count("validation rows", outcome.rows)
        stage.manifest.facts["validation_halves"] = .text(
            validation.isHalved ? "half B" : "both halves: too few learners")
        let facts: [(String, BlendModel.Group, Bool, Int, (against: BlendChoice, gain: Interval)?)] = [
            ("warm", outcome.model.warm, outcome.isFitted.warm, group.count - cold, outcome.warmGain),
            ("cold", outcome.model.cold, outcome.isFitted.cold, cold, outcome.coldGain),
        ]
        for (name, model, isFitted, learners, gain) in facts {
            stage.manifest.facts["choice_\(name)"] = .text(model.choice.rawValue)
            let what = name == "warm" ? "learners with history" : "learners without history"
            if !isFitted {
                stage.warn(
                    "\(learners) validation \(what), fewer than blend.least_learners or without hits in some fold: "
                        + "prior weights")
            }
            if model.choice != .blend, let gain {
                stage.warn(
                    "\(what): the blend is worse than \(gain.against.rawValue) alone (NDCG@20 \(interval(gain.gain))): "
                        + "ranked by \(gain.against.rawValue)")
            }
        }
        let line = ValidationModel.allCases.compactMap { model in
            table.first { $0.model == model.rawValue && $0.against.isEmpty && $0.group == "all" && $0.metric == "ndcg" }
                .map { "\(model.rawValue) \(rounded($0.mean))" }
        }
        stage.say("validation NDCG@20 of \(group.count) learners: " + line.joined(separator: ", "))
    }

    private func interval(_ value: Interval) -> String {
        "\(rounded(value.mean)), 95 % interval \(rounded(value.low)) to \(rounded(value.high))"
    }

    private func rounded(_ value: Double) -> String {
        let thousands = Int((abs(value) * 10_000).rounded())
        let digits = String(thousands % 10_000)
        return (value < 0 ? "−" : "") + "\(thousands / 10_000)."
            + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
