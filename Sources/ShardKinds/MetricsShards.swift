import FoundationEssentials
import Shards

/// The shard kind of `metrics/`: per learner, where the relevant courses stand in each list (docs/shards.md).
package enum MetricsShards {
    package static func learners(_ shard: Int, of shards: Int) -> String {
        ShardName.of("learner-metrics", shard, of: shards)
    }
    package static let report = "metrics.json"
    package static let table = "table.txt"

    /// Learners of one shard with at least one relevant course in the window.
    package struct LearnerMetrics: Sendable, Equatable {
        /// Names of the lists, and how long each can be.
        package var models: [String]
        package var depths: [Int]
        package var ids: [String] = []
        /// Moments before T.
        package var history: [UInt32] = []
        /// Empty: none known.
        package var segments: [String] = []
        /// Of the learner (`LearnerLanguages` of evaluate); empty: none known.
        package var languages: [String] = []
        /// What the served list rests on.
        package var rungs: [String] = []
        /// Relevant courses in the window.
        package var relevant: [UInt32] = []
        /// By model, then row: ranks (from 1, ascending) at which relevant courses stand.
        package var ranks: [[[UInt32]]]

        package init(models: [String], depths: [Int]) {
            (self.models, self.depths, ranks) = (models, depths, models.map { _ in [] })
        }

        package var count: Int { ids.count }
    }

    package static func encode(_ rows: LearnerMetrics) -> ShardBuilder {
        var shard = ShardBuilder(kind: "learner-metrics", rows: rows.count)
        shard.metadata["models"] = rows.models.joined(separator: ",")
        shard.metadata["depths"] = rows.depths.map(String.init).joined(separator: ",")
        shard.add("id", Ragged(rows.ids))
        shard.add("history", rows.history)
        shard.add("segment", Ragged(rows.segments))
        shard.add("language", Ragged(rows.languages))
        shard.add("rung", Ragged(rows.rungs))
        shard.add("relevant", rows.relevant)
        for (model, lists) in zip(rows.models, rows.ranks) {
            var ranks = Ragged<UInt32>()
            for list in lists { ranks.append(list) }
            shard.add("\(model).rank", ranks)
        }
        return shard
    }

    package static func learners(_ shard: Shard) throws -> LearnerMetrics {
        let models = (shard.metadata["models"] ?? "").split(separator: ",").map(String.init)
        let depths = (shard.metadata["depths"] ?? "").split(separator: ",").compactMap { Int($0) }
        guard depths.count == models.count else {
            throw LecternError.data("\(shard.name): metadata \"models\" and \"depths\" do not match")
        }
        var rows = LearnerMetrics(models: models, depths: depths)
        rows.ids = try shard.strings("id").strings
        rows.history = try shard.values("history")
        rows.segments = try shard.strings("segment").strings
        rows.languages = try shard.strings("language").strings
        rows.rungs = try shard.strings("rung").strings
        rows.relevant = try shard.values("relevant")
        rows.ranks = try models.map { model in
            let ranks = try shard.ragged("\(model).rank", as: UInt32.self)
            return (0..<ranks.count).map { Array(ranks[$0]) }
        }
        for lists in rows.ranks {
            for (row, list) in lists.enumerated() where !isPlausible(list, relevant: rows.relevant[row]) {
                throw LecternError.data("\(shard.name): row \(row): ranks \(list) of \(rows.relevant[row]) relevant")
            }
        }
        return rows
    }

    private static func isPlausible(_ ranks: [UInt32], relevant: UInt32) -> Bool {
        relevant > 0 && ranks.count <= Int(relevant) && (ranks.first ?? 1) >= 1
            && zip(ranks, ranks.dropFirst()).allSatisfy { $0 < $1 }
    }
}

/// As the bytes of its shard: what ranks send each other.
extension MetricsShards.LearnerMetrics: Codable {
    package init(from decoder: any Decoder) throws {
        let bytes = try decoder.singleValueContainer().decode(Data.self)
        self = try MetricsShards.learners(Shard(gzipped: Array(bytes), name: "learners of another rank"))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(Gzip.compress(MetricsShards.encode(self).encoded(), stored: true)))
    }
}
