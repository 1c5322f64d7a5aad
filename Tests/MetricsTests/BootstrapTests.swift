// Proves the bootstrap: against the normal interval of a mean that theory gives, on differences without variance, on
// learners with several rows, and its seed.
import LinearAlgebra
import Metrics
import Testing

@Suite struct BootstrapTests {
    let normal: [Double] = {
        var random = RandomKey(seed: 1, purpose: "test").stream(0)
        return (0..<2_000).map { _ in 3 + 2 * random.normal() }
    }()

    @Test func meanOfNormalValues() {
        // ±1.96·2/√2000 = ±0.0877 about the sample mean; 1,000 resamples leave about 6 % noise in each end.
        let interval = Bootstrap(seed: 4).interval(normal)
        let mean = normal.reduce(0, +) / 2_000
        #expect(abs(interval.mean - mean) < 1e-12)
        #expect(abs(interval.low - (mean - 0.0877)) < 0.012, "\(interval)")
        #expect(abs(interval.high - (mean + 0.0877)) < 0.012, "\(interval)")
    }

    @Test func pairedDifferencesHaveTheirOwnSpread() {
        // b = a − 0.5 exactly: however wide both are, the difference is known.
        let shifted = normal.map { $0 - 0.5 }
        let interval = Bootstrap(seed: 4).pairedInterval(normal, minus: shifted)
        #expect(abs(interval.low - 0.5) < 1e-9 && abs(interval.high - 0.5) < 1e-9)
    }

    @Test func columnsShareTheirResamples() {
        let table = [normal, normal.map { 2 * $0 }]
        let both = Bootstrap(seed: 9).intervals(columns: table, learners: nil)
        #expect(abs(both[1].low - 2 * both[0].low) < 1e-9 && abs(both[1].high - 2 * both[0].high) < 1e-9)
    }

    @Test func learnersAreTheUnit() {
        // Each value four times, under one learner: as wide as once, not half as wide.
        let values = Array(normal.prefix(500))
        let repeated = values.flatMap { [$0, $0, $0, $0] }
        let learners = (0..<500).flatMap { [$0, $0, $0, $0] }
        let once = Bootstrap(seed: 2).interval(values)
        let four = Bootstrap(seed: 2).intervals(columns: [repeated], learners: learners)[0]
        #expect(abs(four.low - once.low) < 1e-9 && abs(four.high - once.high) < 1e-9)
    }

    @Test func manyLearnersAreGrouped() {
        // 20,000 values in 4,000 groups: still ±1.96·2/√20000 = ±0.0277.
        var random = RandomKey(seed: 3, purpose: "test").stream(0)
        let interval = Bootstrap(seed: 5).interval((0..<20_000).map { _ in 2 * random.normal() })
        #expect(abs(interval.high - interval.mean - 0.0277) < 0.005, "\(interval)")
        #expect(abs(interval.mean - interval.low - 0.0277) < 0.005, "\(interval)")
    }

    @Test func seedAndThreads() {
        let columns = [normal]
        let one = Bootstrap(seed: 7).intervals(columns: columns, learners: nil)
        #expect(one == Bootstrap(seed: 7).intervals(columns: columns, learners: nil, workers: Workers(count: 3)))
        #expect(one != Bootstrap(seed: 8).intervals(columns: columns, learners: nil))
    }

    @Test func oneRowAndNone() {
        #expect(Bootstrap(seed: 1).interval([2]) == Interval(mean: 2, low: 2, high: 2))
        #expect(Bootstrap(seed: 1).interval([]) == Interval(mean: 0, low: 0, high: 0))
    }

    @Test func quantilesInterpolate() {
        #expect(quantile([1, 2, 3, 5], 0.5) == 2.5)
        #expect(quantile([1, 2, 3, 5], 0) == 1 && quantile([1, 2, 3, 5], 1) == 5)
    }
}
