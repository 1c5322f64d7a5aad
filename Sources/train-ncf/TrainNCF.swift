// Reads   watched/ (moments of all shards, the run's times), cowatch/ (similarity and wide matrix of every snapshot),
//         logs/ (ids; when courses were published and retired; their metadata, for diagnostics)
// Writes  ncf/fit (moments before t_v, scoring as of t_v) and ncf/refit (before T, as of T): towers, embeddings of
//         courses and of the learners of each shard; the training history, related courses, neighbour shares
//         ncf.checkpoint/ while it trains: a killed training goes on after its last epoch
// Memory  all moments (12 bytes each; beyond ncf.moments_mib mapped from a file) and all snapshots; in training the
//         weights, their gradient and Adam's two moments, and per thread 96 × candidates

import ArgumentParser
import LinearAlgebra
import NeuralCF
import Platform
import ShardKinds
import Shards
import StageKit

@main
struct TrainNCF: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train-ncf",
        abstract: "Trains neural collaborative filtering: who watches which course next.",
        discussion: """
            Score = trend + γ·wide + α·towers. Trend and wide are fitted first and frozen; two towers learn what is \
            left, and count only as far as they improve the ranking of validation half A.
            Memory: all moments (up to ncf.moments_mib), all co-watch snapshots, four times the weights, and 96 × candidates per thread.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.trainNCF, options) { stage in
            let inputs = try stage.step("read") { try NCFInputs(stage) }
            let parameters = NCFParameters(stage.slice, courses: inputs.data.courseCount)
            if parameters.model == .towers {
                try stage.requireMemory(
                    leastBytes(
                        parameters, inputs, refits: stage.slice.boolean("ncf.refit"), threads: stage.workers.count))
            }
            let output = NCFOutput(stage: stage, inputs: inputs, parameters: parameters)
            do {
                if parameters.model == .towers {
                    try trainTowers(stage, inputs, parameters, output)
                } else {
                    try trainIds(stage, inputs, parameters, output)
                }
            } catch let error as NCFDiverged {
                throw LecternError.data(
                    "ncf: training diverged in epoch \(error.epoch), step \(error.step) (loss \(error.loss)); "
                        + "a smaller ncf.learning_rate than \(parameters.learningRate) may help")
            }
        }
    }

    private func trainTowers(
        _ stage: StageRun, _ inputs: NCFInputs, _ parameters: NCFParameters, _ output: NCFOutput
    ) throws {
        let start = try WarmStartSource.read(stage, inputs, parameters)
        let training = NCFTraining(
            data: inputs.data, windows: inputs.windows, parameters: parameters, workers: stage.allWorkers,
            start: start)
        let checkpoints = try CheckpointFolder(stage, courses: inputs.data.courseCount, parameters)
        let saved = try checkpoints.loadTogether()
        do {
            let fit = try stage.step("fit") {
                try training.fit(from: saved, save: checkpoints.save) { stage.say(report($0, "fit", parameters)) }
            }
            let refit =
                stage.slice.boolean("ncf.refit")
                ? try stage.step("refit") {
                    try training.refit(fit, from: saved, save: checkpoints.save) {
                        stage.say(report($0, "refit", parameters))
                    }
                } : nil
            try stage.step("write") { try output.write(fit, refit) }
            output.describe(fit, refit)
        } catch let error as NCFDiverged {
            try checkpoints.remove()
            throw error
        }
    }

    /// At least: weights, gradient and Adam's two moments, and the best epoch's weights; what goes through the layers and
    /// back (with `batch: auto` the smallest step); each thread's block of scores; the trend's scores on the days of cuts;
    /// and what the smallest data take (measured).
    private func leastBytes(_ parameters: NCFParameters, _ inputs: NCFInputs, refits: Bool, threads: Int) -> Int {
        let (courses, windows) = (inputs.data.courseCount, inputs.windows)
        let layout = TowerLayout(courseCount: courses, parameters: parameters)
        let activations = 2 * (courses + parameters.batchSize(examples: 0)) * layout.dimensions.reduce(0, +)
        let days = ExampleSource(
            data: inputs.data, snapshotCuts: refits ? windows.refitSnapshots : windows.fitSnapshots,
            end: refits ? windows.asOf : windows.validation, windows: windows, parameters: parameters
        ).cutDays().count
        return 4 * (5 * layout.weightCount + activations + (threads * 96 + 2 * days) * courses) + (32 << 20)
    }

    /// Trained in one go: these models are small, and for comparison only.
    private func trainIds(
        _ stage: StageRun, _ inputs: NCFInputs, _ parameters: NCFParameters, _ output: NCFOutput
    ) throws {
        let training = IdTraining(
            data: inputs.data, windows: inputs.windows, parameters: parameters, workers: stage.allWorkers)
        let fit = try stage.step("fit") { try training.fit { stage.say(report($0, "fit", parameters)) } }
        let refit =
            stage.slice.boolean("ncf.refit")
            ? try stage.step("refit") { try training.refit(fit) { stage.say(report($0, "refit", parameters)) } } : nil
        try stage.step("write") { try output.write(fit, refit) }
        output.describe(fit, refit)
    }

    private func report(_ record: EpochRecord, _ fit: String, _ parameters: NCFParameters) -> String {
        var line = "\(fit) epoch \(record.epoch)/\(parameters.epochs)"
        if record.steps > 0 {
            line += ": loss \(rounded(record.loss)), \(record.examples) examples, \(record.steps) steps"
        }
        if let quality = record.quality {
            line +=
                "; half A: NDCG@20 warm \(rounded(quality.warmNDCG)) cold \(rounded(quality.coldNDCG)), "
                + "Recall@20 warm \(rounded(quality.warmRecall)), α \(quality.alpha)"
        }
        return line
    }
}

/// Four digits, for lines of talk.
func rounded(_ value: Double) -> String {
    let scaled = (value * 10_000).rounded() / 10_000
    return "\(scaled)"
}

/// What the stage reads, in memory.
struct NCFInputs {
    let catalogue: Catalogue
    let windows: TimeWindows
    let data: NCFData

    init(_ stage: StageRun) throws {
        let logs = try stage.input(.importLogs)
        let watched = try stage.input(.filterWatches)
        let cowatch = try stage.input(.buildCooccurrence)
        let catalogue = try LogsShards.catalogue(logs)
        let windows = try TimeWindows(watched.manifest)
        let moments = try Self.moments(watched, stage)
        let hashes = try stage.workers.map(moments.count) { shard in
            let learners = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: moments.count)))
            return learners.ids.map { LearnerHash.of($0.utf8) }
        }
        let snapshots = try stage.workers.map(windows.cowatchTimes.count) {
            try CoWatchShards.snapshot(cowatch, at: windows.cowatchTimes[$0])
        }
        (self.catalogue, self.windows) = (catalogue, windows)
        data = NCFData(
            courseCount: catalogue.count, shards: moments, hashes: hashes, publishedAt: catalogue.publishedAt,
            snapshots: snapshots)
    }

    /// In memory up to a budget, beyond it mapped from a file of this stage.
    private static func moments(_ watched: StageInput, _ stage: StageRun) throws -> [Moments] {
        let bytes = Moments.bytes * (try WatchedShards.momentCount(watched))
        if bytes <= stage.slice.integer("ncf.moments_mib") << 20 { return try WatchedShards.allMoments(watched) }
        stage.say("\(bytes >> 20) MiB of moments, more than ncf.moments_mib: mapped from a file")
        return try WatchedShards.mappedMoments(watched, in: stage.output.partialPath)
    }
}
