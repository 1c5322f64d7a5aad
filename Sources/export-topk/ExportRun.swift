// Reads   blended/, ncf/, glmix/ and cowatch/ (for reasons), watched/, logs/
// Writes  topk/: final lists by shard, default lists by segment, related courses; each in shards and serving formats
// Memory  both models' course side, and per thread one learner shard with its candidates and lists

import ArgumentParser
import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

struct ExportRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "The stage (default).",
        discussion: """
            Takes the best k of the blend's candidates that the rules allow, says why each entry stands there, and checks \
            every list before anything is committed.
            Memory: one shard of learners with its candidates per thread.
            """)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.exportTopK, options) { stage in
            let inputs = try stage.step("read logs and models") { try ExportInputs(stage) }
            let formats = try ServingFiles(inputs)
            let tallies = try stage.step("lists") {
                try stage.deal(inputs.shards, alone: formats.isOneFile) {
                    try ShardExport(inputs, shard: $0).write(formats)
                }
            }
            try stage.step("defaults") { try DefaultLists(inputs).write(formats) }
            try stage.step("related courses") { try RelatedLists(inputs).write(formats) }
            try stage.step("finish formats") { try formats.finish() }
            try stage.write(TopKShards.encode(courseIDs: inputs.catalogue.ids), as: TopKShards.courses)
            let total = tallies.reduce(into: ListTally(courses: inputs.catalogue.count)) { $0 += $1 }
            total.note(in: stage, eligible: inputs.eligible.count { $0 })
        }
    }
}

/// What is counted over all lists.
struct ListTally: Codable {
    var rungs: [Rung: Int] = [:]
    var shortness: [Shortness: Int] = [:]
    var reasons: [Reason: Int] = [:]
    var lists = 0
    /// By course: stands in some list.
    var shown: [Bool]

    init(courses: Int) { shown = [Bool](repeating: false, count: courses) }

    mutating func add(_ top: TopLists) {
        lists += top.lists.count
        for rung in top.rungs { rungs[rung, default: 0] += 1 }
        for short in top.shortness { shortness[short, default: 0] += 1 }
        for reason in top.reasons { reasons[reason, default: 0] += 1 }
        for course in top.lists.courses { shown[Int(course)] = true }
    }

    static func += (a: inout ListTally, b: ListTally) {
        a.lists += b.lists
        a.rungs.merge(b.rungs, uniquingKeysWith: +)
        a.shortness.merge(b.shortness, uniquingKeysWith: +)
        a.reasons.merge(b.reasons, uniquingKeysWith: +)
        for course in b.shown.indices where b.shown[course] { a.shown[course] = true }
    }

    func note(in stage: StageRun, eligible: Int) {
        stage.count("lists", lists)
        for (rung, count) in rungs { stage.count("rung \(rung.label)", count) }
        for (reason, count) in reasons { stage.count("reason \(reason.label)", count) }
        for (short, count) in shortness where short != .full { stage.count("short lists: \(short.label)", count) }
        let covered = shown.count { $0 }
        stage.count("courses shown", covered)
        stage.count("eligible courses", eligible)
        stage.manifest.facts["coverage"] = .number(eligible == 0 ? 0 : Double(covered) / Double(eligible))
    }
}
