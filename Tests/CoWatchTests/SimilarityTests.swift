// Proves co-watch similarity: numbers computed by hand for four learners, a dense twin of the definitions on random
// data (on both sides of the accumulator's choice between dense and sparse), planted clusters, ties, windows and
// equal bytes for any number of threads.
import LinearAlgebra
import Platform
import Testing

import CoWatch

private let threads = Workers(count: 2)

@Suite struct SimilarityTests {
    // C_01 = 3, C_02 = 1, C_03 = 1, C_12 = 2, C_13 = 1, n = 3, 4, 2, 1.
    let small: [[UInt32]] = [[0, 1, 2], [0, 1], [1, 2], [0, 1, 3]]

    func similarity(_ learners: [[UInt32]], courses: Int, _ set: (inout CoWatch.SimilarityOptions) -> Void = { _ in })
        -> SparseRows
    {
        var options = CoWatch.SimilarityOptions()
        set(&options)
        return CoWatch.similarity(
            [moments(learners)], courseCount: courses, from: 0, to: .max, options: options, workers: threads)
    }

    func expect(_ rows: SparseRows, _ expected: [[Float]], tolerance: Float = 1e-6) {
        for (row, wanted) in zip(dense(rows), expected) {
            for (a, b) in zip(row, wanted) { #expect(abs(a - b) <= tolerance, "\(row) instead of \(wanted)") }
        }
    }

    @Test func cosineByHand() {
        // 3/(√12 + 10) and 2/(√8 + 10); pairs of one learner fall below min_support 2.
        let (a, b): (Float, Float) = (0.222_814_7, 0.155_903_8)
        let rows = similarity(small, courses: 4)
        expect(rows, [[1, a, 0, 0], [a, 1, b, 0], [0, b, 1, 0], [0, 0, 0, 1]])
        #expect(rows.columns == [0, 1, 0, 1, 2, 1, 2, 3])
    }

    /// 16 bits do not hold the counts of 70,000 learners; 65,535 they do. c/(√(n_0·n_1) + 10), rounded by hand.
    @Test(arguments: [(65_535, Float(0.999_847_43)), (65_536, 0.999_847_44), (70_000, 0.999_857_16)])
    func manyLearners(count: Int, expected: Float) {
        let rows = similarity([[UInt32]](repeating: [0, 1], count: count), courses: 3)
        expect(rows, [[1, expected, 0], [expected, 1, 0], [0, 0, 1]])
    }

    @Test func jaccardByHand() {
        let rows = similarity(small, courses: 4) { $0.measure = .jaccard }
        expect(rows, [[1, 0.75, 0, 0], [0.75, 1, 0.5, 0], [0, 0.5, 1, 0], [0, 0, 0, 1]])
    }

    @Test func liftByHand() {
        let rows = similarity(small, courses: 4) {
            $0.measure = .lift
            $0.minSupport = 1
        }
        let (s02, s03): (Float, Float) = (4.0 / 6, 4.0 / 3)
        expect(rows, [[1, 1, s02, s03], [1, 1, 1, 1], [s02, 1, 1, 0], [s03, 1, 0, 1]])
    }

    @Test func pmiKeepsOnlyPositiveAssociations() {
        let rows = similarity(small, courses: 4) {
            $0.measure = .pmi
            $0.minSupport = 1
        }
        let s: Float = 0.287_682_1  // log(4/3)
        expect(rows, [[1, 0, 0, s], [0, 1, 0, 0], [0, 0, 1, 0], [s, 0, 0, 1]])
        #expect(rows.columns == [0, 3, 1, 2, 0, 3])
    }

    @Test func heavyLearnersAreDamped() {
        // w = 1/log 4, 1/log 3, 1/log 3, 1/log 4; C_01 = 2.3529342 = n_0, n_1 = 3.2631734, C_12 = 1.6315867 = n_2.
        let rows = similarity(small, courses: 4) {
            $0.measure = .jaccard
            $0.dampHeavyLearners = true
        }
        let (a, b): (Float, Float) = (0.721_057_1, 0.5)
        expect(rows, [[1, a, 0, 0], [a, 1, b, 0], [0, b, 1, 0], [0, 0, 0, 1]], tolerance: 2e-6)
    }

    @Test func windowIsHalfOpen() {
        let shard = moments([
            [(course: 0, time: 10), (course: 1, time: 20), (course: 2, time: 30)],
            [(course: 0, time: 9), (course: 1, time: 15), (course: 2, time: 29)],
        ])
        var options = CoWatch.SimilarityOptions()
        options.measure = .jaccard
        options.minSupport = 1
        // In [10, 30): {0, 1} and {1, 2}.
        let rows = CoWatch.similarity([shard], courseCount: 3, from: 10, to: 30, options: options, workers: threads)
        expect(rows, [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
    }

    @Test func tiesGoToTheSmallerNumber() {
        let rows = similarity([[0, 1, 2, 3], [0, 1, 2, 3]], courses: 4) { $0.neighbours = 2 }
        #expect(rows.columns == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 3])
    }

    @Test func emptyInputHasTheDiagonal() {
        let rows = similarity([], courses: 3)
        #expect(rows.columns == [0, 1, 2] && rows.values == [1, 1, 1])
        #expect(similarity([[]], courses: 0).rowCount == 0)
    }

    @Test(arguments: CoWatch.Measure.allCases, [false, true])
    func equalsTheDenseTwin(measure: CoWatch.Measure, damped: Bool) {
        // 90 courses with many learners: every row is looked through whole, in one chunk of columns; 1,500 with busy
        // learners: in several; 1,500 with few watches: by the list of touched columns.
        for (count, courses, share) in [(300, 90, 0.1), (100, 1_500, 0.04), (25, 1_500, 0.004)] {
            let learners = randomLearners(count, courses: courses, share: share, seed: 7)
            let rows = similarity(learners, courses: courses) {
                $0.measure = measure
                $0.dampHeavyLearners = damped
                $0.neighbours = 10
                $0.minSupport = 1
            }
            let twin = plainSimilarity(learners, courses: courses, measure, damped: damped, neighbours: 10)
            for (i, row) in dense(rows).enumerated() {
                // By value, not by course: rounding may order two nearly equal neighbours either way.
                let (a, b) = (row.sorted(), twin[i].sorted())
                for (x, y) in zip(a, b) { #expect(abs(Double(x) - y) <= 2e-5 * max(1, y)) }
            }
        }
    }

    func plainSimilarity(
        _ learners: [[UInt32]], courses: Int, _ measure: CoWatch.Measure, damped: Bool, neighbours: Int
    ) -> [[Double]] {
        func weight(_ length: Int) -> Double { damped ? 1 / Scalar.log(1 + Double(length)) : 1 }
        let c = plainProduct(learners, courses: courses, weight: weight)
        let total = learners.reduce(0.0) { $0 + ($1.isEmpty ? 0 : weight($1.count)) }
        return c.indices.map { i in
            var row = c.indices.map { j -> Double in
                if i == j || c[i][j] == 0 { return 0 }
                switch measure {
                case .cosine: return c[i][j] / ((c[i][i] * c[j][j]).squareRoot() + 10)
                case .jaccard: return c[i][j] / (c[i][i] + c[j][j] - c[i][j])
                case .lift: return total * c[i][j] / (c[i][i] * c[j][j])
                case .pmi: return max(0, Scalar.log(total * c[i][j] / (c[i][i] * c[j][j])))
                }
            }
            row = plainTop(row, k: neighbours)
            row[i] = 1
            return row
        }
    }

    @Test func plantedClustersAreFound() {
        // Courses 20k..<20(k+1) form a cluster; every learner takes six of one cluster and one from anywhere.
        let learners = (0..<900).map { learner -> [UInt32] in
            var random = RandomKey(seed: 3, purpose: "clusters").stream(learner)
            var own = (0..<20).map { UInt32(20 * (learner % 3) + $0) }
            random.shuffle(&own)
            return Array(Set(own.prefix(6) + [UInt32(random.below(60))]))
        }
        let rows = similarity(learners, courses: 60) { $0.neighbours = 10 }
        for i in 0..<60 {
            #expect(rows.range(i).count == 11)
            #expect(rows.range(i).allSatisfy { Int(rows.columns[$0]) / 20 == i / 20 })
        }
    }

    @Test func neitherThreadsNorShardsShow() {
        let learners = randomLearners(400, courses: 150, share: 0.08, seed: 11)
        for damped in [false, true] {
            var options = CoWatch.SimilarityOptions()
            options.dampHeavyLearners = damped
            let one = CoWatch.similarity(
                [moments(learners)], courseCount: 150, from: 0, to: .max, options: options, workers: Workers(count: 1))
            let shards = [moments(Array(learners[250...])), moments([[UInt32]]()), moments(Array(learners[..<250]))]
            for count in 2...3 {
                let other = CoWatch.similarity(
                    shards, courseCount: 150, from: 0, to: .max, options: options, workers: Workers(count: count))
                #expect(one == other)
            }
        }
    }
}
