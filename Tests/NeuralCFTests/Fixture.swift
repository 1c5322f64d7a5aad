// Small platforms for the tests of NeuralCF: made from a seed, with the structure that each test plants.
import LinearAlgebra
import NeuralCF
import Platform

let day: Int64 = 86_400

/// Learners of a few groups watch courses of their own group (planted), now and then one of another.
struct Fixture {
    var courseCount = 24
    var groups = 4
    var learners = 60
    var watches = 8
    var stray = 0.1
    var seed: UInt64 = 7

    func group(_ course: Int) -> Int { course % groups }

    var moments: Moments {
        var random = RandomKey(seed: seed, purpose: "fixture").stream()
        var result = Moments(offsets: [0], courses: [], times: [])
        for learner in 0..<learners {
            var seen: Set<Int> = []
            var time = 10 * day + Int64(random.below(100)) * day
            for _ in 0..<watches {
                let own = random.uniform() >= stray
                let group = own ? learner % groups : random.below(groups)
                let course = group + groups * random.below(courseCount / groups)
                if !seen.insert(course).inserted { continue }
                result.courses.append(UInt32(course))
                result.times.append(time)
                time += Int64(1 + random.below(14)) * day + Int64(random.below(7_200))
            }
            result.offsets.append(result.courses.count)
        }
        return result
    }

    var hashes: [UInt64] { (0..<learners).map { LearnerHash.of("learner-\($0)".utf8) } }

    /// Cosine similarity with the diagonal, and row-normalised counts as wide matrix, by plain loops.
    func snapshot(_ moments: Moments, at time: Int64, sparseWide: Bool = false) -> CoWatchSnapshot {
        var together = [[Float]](repeating: .init(repeating: 0, count: courseCount), count: courseCount)
        for learner in 0..<moments.learnerCount {
            let seen = moments.courses[moments.range(learner, from: .min, to: time)].map { Int($0) }
            for i in seen { for j in seen { together[i][j] += 1 } }
        }
        var similarity = SparseRows(columnCount: courseCount, offsets: [0], columns: [], values: [])
        var wide = Matrix(rows: courseCount, columns: courseCount)
        var sparse = similarity
        for i in 0..<courseCount {
            for j in 0..<courseCount {
                let value = i == j ? 1 : together[i][j] / (together[i][i] * together[j][j] + 4).squareRoot()
                if value > 0 {
                    similarity.columns.append(UInt32(j))
                    similarity.values.append(value)
                }
                if i != j && together[i][j] > 0 {
                    wide[i, j] = together[i][j] / together[i][i]
                    sparse.columns.append(UInt32(j))
                    sparse.values.append(wide[i, j])
                }
            }
            similarity.offsets.append(similarity.columns.count)
            sparse.offsets.append(sparse.columns.count)
        }
        return CoWatchSnapshot(time: time, similarity: similarity, wide: sparseWide ? .sparse(sparse) : .dense(wide))
    }

    var windows: TimeWindows {
        TimeWindows(
            asOf: 160 * day, history: 120 * day, labelWindow: 20 * day, stride: 15 * day, snapshots: 4,
            firstMoment: 10 * day)
    }

    /// - Parameter shards: into how many the learners are dealt.
    func data(shards: Int = 3, sparseWide: Bool = false, publishedAt: [Int64]? = nil) -> NCFData {
        let all = moments
        let parts = (0..<shards).map { shard in (0..<learners).filter { $0 % shards == shard } }
        return NCFData(
            courseCount: courseCount, shards: parts.map { all.rows($0) }, hashes: parts.map { $0.map { hashes[$0] } },
            publishedAt: publishedAt,
            snapshots: windows.cowatchTimes.map { snapshot(all, at: $0, sparseWide: sparseWide) })
    }
}

extension Moments {
    func rows(_ learners: [Int]) -> Moments {
        var part = Moments(offsets: [0], courses: [], times: [])
        for learner in learners {
            part.courses += courses[range(learner)]
            part.times += times[range(learner)]
            part.offsets.append(part.courses.count)
        }
        return part
    }
}

/// A small network of each kind.
func smallParameters(_ change: (inout NCFParameters) -> Void = { _ in }) -> NCFParameters {
    var parameters = NCFParameters()
    parameters.embedding = 4
    parameters.batch = 32
    parameters.epochs = 3
    parameters.loss = .softmax
    change(&parameters)
    return parameters
}

let linearPart = LinearPart(
    newcomerShares: [0.3, 0.2, 0.4, 0.1], trendOther: [0.2, 0.4, -0.3, 0.2], gamma: 1.5,
    decay: .init(age: 0.3, position: 0.4))

/// A trainer whose next step's gradient and loss a test wants to see.
func trainer(_ data: NCFData, _ windows: TimeWindows, _ parameters: NCFParameters, threads: Int = 2)
    -> (TowerTrainer, EpochSchedule.Step)
{
    let source = ExampleSource(
        data: data, snapshotCuts: windows.fitSnapshots, end: windows.validation, windows: windows,
        parameters: parameters)
    let workers = Workers(count: threads)
    let schedule = EpochSchedule(
        shards: source.epoch(1, workers: workers), batch: 1_000, epoch: 1, seed: parameters.seed)
    let steps = (0..<schedule.stepCount).map { schedule.step($0) }
    let step = steps.filter { $0.snapshot >= 0 }.max { $0.examples.count < $1.examples.count }!
    let towers = Towers(courseCount: data.courseCount, parameters: parameters, decay: linearPart.decay)
    let days = Set(step.examples.map { CourseActivity.day($0.cut) })
    let trend = TrendTable(data.watched, days: days, weights: linearPart)
    return (TowerTrainer(data: data, towers: towers, linear: linearPart, trend: trend, workers: workers), step)
}
