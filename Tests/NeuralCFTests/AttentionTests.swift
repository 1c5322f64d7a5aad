// Attention: with zero queries and biases it is `sum`, bit for bit in the entries' weights and to rounding in the
// scores; planted recent interest that only attention can single out; the same bytes for 1, 2, 3 threads. (Gradients:
// GradientTests; against plain loops: ModelTests.)
import DenseAlgebra
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct AttentionTests {
    /// As in the stage: OpenBLAS's own threads would sum in another order.
    init() { BLAS.useOneThread() }

    @Test(arguments: [NCFParameters.LearnerRows.watched, .cowatch]) func zeroQueriesAreSum(
        _ rows: NCFParameters.LearnerRows
    ) {
        let fixture = Fixture()
        let data = fixture.data()
        func vectors(_ input: NCFParameters.LearnerInput) -> Matrix {
            let parameters = smallParameters {
                $0.learnerInput = input
                $0.learnerRows = rows
            }
            var towers = Towers(
                courseCount: data.courseCount, parameters: parameters, decay: .init(age: 0, position: 0))
            for tensor in towers.layout.tensors {
                var random = RandomKey(seed: 4, purpose: tensor.name).stream()
                let isAttention = tensor.name.contains("attention")
                for i in tensor.range { towers.weights[i] = isAttention ? 0 : Float(random.normal()) }
            }
            let moments = data.shards[0]
            return TowersAtTime(towers, snapshot: data.snapshots.last!, workers: Workers(count: 1)).learnerVectors(
                moments, learners: Array(0..<moments.learnerCount), at: fixture.windows.asOf,
                history: fixture.windows.history, workers: Workers(count: 1))
        }
        let (sum, attention) = (vectors(.sum), vectors(.attention))
        #expect(sum.values.contains { $0 != 0 })
        for i in sum.values.indices { #expect(abs(sum.values[i] - attention.values[i]) < 1e-5) }
    }

    /// Learners watch courses of one group after the other; what comes next is of the group watched last. The groups
    /// before are many and say nothing.
    private func planted() -> (NCFData, TimeWindows) {
        let (groups, size, learners) = (8, 8, 600)
        let courseCount = groups * size
        var random = RandomKey(seed: 11, purpose: "planted").stream()
        var moments = Moments(offsets: [0], courses: [], times: [])
        for _ in 0..<learners {
            var seen: Set<UInt32> = []
            // Old interests, at least 60 days before the newest two courses, which share a group with what follows.
            var time = 20 * day + Int64(random.below(60)) * day
            func watch(_ group: Int) {
                let course = UInt32(group * size + random.below(size))
                if !seen.insert(course).inserted { return }
                moments.courses.append(course)
                moments.times.append(time)
            }
            for _ in 0..<8 {
                watch(random.below(groups))
                time += Int64(1 + random.below(3)) * day
            }
            time += 60 * day
            let last = random.below(groups)
            for _ in 0..<5 {
                watch(last)
                time += Int64(1 + random.below(2)) * day + 60
            }
            moments.offsets.append(moments.courses.count)
        }
        let windows = TimeWindows(
            asOf: 200 * day, history: 200 * day, labelWindow: 40 * day, stride: 5 * day, snapshots: 12,
            firstMoment: 20 * day)
        let identity = SparseRows(
            columnCount: courseCount, offsets: Array(0...courseCount), columns: (0..<courseCount).map { UInt32($0) },
            values: [Float](repeating: 1, count: courseCount))
        let data = NCFData(
            courseCount: courseCount, shards: [moments],
            hashes: [(0..<learners).map { LearnerHash.of("l\($0)".utf8) }],
            snapshots: windows.cowatchTimes.map { CoWatchSnapshot(time: $0, similarity: identity, wide: .none) })
        return (data, windows)
    }

    private func parameters(_ input: NCFParameters.LearnerInput) -> NCFParameters {
        var parameters = NCFParameters()
        (parameters.trend, parameters.wide, parameters.guarded) = (false, false, false)
        (parameters.learnerRows, parameters.learnerInput) = (.watched, input)
        (parameters.embedding, parameters.batch, parameters.epochs, parameters.patience) = (16, 64, 12, 12)
        (parameters.learningRate, parameters.loss) = (0.02, .softmax)
        return parameters
    }

    @Test func recentInterestIsFound() throws {
        let (data, windows) = planted()
        func best(_ input: NCFParameters.LearnerInput) throws -> Double {
            let training = NCFTraining(
                data: data, windows: windows, parameters: parameters(input), workers: Workers(count: 2))
            return try training.fit().history.dropFirst().map { $0.quality!.warmNDCG }.max()!
        }
        let (sum, attention) = (try best(.sum), try best(.attention))
        #expect(attention > sum + 0.1, "attention \(attention), sum \(sum)")
    }

    @Test func sameBytesForAnyNumberOfThreads() throws {
        let fixture = Fixture(learners: 300)
        let models = try [1, 2, 3].map { threads in
            try NCFTraining(
                data: fixture.data(), windows: fixture.windows,
                parameters: smallParameters {
                    $0.learnerInput = .attention
                    ($0.epochs, $0.batch) = (2, 150)
                }, workers: Workers(count: threads)
            ).fit().model
        }
        #expect(models[1] == models[0] && models[2] == models[0])
    }
}
