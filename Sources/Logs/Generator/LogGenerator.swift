import LinearAlgebra
import Shards

/// Generates a synthetic learning platform as CSV files (docs/generator.md).
///
/// Learners are simulated in blocks of 512 by any thread and written in order. Memory: the catalogue, its heat per
/// week, and the compressed rows of one batch of blocks.
package struct LogGenerator {
    package let platform: SyntheticPlatform
    let workers: Workers

    /// - Throws: `.usage` if the options cannot be used.
    package init(options: GeneratorOptions, workers: Workers) throws {
        if let problem = options.problem { throw LecternError(.usage, problem) }
        platform = SyntheticPlatform(options: options)
        self.workers = workers
    }

    private static let blocksPerBatch = 64

    /// Writes everything to `folder`, which is there whole afterwards or as it was before.
    /// - Parameter progress: called after each batch with the number of learners in it.
    package func write(to folder: String, progress: (Int) -> Void = { _ in }) throws -> GeneratorCounts {
        let output = try GeneratorOutput(folder: folder)
        do {
            let counts = try writeFiles(to: output.partial, progress)
            try output.commit()
            return counts
        } catch {
            output.discard()
            throw error
        }
    }

    private func writeFiles(to folder: String, _ progress: (Int) -> Void) throws -> GeneratorCounts {
        try writeCatalogue(to: folder)
        let options = platform.options
        var counts = GeneratorCounts()
        let learners = try LearnerFiles(folder: folder, platform: platform)
        for file in 0..<options.fileCount {
            let events = try EventFiles(folder: folder, number: file, options: options)
            let blocks = (0..<options.blocks).filter { options.file(ofBlock: $0) == file }
            for first in stride(from: blocks[0], through: blocks.last!, by: Self.blocksPerBatch) {
                let before = counts.learners
                let count = min(Self.blocksPerBatch, blocks.last! + 1 - first)
                for block in workers.map(count, { simulate(block: first + $0) }) {
                    counts.add(block.counts)
                    try events.write(block)
                    try learners.write(block)
                }
                progress(counts.learners - before)
            }
            try events.finish()
        }
        try learners.finish()
        let model = try OutputFile(path: folder + "/truth/model.json")
        try model.write(text: TruthModel(platform: platform, counts: counts).json)
        try model.finish()
        return counts
    }

    private func writeCatalogue(to folder: String) throws {
        var rows = RowBytes()
        var truth = RowBytes()
        rows.append(ProfileRows.courseHeader)
        truth.append(ProfileRows.courseTruthHeader)
        for number in platform.catalogue.courses.indices {
            ProfileRows.appendCourse(number, platform.catalogue, to: &rows)
            ProfileRows.appendCourseTruth(number, platform.catalogue, to: &truth)
        }
        try OutputFile.write(rows, to: folder + "/courses.csv")
        try OutputFile.write(truth, to: folder + "/truth/courses.csv")
    }

    /// The rows of one block of learners: a pure function of options and block.
    func simulate(block: Int) -> GeneratedBlock {
        let options = platform.options
        let key = RandomKey(seed: options.seed, purpose: "generate.learner")
        var simulation = BlockSimulation(platform: platform)
        var profiles = RowBytes()
        var truth = RowBytes()
        var optOuts = RowBytes(capacity: 256)
        let first = block * GeneratorOptions.blockSize
        for number in first..<min(first + GeneratorOptions.blockSize, options.learners) {
            var random = key.stream(number)
            let learner = SyntheticLearner.draw(number, options: options, using: &random)
            if ProfileRows.appendProfile(learner, platform, to: &profiles) { simulation.counts.profiles += 1 }
            if options.learnerTruth { ProfileRows.appendTruth(learner, platform, to: &truth) }
            ProfileRows.appendOptOut(learner, platform, to: &optOuts)
            simulation.simulate(learner, random: random)
        }
        return GeneratedBlock(
            watches: DeflatedBlock(simulation.watches), engagements: DeflatedBlock(simulation.engagements),
            profiles: DeflatedBlock(profiles), truth: DeflatedBlock(truth), optOuts: optOuts.text,
            counts: simulation.counts)
    }
}

/// What one block of learners adds to each file.
struct GeneratedBlock: Sendable {
    var watches: DeflatedBlock
    var engagements: DeflatedBlock
    var profiles: DeflatedBlock
    var truth: DeflatedBlock
    var optOuts: String
    var counts: GeneratorCounts
}

/// `watches-NNN.csv.gz` and `engagements-NNN.csv.gz`.
private struct EventFiles {
    private let watches: OutputFile
    private let engagements: OutputFile?

    init(folder: String, number: Int, options: GeneratorOptions) throws {
        let digits = String(number)
        let suffix = String(repeating: "0", count: 3 - digits.count) + digits + ".csv.gz"
        watches = try OutputFile(path: "\(folder)/watches-\(suffix)")
        try watches.write(text: ProfileRows.watchHeader)
        engagements = options.impressionsPerLearner > 0 ? try OutputFile(path: "\(folder)/engagements-\(suffix)") : nil
        try engagements?.write(text: ProfileRows.engagementHeader)
    }

    func write(_ block: GeneratedBlock) throws {
        try watches.write(block.watches)
        try engagements?.write(block.engagements)
    }

    func finish() throws {
        try watches.finish()
        try engagements?.finish()
    }
}

/// `learners.csv.gz`, `suppressions.csv` and `truth/learners.csv.gz`.
private struct LearnerFiles {
    private let profiles: OutputFile
    private let suppressions: OutputFile
    private let truth: OutputFile?

    init(folder: String, platform: SyntheticPlatform) throws {
        profiles = try OutputFile(path: folder + "/learners.csv.gz")
        try profiles.write(text: ProfileRows.learnerHeader)
        suppressions = try OutputFile(path: folder + "/suppressions.csv")
        try suppressions.write(text: ProfileRows.suppressionHeader)
        var embargoes = RowBytes(capacity: 256)
        for course in platform.catalogue.courses.indices {
            ProfileRows.appendEmbargo(course, platform, to: &embargoes)
        }
        try suppressions.write(rows: embargoes)
        truth = platform.options.learnerTruth ? try OutputFile(path: folder + "/truth/learners.csv.gz") : nil
        try truth?.write(text: ProfileRows.learnerTruthHeader)
    }

    func write(_ block: GeneratedBlock) throws {
        try profiles.write(block.profiles)
        try suppressions.write(text: block.optOuts)
        try truth?.write(block.truth)
    }

    func finish() throws {
        try profiles.finish()
        try suppressions.finish()
        try truth?.finish()
    }
}
