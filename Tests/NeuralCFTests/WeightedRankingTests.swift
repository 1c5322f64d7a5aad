// The ranking of one learner under many weights is that of a plain sort under each: whatever was asked before, with ties,
// with barred courses, with fewer courses than places.
import LinearAlgebra
import NeuralCF
import Testing

@Suite struct WeightedRankingTests {
    @Test(arguments: [1, 19, 21, 1_024, 2_500], [false, true]) func asASort(_ courses: Int, _ ties: Bool) {
        var random = RandomKey(seed: 5, purpose: "ranking \(ties)").stream(UInt64(courses))
        let settings: [[Float]] = [
            [1, 0.5, 0.25], [1, 1.25, 0.25], [1, 0, 1], [1, -3, 2], [1, 0.5, 0.25], [1, 0, 0],
        ]
        var ranking = WeightedRanking(courseCount: courses, k: 20)
        var (lists, written) = (0, [Float](repeating: 0, count: courses))
        for learner in 0..<8 {
            var columns = (0..<3).map { _ in
                (0..<courses).map { _ in ties ? Float(random.below(4)) : Float(random.normal()) }
            }
            // The last learner may watch nothing more, the one before it little.
            for course in 0..<courses where learner == 7 || random.uniform() < (learner == 6 ? 0.99 : 0.1) {
                columns[0][course] = RowLoss.excluded
            }
            columns[0].withUnsafeBufferPointer { a in
                columns[1].withUnsafeBufferPointer { b in
                    columns[2].withUnsafeBufferPointer { c in
                        ranking.begin([a.baseAddress!, b.baseAddress!, c.baseAddress!])
                        for weights in settings {
                            let scores = (0..<courses).map { a[$0] + weights[1] * b[$0] + weights[2] * c[$0] }
                            let open = (0..<courses).filter { a[$0] != RowLoss.excluded }
                            let expected = open.sorted { (scores[$0], $1) > (scores[$1], $0) }.prefix(20)
                            #expect(ranking.best(weights).map { Int($0) } == Array(expected), "\(learner), \(weights)")
                            ranking.write(weights, into: &written)
                            #expect(written == scores)
                            lists += expected.isEmpty ? 0 : 1
                        }
                    }
                }
            }
        }
        #expect(lists >= 30)
    }
}
