import ArgumentParser
import Foundation
import LinearAlgebra
import Logs

/// Writes a synthetic learning platform as CSV (docs/generator.md).
///
/// Reads: its options only. Writes: the folder `--out`, whole or not at all.
/// Memory: the catalogue (about 1 KB per course and 8 bytes per course and week) and a batch of learners.
@main
struct GenerateLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-logs",
        abstract: "Generates watches, engagements, learners and courses of a synthetic learning platform as CSV.",
        discussion: "Equal options give equal files, whatever the number of threads. Memory does not grow with "
            + "--learners. The planted truth goes to <out>/truth.")

    @Option(help: "Folder to write; an earlier one made by this program is replaced.")
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

    @Option(help: "Impressions per learner, about; 0 for a platform without engagements.")
    var impressionsPerLearner = GeneratorOptions().impressionsPerLearner

    @Option(help: "Files for watches, and as many for engagements (at most one per 512 learners).")
    var files = GeneratorOptions().files

    @Flag(inversion: .prefixedNo, help: "Write the truth of every learner.")
    var learnerTruth = true

    @Option(help: "Threads.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    func options() throws -> GeneratorOptions {
        guard let day = CivilDate.parse(end) else {
            throw GeneratorError.options("--end is \"\(end)\", expected a date as YYYY-MM-DD")
        }
        if !(1...1024).contains(threads) {
            throw GeneratorError.options("--threads is \(threads), expected 1 to 1024")
        }
        var options = GeneratorOptions()
        (options.learners, options.courses, options.days, options.end) = (learners, courses, days, day)
        (options.seed, options.files, options.learnerTruth) = (seed, files, learnerTruth)
        options.watchesPerLearner = watchesPerLearner
        options.impressionsPerLearner = impressionsPerLearner
        return options
    }

    func run() throws {
        do {
            let generator = try LogGenerator(options: options(), workers: Workers(count: threads))
            let counts = try generator.write(to: out)
            FileHandle.standardError.write(Data("generate-logs: \(Self.summary(counts)) in \(out)\n".utf8))
        } catch let error as GeneratorError {
            let (message, code) = Self.describe(error)
            FileHandle.standardError.write(Data("generate-logs: \(message)\n".utf8))
            throw ExitCode(code)
        }
    }

    static func summary(_ counts: GeneratorCounts) -> String {
        "\(counts.learners) learners (\(counts.profiles) with a profile, \(counts.activeLearners) with events), "
            + "\(counts.watches) watches, \(counts.impressions) impressions, \(counts.clicks) clicks, "
            + "\(counts.bookmarks) bookmarks, \(counts.dismissals) dismissals"
    }

    static func describe(_ error: GeneratorError) -> (String, Int32) {
        switch error {
        case .options(let problem): (problem, 64)
        case .cannotCreate(let path, let reason): ("\(path): cannot create: \(reason)", 73)
        case .cannotWrite(let path, let reason): ("\(path): cannot write: \(reason)", 74)
        }
    }
}
