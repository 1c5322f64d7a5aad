// Our side of `make bench-topk`: prints one line of JSON. Vectors are files of little-endian 32-bit floats.
//
//     bench-topk product FOLDER THREADS LEARNERS [LISTS]   the 100 best of every learner by u·v; lists of the first
//                                                          learners to LISTS, as 32-bit course numbers
//     bench-topk watched FOLDER THREADS LEARNERS           the same without 20 courses of each learner
//     bench-topk memory FOLDER THREADS LEARNERS            shards of 16,384 one after the other: peak memory on the way
//     bench-topk sgemm THREADS LEARNERS                    the product alone: OpenBLAS, tiles of 512 × 1,024, one buffer
//     bench-topk models RUN THREADS LEARNERS               a run's own models as of T: NCF, GLMix and both together

import DenseAlgebra
import Foundation
import LinearAlgebra
import NeuralCF
import Platform
import Ranking
import ShardKinds
import Shards
import StoredModels

BLAS.useOneThread()
let arguments = Array(CommandLine.arguments.dropFirst())
let k = 100
let depth = 64

func clock(_ id: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(id, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Seconds by the clock and of the process's threads.
func timed(_ body: () throws -> Void) rethrows -> (wall: Double, cpu: Double) {
    let (wall, cpu) = (clock(CLOCK_MONOTONIC), clock(CLOCK_PROCESS_CPUTIME_ID))
    try body()
    return (clock(CLOCK_MONOTONIC) - wall, clock(CLOCK_PROCESS_CPUTIME_ID) - cpu)
}

func vectors(_ name: String) throws -> Matrix {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(arguments[1])/\(name).bin"))
    let values = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    return Matrix(rows: values.count / depth, columns: depth, values: values)
}

func peakMiB() -> Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss / 1_024
}

/// NCF with nothing but its product of embeddings: without hidden layers and co-watches a course's is its row of the
/// table.
func model(_ courses: Matrix) -> NCFAtTime {
    var parameters = NCFParameters(preset: .published)
    parameters.hidden = []
    var towers = Towers(courseCount: courses.rows, parameters: parameters, decay: .init(age: 0, position: 0))
    towers.weights.replaceSubrange(towers.layout.tensor("course.table")!.range, with: courses.values)
    let model = NCFAtTime(
        model: NCFModel(linear: .none, towers: towers, alpha: 1, gammaFactor: 0), snapshot: nil,
        watched: WatchHistory(courseCount: courses.rows, shards: []), time: 1, history: 1,
        workers: Workers(count: 1))
    precondition(model.towers.courseVectors == courses)
    return model
}

func exclusions(_ learners: Int, _ courses: Int, each count: Int) -> CourseSets {
    var sets = CourseSets()
    let key = RandomKey(seed: 1, purpose: "bench")
    for learner in 0..<learners {
        var random = key.stream(learner)
        sets.append((0..<count).map { _ in UInt32(random.below(courses)) })
    }
    return sets
}

/// Ranks some learners as `blend` does, and returns the lists.
func rank(_ model: NCFAtTime, _ learners: Matrix, without: Int, _ workers: Workers) -> [[UInt32]] {
    let moments = Moments(
        offsets: Array(0...learners.rows), courses: [UInt32](repeating: 0, count: learners.rows),
        times: [Int64](repeating: 0, count: learners.rows))
    let scorer = NCFScorer(model, moments: moments, learnerVectors: learners, workers: workers)
    let ranking = FusedRanking(
        models: [scorer], eligible: [Bool](repeating: true, count: model.courseCount),
        exclusions: exclusions(learners.rows, model.courseCount, each: without), lists: [.alone(0, n: k)])
    return ranking.map(workers: workers) { $1.lists[0].courses }
}

func rows(_ matrix: Matrix, _ range: Range<Int>) -> Matrix {
    Matrix(
        rows: range.count, columns: matrix.columns,
        values: Array(matrix.values[range.lowerBound * matrix.columns..<range.upperBound * matrix.columns]))
}

func product(without: Int) throws {
    let (model, all) = (model(try vectors("courses")), try vectors("learners"))
    let count = min(Int(arguments[3])!, all.rows)
    let learners = rows(all, 0..<count)
    var lists: [[UInt32]] = []
    let time = timed { lists = rank(model, learners, without: without, Workers(count: Int(arguments[2])!)) }
    if arguments.count > 4 {
        let first = lists.prefix(2_048).flatMap { $0 }
        try first.withUnsafeBufferPointer { Data(buffer: $0) }.write(to: URL(fileURLWithPath: arguments[4]))
    }
    print("{\"wall\": \(time.wall), \"cpu\": \(time.cpu), \"memory\": \(peakMiB())}")
}

func memory() throws {
    let (model, all) = (model(try vectors("courses")), try vectors("learners"))
    let (total, size) = (Int(arguments[3])!, 16_384)
    var peaks: [Int] = []
    var seen = 0
    let time = timed {
        while seen < total {
            let count = min(size, total - seen)
            // The learners of the file again and again: vectors of a shard, not of the platform, are in memory.
            let from = seen % max(1, all.rows - count)
            seen += rank(model, rows(all, from..<from + count), without: 0, Workers(count: Int(arguments[2])!)).count
            if peaks.count < seen * 10 / total { peaks.append(peakMiB()) }
        }
    }
    print("{\"wall\": \(time.wall), \"cpu\": \(time.cpu), \"peaks\": \(peaks)}")
}

func sgemm() {
    let (m, n) = (512, 1_024)
    let (blocks, tiles) = ((Int(arguments[2])! + m - 1) / m, 16_000 / n + 1)
    let a = [Float](repeating: 0.5, count: m * depth)
    let b = [Float](repeating: 0.5, count: n * depth)
    let time = timed {
        Workers(count: Int(arguments[1])!).forEach(blocks, scratch: { [Float](repeating: 0, count: m * n) }) { c, _ in
            for tile in 0..<tiles {
                let width = min(n, 16_000 - tile * n)
                BLAS.multiply(
                    m: m, n: width, k: depth, a, lda: depth, b, ldb: depth, transposeB: true, &c, ldc: n)
            }
        }
    }
    print("{\"wall\": \(time.wall), \"cpu\": \(time.cpu), \"core\": \"\(BLAS.coreName)\"}")
}

/// NCF alone, GLMix alone, and both with the sum of them, on the learners of a run's first shard.
func models() throws {
    let run = arguments[1]
    func input(_ stage: String, _ folder: String) throws -> StageInput {
        try StageInput(run: run, stage: stage, folder: folder)
    }
    let (logs, watched) = (try input("import-logs", "logs"), try input("filter-watches", "watched"))
    let (ncf, glmix) = (try input("train-ncf", "ncf"), try input("train-glmix", "glmix"))
    let shards = logs.names("learners").count
    let catalogue = try LogsShards.catalogue(logs)
    let time = try TimeWindows(watched.manifest).asOf
    let models = try StoredModels(
        .refit, at: time, ncf: ncf, glmix: glmix, cowatch: try input("build-cooccurrence", "cowatch"),
        catalogue: catalogue, learnerDictionaries: try LogsShards.learnerDictionaries(logs), workers: Workers(count: 1))
    let learners = try LogsShards.learners(logs.shard(LogsShards.learners(0, of: shards)))
    let count = min(Int(arguments[3])!, learners.count)
    let some = Array(0..<count)
    let moments = try WatchedShards.moments(watched.shard(WatchedShards.moments(0, of: shards))).subset(some)
    let vectors = try NCFShards.learnerVectors(ncf, .refit, 0, of: shards)
    let bound = models.bind(
        moments, learners.attributes.subset(some),
        try GLMixShards.learnerEffects(glmix, .refit, 0, of: shards).subset(some), vectors: rows(vectors, 0..<count),
        workers: Workers(count: 1))
    let eligible = (0..<catalogue.count).map { catalogue.isEligible($0, at: time) }
    let watchedCourses = exclusions(count, catalogue.count, each: 20)
    func ranked(_ scorers: [any CourseScorer], _ lists: [RankedSum]) -> (wall: Double, cpu: Double) {
        timed {
            let ranking = FusedRanking(models: scorers, eligible: eligible, exclusions: watchedCourses, lists: lists)
            _ = ranking.map(workers: Workers(count: Int(arguments[2])!)) { $1.lists[0].courses.count }
        }
    }
    let times = [
        ranked([bound.ncf], [.alone(0, n: k)]), ranked([bound.glmix], [.alone(0, n: k)]),
        ranked([bound.ncf, bound.glmix], [RankedSum(n: k, of: [0, 1], keepsParts: true) { _ in [0.7, 0.3] }]),
        ranked(
            [bound.ncf, bound.glmix],
            [
                .alone(0, n: 50), .alone(1, n: 50),
                RankedSum(n: 500, of: [0, 1], keepsParts: true) { _ in [0.7, 0.3] },
            ]),
    ]
    print(
        "{\"learners\": \(count), \"courses\": \(catalogue.count), \"embedding\": \(vectors.columns), \"wall\": "
            + "\(times.map(\.wall)), \"cpu\": \(times.map(\.cpu))}")
}

switch arguments.first {
case "product": try product(without: 0)
case "watched": try product(without: 20)
case "memory": try memory()
case "sgemm": sgemm()
case "models": try models()
default: fatalError("see the top of main.swift")
}
