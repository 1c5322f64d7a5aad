import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// What the stage holds of `logs/`: everything but watches, which are read shard by shard.
struct LogData {
    let logs: StageInput
    let windows: TimeWindows
    /// Whether validation learners are halved: by their moments, as NCF and the blend do, whoever engages with anything.
    let halves: Bool
    let shards: Int
    let catalogue: Catalogue
    let courseTable: AttributeTable
    let courseIDs: [String]
    let learners: [Learners]
    /// `LearnerHash` of every learner, by shard.
    let hashes: [[UInt64]]
    let dictionaries: [String: ValueDictionary]
    /// Those that may be learnt from.
    let engagements: [Engagements]
    let history: EngagementHistory
    let workers: Workers

    init(_ stage: StageRun, halfLife: Double) throws {
        let logs = try stage.input(.importLogs)
        self.logs = logs
        workers = stage.workers
        let watched = try stage.input(.filterWatches)
        windows = try TimeWindows(watched.manifest)
        guard let validating = watched.manifest.counts["validation learners"] else {
            throw LecternError.data(
                "\(watched.folder)/\(Manifest.fileName): no count of validation learners; run make filter-watches")
        }
        halves = validating >= TimeWindows.leastToHalve
        catalogue = try LogsShards.catalogue(logs)
        courseTable = CourseTable.of(catalogue)
        courseIDs = catalogue.ids
        let shards = logs.names("learners").count
        self.shards = shards
        learners = try stage.workers.map(shards) {
            try LogsShards.learners(logs.shard(LogsShards.learners($0, of: shards)))
        }
        hashes = learners.map { $0.ids.map { LearnerHash.of($0.utf8) } }
        dictionaries = try LogsShards.learnerDictionaries(logs)
        let suppressions = try logs.generalSuppressions()
        engagements = try stage.workers.map(shards) { shard in
            let name = LogsShards.engagements(shard, of: shards)
            if !logs.has(name) { return Engagements.none }
            let rows = try LogsShards.engagements(logs.shard(name))
            return try logs.trainingBans(shard, of: shards, general: suppressions).rest(of: rows)
        }
        history = EngagementHistory(engagements, courseCount: catalogue.count, halfLife: halfLife)
    }

    private func watches(_ shard: Int) throws -> Watches {
        try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
    }

    /// Training rows of all shards from events before `cutoff` (since `rules.since`).
    func rows(before cutoff: Int64, _ rules: RowRules) throws -> [TrainingRows] {
        let sampler = NegativeSampler(
            engagements: positives(before: cutoff), publishedAt: catalogue.publishedAt, retiredAt: catalogue.retiredAt,
            alpha: rules.alpha)
        let builder = RowBuilder(rules: rules, cutoff: cutoff, sampler: sampler)
        return try workers.map(shards) { shard in
            builder.rows(engagements[shard], try watches(shard), hashes: hashes[shard])
        }
    }

    /// Positive engagements per course.
    private func positives(before cutoff: Int64) -> [Int] {
        var counts = [Int](repeating: 0, count: catalogue.count)
        for shard in engagements {
            for i in 0..<shard.count where shard.time[i] < cutoff && shard.label[i] == EngagementLabel.positive.rawValue
            {
                counts[Int(shard.course[i])] += 1
            }
        }
        return counts
    }

    /// Positive engagements per learner of a shard on days before that of `time`.
    func engagementCounts(_ shard: Int, before time: Int64) -> [Int32] {
        let day = CourseActivity.day(time)
        var counts = [Int32](repeating: 0, count: learners[shard].count)
        let part = engagements[shard]
        for i in 0..<part.count
        where part.label[i] == EngagementLabel.positive.rawValue && CourseActivity.day(part.time[i]) < day {
            counts[Int(part.learner[i])] += 1
        }
        return counts
    }

    /// Training rows per learner (by shard) and per course, as the statistics of features need them.
    func tables(_ rows: [TrainingRows]) -> (learners: TrainingTable, courses: TrainingTable) {
        var perCourse = [Int](repeating: 0, count: catalogue.count)
        let perLearner = zip(rows, learners).map { part, learners in
            var counts = [Int](repeating: 0, count: learners.count)
            for i in 0..<part.count {
                counts[Int(part.learner[i])] += 1
                perCourse[Int(part.course[i])] += 1
            }
            return counts
        }
        return (
            TrainingTable(parts: learners.map(\.attributes), rows: perLearner, dictionaries: dictionaries),
            TrainingTable(parts: [courseTable], rows: [perCourse], dictionaries: catalogue.dictionaries)
        )
    }

    /// Whether learners have this column, categorical.
    func hasProfile(_ column: String) -> Bool {
        learners.contains { if case .categorical? = $0.attributes.columns[column] { true } else { false } }
    }
}

extension Engagements {
    static let none = Engagements(learner: [], course: [], time: [], label: [], kind: [], channel: [])
}
