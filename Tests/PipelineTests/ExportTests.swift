// Proves on a generated platform, with the real executables, that the final lists keep every rule: checked here against
// the logs themselves (raw watches, engagements, suppressions, the catalogue), not by the code that makes the lists.

import Foundation
import Platform
import ShardKinds
import Shards
import Testing

/// What the logs say about every learner, by id.
private struct Truth {
    struct Learner {
        var watched: Set<String> = []
        var dismissed: Set<String> = []
        var suppressed: Set<String> = []
        var isSuppressed = false
        var language: String?
    }

    var learners: [String: Learner] = [:]
    /// In the order of the shards.
    var ids: [String] = []
    let catalogue: Catalogue
    var notForAnyone: Set<String> = []
    let segments: [String]

    init(_ run: String) throws {
        let logs = try StageInput(run: run, stage: "import-logs", folder: "logs")
        catalogue = try LogsShards.catalogue(logs)
        let dictionaries = try LogsShards.learnerDictionaries(logs)
        segments = dictionaries["segment"]?.values ?? []
        let courses = catalogue.ids
        for course in 0..<catalogue.count where !catalogue.isEligible(course, at: logs.manifest.asOf) {
            notForAnyone.insert(courses[course])
        }
        if logs.has(LogsShards.generalSuppressions) {
            let rows = try LogsShards.suppressions(logs.shard(LogsShards.generalSuppressions))
            for row in 0..<rows.count where rows.scope[row] & 2 != 0 {
                notForAnyone.insert(courses[Int(rows.course[row])])
            }
        }
        let shards = logs.names("learners").count
        for shard in 0..<shards {
            let table = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: shards)))
            var own = [Learner](repeating: Learner(), count: table.count)
            let watches = try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
            for row in 0..<watches.count {
                own[Int(watches.learner[row])].watched.insert(courses[Int(watches.course[row])])
            }
            let events = try LogsShards.engagements(logs.shard(LogsShards.engagements(shard, of: shards)))
            for row in 0..<events.count where events.label[row] == EngagementLabel.dismiss.rawValue {
                own[Int(events.learner[row])].dismissed.insert(courses[Int(events.course[row])])
            }
            if logs.has(LogsShards.suppressions(shard, of: shards)) {
                let rows = try LogsShards.suppressions(logs.shard(LogsShards.suppressions(shard, of: shards)))
                for row in 0..<rows.count where rows.scope[row] & 2 != 0 {
                    if rows.course[row] == .max {
                        own[Int(rows.learner[row])].isSuppressed = true
                    } else {
                        own[Int(rows.learner[row])].suppressed.insert(courses[Int(rows.course[row])])
                    }
                }
            }
            if case .categorical(let codes, let valid)? = table.attributes.columns["language"] {
                for row in 0..<table.count where valid[row] {
                    own[row].language = dictionaries["language"]!.values[Int(codes[row])]
                }
            }
            ids += table.ids
            for (id, learner) in zip(table.ids, own) { learners[id] = learner }
        }
    }

    func value(_ course: String, _ column: String) -> String? {
        guard case .categorical(let codes, let valid)? = catalogue.attributes.columns[column],
            let number = catalogue.ids.firstIndex(of: course), valid[number]
        else { return nil }
        return catalogue.dictionaries[column]!.values[Int(codes[number])]
    }
}

/// A line of JSON Lines.
private struct Line: Decodable {
    struct Course: Decodable {
        var id: String
        var rank: Int
        var score: Float
        var listScore: Float?
        var reason: String?
        var because: String?
    }
    var learner: String?
    var rung: String?
    var short: String?
    var courses: [Course]
}

@Suite(.serialized) struct ExportTests {
    private let quick = Workplace.quick

