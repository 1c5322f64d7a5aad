import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

/// What is particular to each learner of a shard: suppressions, raw history, dismissals, languages.
struct LearnerRules {
    let learners: [ListRules.Learner]

    init(_ inputs: ExportInputs, shard: Int, learners: Learners) throws {
        let logs = inputs.logs
        let shards = inputs.shards
        let time = inputs.windows.asOf
        let watches = try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
        var excluded = inputs.settings.exclusion.exclusions(
            watches, learners: learners.count, before: time, duration: inputs.catalogue.duration,
            completedFraction: inputs.settings.completedFraction)
        if inputs.settings.excludesDismissed {
            excluded = excluded.union(try Self.dismissed(inputs, shard, learners.count))
        }
        var suppressed = [Bool](repeating: false, count: learners.count)
        let rows = try logs.suppressions(shard, of: shards)
        if rows.count > 0 { excluded = excluded.union(Self.suppressed(rows, learners.count, &suppressed)) }
        let languages = Self.languages(inputs, learners, watches)
        self.learners = (0..<learners.count).map { row in
            var rules = ListRules.Learner()
            rules.isSuppressed = suppressed[row]
            rules.excluded = excluded[row]
            rules.languages = languages?[row]
            return rules
        }
    }

    private static func dismissed(_ inputs: ExportInputs, _ shard: Int, _ count: Int) throws -> CourseSets {
        let name = LogsShards.engagements(shard, of: inputs.shards)
        var courses = [[UInt32]](repeating: [], count: count)
        if inputs.logs.has(name) {
            let rows = try LogsShards.engagements(inputs.logs.shard(name))
            let from = inputs.settings.dismissedFor.map { inputs.windows.asOf - $0 } ?? .min
            for row in 0..<rows.count
            where rows.label[row] == EngagementLabel.dismiss.rawValue && rows.time[row] >= from
                && rows.time[row] < inputs.windows.asOf
            {
                courses[Int(rows.learner[row])].append(rows.course[row])
            }
        }
        return sets(courses)
    }

    private static func suppressed(
        _ rows: Suppressions, _ count: Int, _ whole: inout [Bool]
    ) -> CourseSets {
        var courses = [[UInt32]](repeating: [], count: count)
        for row in 0..<rows.count where rows.coversRecommending(row) && Int(rows.learner[row]) < count {
            let learner = Int(rows.learner[row])
            if rows.course[row] == .max { whole[learner] = true } else { courses[learner].append(rows.course[row]) }
        }
        return sets(courses)
    }

    private static func sets(_ courses: [[UInt32]]) -> CourseSets {
        var result = CourseSets()
        for list in courses { result.append(list) }
        return result
    }

    /// By learner, allowed language codes of the catalogue; nil: any.
    private static func languages(
        _ inputs: ExportInputs, _ learners: Learners, _ watches: Watches
    ) -> [Set<Int32>?]? {
        switch inputs.settings.languages {
        case .any: return nil
        case .history:
            var found = [Set<Int32>?](repeating: nil, count: learners.count)
            for row in 0..<watches.count where watches.time[row] < inputs.windows.asOf {
                let language = inputs.rules.courseLanguage[Int(watches.course[row])]
                if language >= 0 {
                    found[Int(watches.learner[row])] = (found[Int(watches.learner[row])] ?? []).union([language])
                }
            }
            return found
        case .learner: return spoken(inputs, learners)
        }
    }

    private static func spoken(_ inputs: ExportInputs, _ learners: Learners) -> [Set<Int32>?] {
        let courses = inputs.catalogue.dictionaries["language"]?.values ?? []
        let codes = Dictionary(uniqueKeysWithValues: courses.enumerated().map { (Array($1.utf8), Int32($0)) })
        // A language without a course allows none of those that have one.
        let own = (inputs.learnerDictionaries["language"]?.values ?? []).map { codes[Array($0.utf8)] ?? -1 }
        switch learners.attributes.columns["language"] {
        case .categorical(let values, let valid)?:
            return zip(values, valid).map { $1 ? [own[Int($0)]] : nil }
        case .list(let offsets, let values)?:
            return (0..<learners.count).map { row in
                let spoken = values[offsets[row]..<offsets[row + 1]].map { own[Int($0)] }
                return spoken.isEmpty ? nil : Set(spoken)
            }
        default: return [Set<Int32>?](repeating: nil, count: learners.count)
        }
    }
}
