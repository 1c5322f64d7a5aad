// Reads   its options only
// Writes  the folder --out, whole or not at all: CSV files of a synthetic learning platform, and the planted truth
// Memory  about 1 KB per course, 8 bytes per course and week, and the compressed rows of 64 blocks of 512 learners

import ArgumentParser
import CommandKit
import Foundation
import LinearAlgebra
import Logs
import Shards
import StageKit

@main
struct GenerateLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-logs",
        abstract: "Generates watches, engagements, learners and courses of a synthetic learning platform as CSV.",
        discussion: """
            Equal options give equal files, whatever the number of threads. The truth that was planted goes to \
            <out>/truth. Memory does not grow with the number of learners.
            """,
        version: Lectern.release)

    @Option(help: "The folder to write; an earlier one of this program is replaced, any other is left alone.")
    var out: String

    @Option(help: "Number of learners.")
    var learners = GeneratorOptions().learners

    @Option(help: "Number of courses.")
    var courses = GeneratorOptions().courses

    @Option(help: "Length of the logs in days.")
    var days = GeneratorOptions().days

    @Option(help: "The day after the last one of the logs, YYYY-MM-DD.")
    var end = CivilDate.text(GeneratorOptions().end)

    @Option(help: "Seed of all random numbers.")
    var seed = GeneratorOptions().seed

    @Option(help: "Rows of watches per learner, about, over the whole time.")
    var watchesPerLearner = GeneratorOptions().watchesPerLearner

    @Option(help: "Impressions per learner, about, over the whole time; 0: a platform without engagements.")
    var impressionsPerLearner = GeneratorOptions().impressionsPerLearner

    @Option(help: "How much titles draw clicks without interest: deviation of a course's effect on the logit.")
    var titleAppeal = GeneratorOptions().titleAppeal

    @Option(help: "How much segments differ in the topics they click: deviation of the effect on the logit.")
    var segmentTaste = GeneratorOptions().segmentTaste

    @Option(help: "Share of the clicks without a bookmark that are watched at once.")
    var watchedClicks = GeneratorOptions().watchedClicks

    @Option(help: "Files of watches, and as many of engagements; at most one per 512 learners.")
    var files = GeneratorOptions().files

    @Flag(inversion: .prefixedNo, help: "Write the truth of every learner.")
    var learnerTruth = true

    @Option(help: "Threads; results do not depend on it. Default: all cores.")
    var threads: Int?

    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1 to 1024")
        }
        if CivilDate.parse(end) == nil { throw ValidationError("--end is \"\(end)\", expected a date as YYYY-MM-DD") }
        if let problem = options.problem { throw ValidationError(problem) }
    }

    private var options: GeneratorOptions {
        var options = GeneratorOptions()
        (options.learners, options.courses, options.days) = (learners, courses, days)
        options.end = CivilDate.parse(end) ?? options.end
        (options.seed, options.files, options.learnerTruth) = (seed, files, learnerTruth)
        options.watchesPerLearner = watchesPerLearner
        options.impressionsPerLearner = impressionsPerLearner
        (options.titleAppeal, options.segmentTaste) = (titleAppeal, segmentTaste)
        options.watchedClicks = watchedClicks
        return options
    }

    func run() throws {
        try reportingErrors("generate-logs", talk) { log in
            let workers = Workers(count: threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount))
            let generator = try LogGenerator(options: options, workers: workers)
            let progress = Progress("generate", total: learners, unit: "learners", log: log)
            let counts = try generator.write(to: out) { progress.advance($0) }
            log.info("done: \(Self.summary(counts)); in \(out)")
        }
    }

    private static func summary(_ counts: GeneratorCounts) -> String {
        "\(counts.learners) learners (\(counts.profiles) with a profile, \(counts.activeLearners) with events), "
            + "\(counts.watches) watches, \(counts.impressions) impressions, \(counts.clicks) clicks, "
            + "\(counts.bookmarks) bookmarks, \(counts.dismissals) dismissals"
    }
}