    private func lines(_ run: String, _ prefix: String) throws -> [Line] {
        let folder = run + "/topk"
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try FileSystem.list(folder).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".jsonl.gz") }.flatMap {
            name in
            try execute(["gzip", "-dc", "\(folder)/\(name)"]).output.split(separator: "\n").map {
                try decoder.decode(Line.self, from: Data($0.utf8))
            }
        }
    }

    /// New settings for a finished run: `stages` are run again with them.
    private func again(_ place: Workplace, _ settings: String, _ stages: [String]) throws -> Outcome {
        let run = "\(place.out)/latest"
        var outcome = try tool(
            "prepare-run", "--run", run, "--config", "pipeline.yaml", "--dataset", "data/sample/dataset.yaml", "--data",
            place.data, "--set", "\(quick) \(settings)")
        for stage in stages where outcome.code == 0 { outcome = try tool(stage, "--run", run) }
        return outcome
    }

    @Test func listsKeepEveryRule() throws {
        let place = try Workplace(learners: 500, courses: 80)
        defer { place.remove() }
        let made = try place.make("stages")
        #expect(made.code == 0, "\(made.errors)")
        let run = "\(place.out)/latest"
        let truth = try Truth(run)
        #expect(truth.learners.values.contains { !$0.dismissed.isEmpty })
        try standardRules(run, truth)
        try formatsAgree(run)
        try diversityCapsAndBars(place, truth)
        try languages(place, truth)
        try onlyTheRuleKeepsWatchedCoursesOut(place, truth)
        try wrongColumnsAreNamed(place)
    }

    private func standardRules(_ run: String, _ truth: Truth) throws {
        let lists = try lines(run, "topk-")
        #expect(lists.map(\.learner) == truth.ids)
        for list in lists {
            let learner = truth.learners[list.learner!]!
            let ids = Set(list.courses.map(\.id))
            #expect(ids.count == list.courses.count && list.courses.map(\.rank) == Array(1...20).prefix(ids.count) + [])
            #expect(ids.isDisjoint(with: learner.watched) && ids.isDisjoint(with: learner.dismissed))
            #expect(ids.isDisjoint(with: learner.suppressed) && ids.isDisjoint(with: truth.notForAnyone))
            #expect((list.short == nil) == (ids.count == 20))
            if learner.isSuppressed { #expect(ids.isEmpty && list.short == "suppressed") }
            for (a, b) in zip(list.courses, list.courses.dropFirst()) {
                #expect(a.score > b.score || (a.score == b.score && a.id < b.id))
            }
            for course in list.courses where course.reason == "watched" {
                #expect(learner.watched.contains(course.because!))
            }
        }
        #expect(lists.contains { $0.courses.contains { $0.reason == "watched" } })
        let manifest = try Manifest.read(stageFolder: run + "/topk").manifest
        let rungs = manifest.counts.filter { $0.key.hasPrefix("rung ") }.values.reduce(0, +)
        #expect(rungs == truth.ids.count)
        let defaults = try lines(run, "default")
        #expect(defaults.count == truth.segments.count + 1)
        for list in defaults { #expect(list.courses.count == 20) }
        let related = try lines(run, "related")
        #expect(related.count == truth.catalogue.count)
        for list in related { #expect(Set(list.courses.map(\.id)).isDisjoint(with: truth.notForAnyone)) }
    }

    /// The long table says the same as JSON Lines, and so do the shards.
    private func formatsAgree(_ run: String) throws {
        let folder = run + "/topk"
        let names = try FileSystem.list(folder).filter { $0.hasPrefix("topk-") }
        var table: [[String]] = []
        for name in names where name.hasSuffix(".tsv.gz") {
            table += try execute(["gzip", "-dc", "\(folder)/\(name)"]).output.split(separator: "\n").map {
                $0.split(separator: "\t", omittingEmptySubsequences: false).prefix(3).map(String.init)
            }
        }
        let entries = try lines(run, "topk-").flatMap { list in
            list.courses.map { [list.learner!, String($0.rank), $0.id] }
        }
        #expect(table == entries)
        let topk = try StageInput(run: run, stage: "export-topk", folder: "topk")
        let ids = try TopKShards.ids(topk.shard(TopKShards.courses))
        let stored = try topk.names("topk").flatMap { name -> [[String]] in
            let shard = try topk.shard(name)
            let (learners, top) = (try TopKShards.ids(shard), try TopKShards.lists(shard))
            return learners.indices.flatMap { row in
                top.lists[row].enumerated().map { [learners[row], String($0 + 1), ids[Int($1)]] }
            }
        }
        #expect(stored == entries)
    }

    private func diversityCapsAndBars(_ place: Workplace, _ truth: Truth) throws {
        let settings =
            "export.k=5 export.max_per={topic: 1} export.bar={difficulty: [advanced]} export.relevance_share=0.7 "
            + "export.formats=[jsonl]"
        let outcome = try again(place, settings, ["export-topk"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let run = "\(place.out)/latest"
        for list in try lines(run, "topk-") {
            let topics = list.courses.compactMap { truth.value($0.id, "topic") }
            #expect(Set(topics).count == topics.count && list.courses.count <= 5)
            #expect(!list.courses.contains { truth.value($0.id, "difficulty") == "advanced" })
            let scores = list.courses.map { $0.listScore ?? $0.score }
            #expect(zip(scores, scores.dropFirst()).allSatisfy { $0 >= $1 })
        }
        #expect(try FileSystem.list(run + "/topk").allSatisfy { !$0.hasSuffix(".tsv.gz") })
    }

    private func languages(_ place: Workplace, _ truth: Truth) throws {
        let outcome = try again(place, "export.languages=learner", ["export-topk"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        var restricted = 0
        for list in try lines("\(place.out)/latest", "topk-") {
            guard let language = truth.learners[list.learner!]!.language else { continue }
            restricted += 1
            for course in list.courses { #expect([language, nil].contains(truth.value(course.id, "language"))) }
        }
        #expect(restricted > 100)
    }

    private func onlyTheRuleKeepsWatchedCoursesOut(_ place: Workplace, _ truth: Truth) throws {
        let outcome = try again(
            place, "export.exclude=none export.exclude_dismissed=false", ["blend", "export-topk"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let lists = try lines("\(place.out)/latest", "topk-")
        #expect(lists.contains { !truth.learners[$0.learner!]!.watched.isDisjoint(with: $0.courses.map(\.id)) })
        #expect(lists.contains { !truth.learners[$0.learner!]!.dismissed.isDisjoint(with: $0.courses.map(\.id)) })
        for list in lists where truth.learners[list.learner!]!.isSuppressed { #expect(list.courses.isEmpty) }
    }

    private func wrongColumnsAreNamed(_ place: Workplace) throws {
        for (settings, word) in [
            ("export.max_per={flavour: 2}", "flavour"), ("export.require={difficulty: [impossible]}", "impossible"),
        ] {
            let outcome = try again(place, settings, ["export-topk"])
            #expect(outcome.code == 78 && outcome.complaints.count == 1 && outcome.complaints[0].contains(word))
        }
    }
}
