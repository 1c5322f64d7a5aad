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

    func itemToItem(
        _ weights: WideMatrix, recency: RecencyWeights = .uniform, ordersRest: Bool = true
    ) -> ItemToItemScorer {
        ItemToItemScorer(
            weights, moments: board, time: end, history: 365 * day, recency: recency,
            fallback: [Float](repeating: 1, count: size), ordersRest: ordersRest)
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
            MixtureScorer(itemToItem(.sparse(sparse(cosine)), ordersRest: false), popular, share: 0.3),
            als(.init(factors: 4, l2: 1)), byProfile,
        ]
        for model in models { checkConformance(model) }
    }

    func als(_ options: ImplicitALS.Options) -> ALSScorer {
        let model = ImplicitALS(
            [board], courseCount: size, from: 0, to: end, options: options, seed: 1, workers: Workers(count: 2))
        return ALSScorer(
            model, moments: board, time: end, history: 365 * day, fallback: [Float](repeating: 1, count: size))
    }

    var byProfile: ProfileScorer {
        let counts = (0..<2).map { value in (0..<size).map { $0 % 2 == value ? $0 : 0 } }
        let popularity = ProfilePopularity(
            counts: counts, all: Array(0..<size), before: Array(0..<size), smoothing: 10)
        return ProfileScorer(popularity, values: (0..<size).map { Int32($0 % 3 - 1) })
    }

    @Test func alsSolvesTheCheckerboard() {
        for (learner, scores) in allScores(als(.init(factors: 2, l2: 0.1, confidence: 10))).enumerated() {
            #expect(ranking(scores, without: board, learner)[0] == learner)
        }
    }

    /// x folded in minimises its learner's part of the objective, here in plain loops; more alternations never raise the
    /// whole.
    @Test func alsFoldsInTheMinimum() {
        let options = ImplicitALS.Options(factors: 3, l2: 0.5, confidence: 4, iterations: 2)
        func model(_ options: ImplicitALS.Options, threads: Int = 1) -> ImplicitALS {
            ImplicitALS(
                [board], courseCount: size, from: 0, to: end, options: options, seed: 7,
                workers: Workers(count: threads))
        }
        func objective(_ x: [Double], _ y: [Double], _ watched: Set<Int>) -> Double {
            var sum = 0.5 * x.reduce(0) { $0 + $1 * $1 }
            for course in 0..<size {
                let dot = (0..<3).reduce(0.0) { $0 + x[$1] * y[course * 3 + $1] }
                let (p, c) = watched.contains(course) ? (1.0, 5.0) : (0, 1)
                sum += c * (p - dot) * (p - dot)
            }
            return sum
        }
        let fitted = model(options)
        let watched = board.courses[board.range(4)]
        let best = fitted.learner(watched)
        let least = objective(best, fitted.courses, Set(watched.map { Int($0) }))
        for f in 0..<3 {
            for step in [-0.01, 0.01] {
                var other = best
                other[f] += step
                #expect(objective(other, fitted.courses, Set(watched.map { Int($0) })) > least)
            }
        }
        func total(_ iterations: Int) -> Double {
            let fitted = model(.init(factors: 3, l2: 0.5, confidence: 4, iterations: iterations))
            let learners = (0..<size).reduce(0.0) {
                let watched = board.courses[board.range($1)]
                return $0 + objective(fitted.learner(watched), fitted.courses, Set(watched.map { Int($0) }))
            }
            return learners + 0.5 * fitted.courses.reduce(0) { $0 + $1 * $1 }
        }
        #expect(total(4) <= total(2) && total(2) < total(1))
        #expect(fitted.courses == model(options, threads: 3).courses)
    }

    @Test func profilePopularityByHand() {
        // All: 6 and 2 of 8. Value 0 has 1 and 3, value 1 nothing; κ = 4.
        let popularity = ProfilePopularity(
            counts: [[1, 3, 0], [0, 0, 0]], all: [6, 2, 0], before: [6, 2, 1], smoothing: 4)
        let scores = allScores(ProfileScorer(popularity, values: [0, 1, -1]))
        // (1 + 4·6/8) / (4 + 4), (3 + 4·2/8) / (4 + 4); then the shares of all.
        let expected: [[Float]] = [[0.5, 0.5, 0], [0.75, 0.25, 0], [0.75, 0.25, 0]]
        for row in 0..<3 {
            for course in 0..<3 { #expect(abs(scores[row][course] - expected[row][course]) < 0.02) }
        }
        // Equal shares: the one with more moments before T goes first; nothing recent at all stays last, but above 0.
        #expect(scores[0][0] > scores[0][1] && scores[0][2] > 0)
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

    /// Context of the first: course 0 three days before T, course 1 one day before; course 2 lies before the history. The
    /// second has none.
    private func byHand(_ recency: RecencyWeights = .uniform, ordersRest: Bool = true) -> ItemToItemScorer {
        let moments = Moments(offsets: [0, 3, 3], courses: [2, 0, 1], times: [0, 7 * day, 9 * day])
        let rows = sparse([[1, 0, 0.5, 0.25], [0, 1, 0.5, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
        return ItemToItemScorer(
            .sparse(rows), moments: moments, time: 10 * day, history: 5 * day, recency: recency,
            fallback: [3, 0, 1, 2], ordersRest: ordersRest)
    }

    @Test func scoresByHand() {
        func scores(_ recency: RecencyWeights) -> [[Float]] { allScores(byHand(recency)) }
        // Nothing speaks for 0 and 1 (the diagonal does not count): the fallback, (3, 0, 1, 2)/4 − 2.
        #expect(scores(.uniform) == [[-1.25, -2, 1, 0.25], [3, 0, 1, 2]])
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

    // The base is (0, 0, 1, ¼), its own largest 1: what nothing speaks for adds nothing. Without a context it is the
    // fallback, (3, 0, 1, 2)/3.
    @Test func mixtureWithASparseBaseByHand() {
        let recent = ConstantScorer(scores: [0, 5, 0, 10], learnerCount: 2)
        let scores = allScores(MixtureScorer(byHand(ordersRest: false), recent, share: 0.5))
        #expect(scores[0] == [0, 0.25, 0.5, 0.625])
        for (found, expected) in zip(scores[1], [0.5, 0.25, 1.0 / 6, 5.0 / 6]) {
            #expect(abs(Double(found) - expected) < 1e-6)
        }
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
