// Our side of `make bench-ncf`: trains the towers on arrays that arrays.py wrote, and prints one line of JSON.
//
//     bench-ncf speed FOLDER LOSS THREADS BATCH STEPS      seconds of each step after two to warm up
//     bench-ncf train FOLDER LOSS THREADS BATCH EPOCHS RATE OUT
//                                                          embeddings after each epoch to OUT, seconds of training
//     bench-ncf sgemm                                      GFLOP/s of one thread of OpenBLAS at 1,024³

import DenseAlgebra
import Foundation
import LinearAlgebra
import NeuralCF
import Platform

BLAS.useOneThread()
let arguments = Array(CommandLine.arguments.dropFirst())

func clock(_ id: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(id, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func array<Element: BitwiseCopyable>(_ name: String, of: Element.Type) throws -> [Element] {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(arguments[1])/\(name).bin"))
    return data.withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
}

/// Two lists per learner as moments: the context before second 1, the labels at it.
func moments(_ kind: String) throws -> Moments {
    let contextEnds = try array("\(kind).context.offsets", of: Int64.self).map { Int($0) }
    let labelEnds = try array("\(kind).labels.offsets", of: Int64.self).map { Int($0) }
    let context = try array("\(kind).context", of: UInt32.self)
    let labels = try array("\(kind).labels", of: UInt32.self)
    var all = Moments(offsets: [0], courses: [], times: [])
    for learner in 0..<contextEnds.count - 1 {
        let (c, l) = (contextEnds[learner]..<contextEnds[learner + 1], labelEnds[learner]..<labelEnds[learner + 1])
        all.courses += context[c] + labels[l]
        all.times += [Int64](repeating: 0, count: c.count) + [Int64](repeating: 1, count: l.count)
        all.offsets.append(all.courses.count)
    }
    return all
}

struct Bench {
    let data: NCFData
    let workers: Workers
    let trainer: TowerTrainer
    let parameters: NCFParameters
    let examples: [Example]

    init() throws {
        let offsets = try array("rows.offsets", of: Int64.self).map { Int($0) }
        let rows = SparseRows(
            columnCount: offsets.count - 1, offsets: offsets, columns: try array("rows.columns", of: UInt32.self),
            values: try array("rows.values", of: Float.self))
        let (train, valid) = (try moments("train"), try moments("valid"))
        data = NCFData(
            courseCount: rows.rowCount, shards: [train, valid],
            hashes: [train, valid].map { [UInt64](repeating: 0, count: $0.learnerCount) },
            snapshots: [CoWatchSnapshot(time: 0, similarity: rows, wide: .none)])
        var parameters = NCFParameters(preset: .published)
        (parameters.loss, parameters.batch) = (NCFParameters.Loss(rawValue: arguments[2])!, Int(arguments[4])!)
        parameters.negativeWeight = .none
        self.parameters = parameters
        let towers = Towers(courseCount: data.courseCount, parameters: parameters, decay: .init(age: 0, position: 0))
        let trend = TrendTable(data.watched, days: [0], weights: .none)
        workers = Workers(count: Int(arguments[3])!)
        trainer = TowerTrainer(data: data, towers: towers, linear: .none, trend: trend, workers: workers)
        let windows = TimeWindows(asOf: 10, history: 5, labelWindow: 5, stride: 1, snapshots: 1, firstMoment: 0)
        let source = ExampleSource(
            data: data, snapshotCuts: [1], end: 2, windows: windows, parameters: parameters)
        examples = source.snapshotExamples(workers: workers).filter { $0.shard == 0 }
    }

    /// The examples in an order of the epoch's own, in steps; the rest that fills no step is left out.
    func steps(_ epoch: Int) -> [EpochSchedule.Step] {
        var order = examples
        var random = RandomKey(seed: 1, purpose: "bench").stream(epoch)
        random.shuffle(&order)
        return (0..<order.count / parameters.batch).map {
            EpochSchedule.Step(
                snapshot: 0, examples: Array(order[$0 * parameters.batch..<($0 + 1) * parameters.batch]))
        }
    }

    var labelShare: [Double] {
        var counts = [Double](repeating: 0, count: data.courseCount)
        for example in examples { for at in example.labels { counts[Int(data.shards[0].courses[at])] += 1 } }
        let total = counts.reduce(0, +)
        return counts.map { $0 / total }
    }

    func speed(_ count: Int) {
        let share = labelShare
        var (wall, cpu): ([Double], [Double]) = ([], [])
        let steps = steps(1)
        for index in 0..<count + 2 {
            let step = steps[index % steps.count]
            let (start, cpuStart) = (clock(CLOCK_MONOTONIC), clock(CLOCK_PROCESS_CPUTIME_ID))
            _ = trainer.train(step, epoch: 1, labelShare: share, rate: 1e-3)
            if index < 2 { continue }
            wall.append(clock(CLOCK_MONOTONIC) - start)
            cpu.append(clock(CLOCK_PROCESS_CPUTIME_ID) - cpuStart)
        }
        print("{\"wall\": \(wall), \"cpu\": \(cpu)}")
    }

    func train(_ epochs: Int, rate: Float, out: String) throws {
        let share = labelShare
        var (wall, cpu) = (0.0, 0.0)
        for epoch in 1...epochs {
            var loss = 0.0
            let steps = steps(epoch)
            let (start, cpuStart) = (clock(CLOCK_MONOTONIC), clock(CLOCK_PROCESS_CPUTIME_ID))
            for step in steps { loss += trainer.train(step, epoch: epoch, labelShare: share, rate: rate) }
            wall += clock(CLOCK_MONOTONIC) - start
            cpu += clock(CLOCK_PROCESS_CPUTIME_ID) - cpuStart
            try write(epoch, to: out)
            let mean = loss / Double(steps.count * parameters.batch)
            print("{\"epoch\": \(epoch), \"wall\": \(wall), \"cpu\": \(cpu), \"loss\": \(mean)}")
        }
    }

    /// Embeddings of the validation learners and of the courses, and the course biases.
    private func write(_ epoch: Int, to folder: String) throws {
        let at = TowersAtTime(trainer.towers, snapshot: data.snapshots[0], workers: workers)
        let learners = at.learnerVectors(
            data.shards[1], learners: Array(0..<data.shards[1].learnerCount), at: 1, history: 2,
            workers: workers)
        for (name, values) in [
            ("learners", learners.values), ("courses", at.courseVectors.values), ("bias", at.courseBias),
        ] {
            let bytes = values.withUnsafeBufferPointer { Data(buffer: $0) }
            try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(epoch).bin"))
        }
    }
}

func sgemm() {
    let n = 1_024
    let a = [Float](repeating: 0.5, count: n * n)
    var c = a
    var best = Double.infinity
    for _ in 0..<10 {
        let start = clock(CLOCK_PROCESS_CPUTIME_ID)
        BLAS.multiply(m: n, n: n, k: n, a, lda: n, a, ldb: n, &c, ldc: n)
        best = min(best, clock(CLOCK_PROCESS_CPUTIME_ID) - start)
    }
    print("{\"core\": \"\(BLAS.coreName)\", \"gflops\": \(2e-9 * Double(n * n * n) / best)}")
}

switch arguments.first {
case "speed": try Bench().speed(Int(arguments[5])!)
case "train": try Bench().train(Int(arguments[5])!, rate: Float(arguments[6])!, out: arguments[7])
case "sgemm": sgemm()
default: fatalError("see the top of main.swift")
}
