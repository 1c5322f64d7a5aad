// Proves the baselines: every model through the conformance suite, the planted checkerboard, and scores by hand.
import Baselines
import LinearAlgebra
import Platform
import Testing

private let day: Int64 = 86_400

@Suite struct BaselinesTests {
    let size = 20
    let board = checkerboard(20)
    let end: Int64 = 100 * 86_400

    func itemToItem(_ weights: WideMatrix, recency: RecencyWeights = .uniform) -> ItemToItemScorer {
        ItemToItemScorer(
            weights, moments: board, time: end, history: 365 * day, recency: recency,
            fallback: [Float](repeating: 1, count: size))
    }

    var cosine: [[Float]] { plainCosine(board, courses: size) }

    /// The cosine without its diagonal, dense.
    var matrix: WideMatrix {
        var matrix = Matrix(rows: size, columns: size, values: cosine.flatMap { $0 })
        for i in 0..<size { matrix[i, i] = 0 }
        return .dense(matrix)
    }

    @Test func everyModelConforms() {
        let recent = RecencyWeights(age: 0.3, position: 0.5, last: 4)
        let popular = ConstantScorer(scores: (0..<size).map { Float($0) }, learnerCount: size)
        let models: [any CourseScorer] = [
            popular, itemToItem(.sparse(sparse(cosine))), itemToItem(.sparse(sparse(cosine)), recency: recent),
            itemToItem(matrix), itemToItem(matrix, recency: recent),
            MixtureScorer(itemToItem(matrix), popular, share: 0.3),
        ]
        for model in models { checkConformance(model) }
    }

    @Test func checkerboardIsSolved() {
        for weights in [.sparse(sparse(cosine)), matrix] as [WideMatrix] {
            for recency in [.uniform, RecencyWeights(age: 0.3, position: 1, last: 5)] {
                for (learner, scores) in allScores(itemToItem(weights, recency: recency)).enumerated() {
                    #expect(ranking(scores, without: board, learner)[0] == learner)
                }
            }
        }
    }

    @Test func scoresByHand() {
        // Context: course 0 three days before T, course 1 one day before; course 2 lies before the history.
        let moments = Moments(offsets: [0, 3, 3], courses: [2, 0, 1], times: [0, 7 * day, 9 * day])
        let rows = sparse([[1, 0, 0.5, 0.25], [0, 1, 0.5, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
        func scores(_ recency: RecencyWeights) -> [[Float]] {
            allScores(
                ItemToItemScorer(
                    .sparse(rows), moments: moments, time: 10 * day, history: 5 * day, recency: recency,
                    fallback: [3, 0, 1, 2]))
        }
        // Nothing speaks for 0 and 1 (the diagonal does not count): the fallback, (3, 0, 1, 2)/4 − 2.
        #expect(scores(.uniform) == [[-1.25, -2, 1, 0.25], [-1.25, -2, -1.75, -1.5]])
        // Weights (1 + 3)^−½·(1 + 1)^−1 = ¼ and (1 + 1)^−½ = .70710678.
        let decayed = scores(RecencyWeights(age: 0.5, position: 1))[0]
        #expect(abs(decayed[2] - (0.125 + 0.353_553_4)) < 1e-6 && abs(decayed[3] - 0.0625) < 1e-6)
        #expect(scores(RecencyWeights(last: 1))[0] == [-1.25, -2, 0.5, -1.5])
    }

    @Test func popularityCountsItsWindow() {
        let shards = [
            Moments(offsets: [0, 2], courses: [0, 1], times: [5, 10]),
            Moments(offsets: [0, 1, 2], courses: [1, 1], times: [15, 20]),
        ]
        #expect(Popularity.counts(shards, courseCount: 3, to: 20) == [1, 2, 0])
        #expect(Popularity.counts(shards, courseCount: 3, from: 10, to: 15) == [0, 1, 0])
        // Equal in the last days: more before T goes first, but never past a larger recent count.
        #expect(Popularity.scores(recent: [1, 1, 2], all: [3, 7, 2]) == [1.375, 1.875, 2.25])
    }

    @Test func mixtureByHand() {
        // a = (2, −4) → (.5, −1), b = (0, 5) → (0, 1); a quarter of b.
        let mixture = MixtureScorer(
            ConstantScorer(scores: [2, -4], learnerCount: 2), ConstantScorer(scores: [0, 5], learnerCount: 2),
            share: 0.25)
        #expect(allScores(mixture) == [[0.375, -0.5], [0.375, -0.5]])
        let silent = ConstantScorer(scores: [0, 0], learnerCount: 2)
        #expect(allScores(MixtureScorer(silent, silent, share: 0.5)) == [[0, 0], [0, 0]])
    }
}
