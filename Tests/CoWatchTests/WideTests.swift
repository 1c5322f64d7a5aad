// Proves the wide matrices: EASE by hand for two courses and by its optimality conditions on random data, transitions
// by hand, damped co-watches against a dense twin, the choice of `auto`, and equal bytes for any number of threads.
import LinearAlgebra
import Platform
import Testing

import CoWatch

private let threads = Workers(count: 2)

private func matrix(_ learners: [[UInt32]], courses: Int) -> WatchMatrix {
    WatchMatrix([moments(learners)], courseCount: courses, from: 0, to: .max)
}

@Suite struct WideTests {
    @Test func easeByHand() {
        // Two courses: B_01 is the ridge regression of column 1 on column 0, c/(n_0 + λ) = 2/(3 + 1); B_10 = 2/(5 + 1).
        // Course 2 was never watched.
        let learners: [[UInt32]] = [[0, 1], [0, 1], [0], [1], [1], [1]]
        let b = CoWatch.ease(matrix(learners, courses: 3), l2: 1, workers: threads)
        let expected: [Float] = [0, 0.5, 0, 1.0 / 3, 0, 0, 0, 0, 0]
        for (x, y) in zip(b.values, expected) { #expect(abs(x - y) < 1e-6) }
    }

    @Test func easeFulfilsItsOptimalityConditions() {
        // ∂/∂B_ij: Σ_k G_ik·B_kj + λ·B_ij = G_ij for all i ≠ j, with B_jj = 0.
        let courses = 40
        let learners = randomLearners(200, courses: courses, share: 0.1, seed: 5)
        let b = CoWatch.ease(matrix(learners, courses: courses), l2: 20, workers: threads)
        let g = plainProduct(learners, courses: courses)
        for j in 0..<courses {
            #expect(b[j, j] == 0)
            for i in 0..<courses where i != j {
                var left = 20 * Double(b[i, j])
                for k in 0..<courses { left += g[i][k] * Double(b[k, j]) }
                #expect(abs(left - g[i][j]) < 1e-3)  // B is Float, G up to 50
            }
        }
    }

    @Test func transitionsByHand() throws {
        let shard = moments([
            [(course: 0, time: 10), (course: 1, time: 20), (course: 2, time: 20), (course: 3, time: 30)],
            [(course: 3, time: 5), (course: 0, time: 7)],
        ])
        var options = CoWatch.WideOptions()
        options.kind = .markov
        // T_01 = T_02 = 1, T_03 = ½, T_13 = T_23 = 1, T_30 = 1; rows are divided by 12.5, 11, 11, 11.
        let wide = try CoWatch.wide([shard], courseCount: 4, from: 0, to: .max, options: options, workers: threads)
        guard case .sparse(let rows) = wide else {
            Issue.record("markov is sparse")
            return
        }
        let eleventh: Float = 1.0 / 11
        let expected: [[Float]] = [
            [0, 0.08, 0.08, 0.04], [0, 0, 0, eleventh], [0, 0, 0, eleventh], [eleventh, 0, 0, 0],
        ]
        for (row, wanted) in zip(dense(rows), expected) {
            for (x, y) in zip(row, wanted) { #expect(abs(x - y) < 1e-6) }
        }
        options.markovSteps = 1
        let near = CoWatch.markov(
            WatchMatrix([shard], courseCount: 4, from: 0, to: .max), options: options, workers: threads)
        #expect(dense(near)[0][3] == 0)
    }

    @Test func plantedSequenceIsFound() {
        // Everyone walks 0 → 1 → 2 … → 9 → 0 from a start of their own: the best successor of i is i + 1.
        let learners = (0..<50).map { start in (0..<5).map { UInt32((start + $0) % 10) } }
        var options = CoWatch.WideOptions()
        options.neighbours = 1
        let rows = CoWatch.markov(matrix(learners, courses: 10), options: options, workers: threads)
        #expect(rows.columns == (0..<10).map { UInt32(($0 + 1) % 10) })
    }

    @Test func dampedCoWatchEqualsTheDenseTwin() {
        let courses = 120
        let learners = randomLearners(250, courses: courses, share: 0.06, seed: 9)
        let rows = CoWatch.dampedCoWatch(matrix(learners, courses: courses), neighbours: 15, workers: threads)
        let n = plainProduct(learners, courses: courses)
        func power(_ x: Double, _ p: Double) -> Double { x == 0 ? 0 : Scalar.exp(p * Scalar.log(x)) }
        let c = plainProduct(learners, courses: courses) { power(Double($0), -0.7) }
        for (i, row) in dense(rows).enumerated() {
            var twin = (0..<courses).map { c[i][$0] * power(n[i][i], -0.4) * power(n[$0][$0], -0.4) }
            twin[i] = 0
            for (x, y) in zip(row.sorted(), plainTop(twin, k: 15).sorted()) { #expect(abs(Double(x) - y) < 1e-5) }
        }
    }

    @Test func automaticChoiceGoesBySize() throws {
        let learners: [[UInt32]] = [[0, 1], [1, 2]]
        var options = CoWatch.WideOptions()
        options.easeLimit = 3
        func kind(_ courses: Int) throws -> String {
            let wide = try CoWatch.wide(matrix(learners, courses: courses), options: options, workers: threads)
            switch wide {
            case .none: return "none"
            case .dense: return "dense"
            case .sparse: return "sparse"
            }
        }
        #expect(try kind(3) == "dense")
        #expect(try kind(4) == "sparse")
        options.kind = .none
        #expect(try kind(3) == "none")
        options.kind = .ease
        #expect(throws: CoWatch.TooManyCoursesForEase.self) { try kind(4) }
    }

    @Test(arguments: [CoWatch.WideKind.ease, .markov, .cowatch])
    func neitherThreadsNorShardsShow(kind: CoWatch.WideKind) throws {
        let learners = randomLearners(300, courses: 100, share: 0.08, seed: 13)
        var options = CoWatch.WideOptions()
        options.kind = kind
        let one = try CoWatch.wide(
            [moments(learners)], courseCount: 100, from: 0, to: .max, options: options, workers: Workers(count: 1))
        let shards = [moments(Array(learners[100...])), moments(Array(learners[..<100]))]
        for count in 2...3 {
            let other = try CoWatch.wide(
                shards, courseCount: 100, from: 0, to: .max, options: options, workers: Workers(count: count))
            #expect(one == other)
        }
    }
}
