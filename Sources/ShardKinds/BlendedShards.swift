import FoundationEssentials
import Platform
import Shards

/// The shard kinds of `blended/`: candidates and single models' lists by learner shard, the blend's weights, and the
/// validation table with its learners (docs/shards.md).
package enum BlendedShards {
    package static func candidates(_ shard: Int, of shards: Int) -> String {
        ShardName.of("candidates", shard, of: shards)
    }
    package static func single(_ shard: Int, of shards: Int) -> String { ShardName.of("single", shard, of: shards) }
    package static let weights = "weights\(ShardName.suffix)"
    package static let validation = "validation\(ShardName.suffix)"
    package static let validationLearners = "validation-learners\(ShardName.suffix)"
    /// Candidates of made-up learners without history: row 0 without a segment, row 1 + s of segment s.
    package static let defaults = "default\(ShardName.suffix)"
    /// `single` of the same learners.
    package static let defaultSingle = "default-single\(ShardName.suffix)"

    // MARK: As of T, by the refitted models

    /// Rows are the learners of `logs/learners` of the same shard. Ragged, best first: `course`, `score` (blended
    /// logit), and its parts `ncf`, `glmix`, `recent` (standardised, not weighted).
    package static func encode(_ candidates: Candidates) -> ShardBuilder {
        var shard = ShardBuilder(kind: "candidates", rows: candidates.lists.count)
        RankedColumns.add(candidates.lists, to: &shard, course: "course", score: "score")
        let offsets = candidates.lists.offsets.map(Int64.init)
        shard.add("ncf", Ragged(offsets: offsets, values: candidates.ncf))
        shard.add("glmix", Ragged(offsets: offsets, values: candidates.glmix))
        shard.add("recent", Ragged(offsets: offsets, values: candidates.recent))
        return shard
    }

    package static func candidates(_ shard: Shard) throws -> Candidates {
        let lists = try RankedColumns.read(shard, course: "course", score: "score")
        return Candidates(
            lists: lists, ncf: try RankedColumns.values(shard, "ncf", lists),
            glmix: try RankedColumns.values(shard, "glmix", lists),
            recent: try RankedColumns.values(shard, "recent", lists))
    }

    /// What each model alone would recommend (eligible courses only, watched ones removed): for evaluation.
    package struct SingleLists: Sendable, Equatable {
        package var ncf: RankedLists
        package var glmix: RankedLists
        package init(ncf: RankedLists, glmix: RankedLists) { (self.ncf, self.glmix) = (ncf, glmix) }
    }

    package static func encode(_ single: SingleLists) -> ShardBuilder {
        var shard = ShardBuilder(kind: "single", rows: single.ncf.count)
        RankedColumns.add(single.ncf, to: &shard, course: "ncf.course", score: "ncf.score")
        RankedColumns.add(single.glmix, to: &shard, course: "glmix.course", score: "glmix.score")
        return shard
    }

    package static func single(_ shard: Shard) throws -> SingleLists {
        SingleLists(
            ncf: try RankedColumns.read(shard, course: "ncf.course", score: "ncf.score"),
            glmix: try RankedColumns.read(shard, course: "glmix.course", score: "glmix.score"))
    }

    // MARK: Weights

    /// One parameter of the blend (docs/ranking.md).
    package struct Parameter: Sendable, Equatable {
        /// `warm` (learners with a context) or `cold`.
        package var group: String
        package var name: String
        /// In the best fixed mixture, which is the prior mean.
        package var mixture: Double
        package var value: Double
        package init(group: String, name: String, mixture: Double, value: Double) {
            (self.group, self.name, self.mixture, self.value) = (group, name, mixture, value)
        }
    }

    /// Rows are parameters, for people; the same and all else that scores need as JSON under `definition` in the header.
    package static func encode(_ parameters: [Parameter], definition: some Encodable) -> ShardBuilder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var shard = ShardBuilder(kind: "blend-weights", rows: parameters.count)
        shard.metadata["definition"] = String(decoding: try! encoder.encode(definition), as: UTF8.self)
        shard.add("group", Ragged(parameters.map(\.group)))
        shard.add("name", Ragged(parameters.map(\.name)))
        shard.add("mixture", parameters.map(\.mixture))
        shard.add("value", parameters.map(\.value))
        return shard
    }

    /// - Parameter type: Ranking's `StoredBlend`, which this floor does not know.
    package static func definition<Definition: Decodable>(
        _ blended: StageInput, as type: Definition.Type = Definition.self
    ) throws -> Definition {
        let shard = try blended.shard(weights)
        guard let json = shard.metadata["definition"],
            let definition = try? JSONDecoder().decode(type, from: Data(json.utf8))
        else { throw LecternError.data("\(shard.name): has no definition of a blend; run make blend") }
        return definition
    }

    // MARK: Validation, as of t_v, by the models fitted before it

    /// Names of the models in validation: both models, their best fixed mixture, the personal blend (both out of
    /// fold), and two baselines.
    package static let models = ["ncf", "glmix", "mixture", "blend", "popular", "recent"]
    /// Ranks beyond this are not recorded.
    package static let deepestRank = 50
    /// The cut-off of the table's metrics.
    package static let k = 20

    /// The learners of validation half B, in shard order: one row each, from which any table can be made again.
    package struct ValidationLearners: Sendable, Equatable {
        package var shard: [UInt32] = []
        /// Row in the shard.
        package var learner: [UInt32] = []
        /// Courses in the context at t_v; 0 is a cold learner.
        package var contextLength: [UInt32] = []
        package var fold: [UInt8] = []
        /// Relevant courses in `[t_v, T)`.
        package var relevant: [UInt32] = []
        /// By model: ranks (from 1, ascending) at which relevant courses stand, up to `deepestRank`.
        package var ranks: [String: [[UInt32]]] = [:]
        /// By model, NDCG@20 and Recall@20.
        package var ndcg: [String: [Double]] = [:]
        package var recall: [String: [Double]] = [:]

        package init() {}
        package var count: Int { learner.count }
    }

    package static func encode(_ rows: ValidationLearners) -> ShardBuilder {
        var shard = ShardBuilder(kind: "validation-learners", rows: rows.count)
        shard.add("shard", rows.shard)
        shard.add("learner", rows.learner)
        shard.add("context_length", rows.contextLength)
        shard.add("fold", rows.fold)
        shard.add("relevant", rows.relevant)
        for model in models {
            var ranks = Ragged<UInt32>()
            for list in rows.ranks[model]! { ranks.append(list) }
            shard.add("\(model).rank", ranks)
            shard.add("\(model).ndcg", rows.ndcg[model]!)
            shard.add("\(model).recall", rows.recall[model]!)
        }
        return shard
    }

    package static func validationLearners(_ shard: Shard) throws -> ValidationLearners {
        var rows = ValidationLearners()
        rows.shard = try shard.values("shard")
        rows.learner = try shard.values("learner")
        rows.contextLength = try shard.values("context_length")
        rows.fold = try shard.values("fold")
        rows.relevant = try shard.values("relevant")
        for model in models {
            let ranks = try shard.ragged("\(model).rank", as: UInt32.self)
            rows.ranks[model] = (0..<ranks.count).map { Array(ranks[$0]) }
            rows.ndcg[model] = try shard.values("\(model).ndcg")
            rows.recall[model] = try shard.values("\(model).recall")
        }
        return rows
    }

    /// One line of the validation table: a mean over learners with its 95 % interval.
    package struct ValidationEntry: Sendable, Equatable {
        package var model: String
        /// Empty: the model's own metric; else the paired difference model − against.
        package var against: String
        /// `all`, `warm` (a context at t_v) or `cold`.
        package var group: String
        /// `ndcg` or `recall`, at 20.
        package var metric: String
        package var learners: Int
        package var mean: Double
        package var low: Double
        package var high: Double

        package init(
            model: String, against: String, group: String, metric: String, learners: Int, mean: Double, low: Double,
            high: Double
        ) {
            (self.model, self.against, self.group, self.metric) = (model, against, group, metric)
            (self.learners, self.mean, self.low, self.high) = (learners, mean, low, high)
        }
    }

    package static func encode(_ table: [ValidationEntry]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "validation", rows: table.count)
        shard.add("model", Ragged(table.map(\.model)))
        shard.add("against", Ragged(table.map(\.against)))
        shard.add("group", Ragged(table.map(\.group)))
        shard.add("metric", Ragged(table.map(\.metric)))
        shard.add("learners", table.map { Int64($0.learners) })
        shard.add("mean", table.map(\.mean))
        shard.add("low", table.map(\.low))
        shard.add("high", table.map(\.high))
        return shard
    }

    package static func validation(_ shard: Shard) throws -> [ValidationEntry] {
        let model = try shard.strings("model").strings
        let against = try shard.strings("against").strings
        let group = try shard.strings("group").strings
        let metric = try shard.strings("metric").strings
        let learners: [Int64] = try shard.values("learners")
        let mean: [Double] = try shard.values("mean")
        let low: [Double] = try shard.values("low")
        let high: [Double] = try shard.values("high")
        return model.indices.map {
            ValidationEntry(
                model: model[$0], against: against[$0], group: group[$0], metric: metric[$0],
                learners: Int(learners[$0]), mean: mean[$0], low: low[$0], high: high[$0])
        }
    }
}
