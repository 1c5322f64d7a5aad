// Trend features by hand; the linear fit against an independent plain-loop loss, whose minimum it must be
// (newcomers: NewcomerTests).
import Foundation
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct LinearFitTests {
    @Test func trendHalvesInAHalfLifeAndDoesNotSeeItsOwnDay() {
        // Course 0: two moments on day 3. Course 1: one on day 10.
        let moments = Moments(
            offsets: [0, 1, 3], courses: [0, 0, 1], times: [3 * day, 3 * day + 5, 10 * day + 100])
        let watched = WatchHistory(courseCount: 2, shards: [moments])
        let weights = LinearPart(
            newcomerShares: [0, 0, 0, 1], trendOther: [0, 1, 0, 0], gamma: 0, decay: .init(age: 0, position: 0))
        let identity = SparseRows(columnCount: 2, offsets: [0, 1, 2], columns: [0, 1], values: [1, 1])
        func features(_ time: Int64) -> NCFAtTime {
            let towers = Towers(courseCount: 2, parameters: smallParameters(), decay: .init(age: 0, position: 0))
            return NCFAtTime(
                model: NCFModel(linear: weights, towers: towers, alpha: 0, gammaFactor: 1),
                snapshot: CoWatchSnapshot(time: 0, similarity: identity, wide: .none), watched: watched, time: time,
                history: 100 * day, workers: Workers(count: 1))
        }
        let at = features(10 * day + 200)  // day 10: one week after day 3, its own day not counted
        #expect(abs(at.trendOther[0] - Float(log(1 + 2 * pow(0.5, 7.0 / 30)))) < 1e-6)
        #expect(at.trendOther[1] == 0)
        let later = features(40 * day)  // day 40: 30 days after day 10
        #expect(abs(later.trendOther[1] - Float(log(1.5))) < 1e-6)
        #expect(abs(later.trendOther[0] - Float(log(1 + 2 * pow(0.5, 37.0 / 30)))) < 1e-6)
    }

    /// The regression's objective by plain loops: mean loss with ρ = 1 of the examples with a context, plus the ridge around
    /// the prior.
    private func objective(_ part: LinearPart, _ data: NCFData, _ windows: TimeWindows) -> Double {
        var parameters = smallParameters()
        parameters.rho = 1
        let towers = Towers(courseCount: data.courseCount, parameters: parameters, decay: part.decay)
        let source = ExampleSource(
            data: data, snapshotCuts: windows.fitSnapshots, end: windows.validation, windows: windows,
            parameters: parameters)
        let examples = source.snapshotExamples(workers: Workers(count: 1)).filter { !$0.context.isEmpty }
        var (sum, labels) = (0.0, 0)
        for example in examples {
            var twin = ReferenceNCF(
                towers: towers, linear: part, snapshot: data.snapshots[Int(example.snapshot)], moments: data.shards,
                courseCount: data.courseCount)
            twin.ignoresTowers = true
            sum += twin.loss(.init(snapshot: example.snapshot, examples: [example]), publishedAt: data.publishedAt)
            labels += example.labels.count
        }
        let prior: [Double] = [0, 1, 0, 0]
        var off = zip(part.trendOther, prior).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        off += (part.gamma - 2) * (part.gamma - 2)
        // Label windows of 20 days start every 15: a label lies in 4/3 of them.
        return sum / Double(examples.count) + 5 * (20.0 / 15) / Double(labels) / 2 * off
    }

    @Test(arguments: [false, true]) func theFitIsAMinimum(_ sparse: Bool) {
        let fixture = Fixture(learners: 90, watches: 5)
        let data = fixture.data(sparseWide: sparse)
        let source = ExampleSource(
            data: data, snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
            windows: fixture.windows, parameters: smallParameters())
        let fit = LinearFit(source: source, workers: Workers(count: 2)).fit()
        #expect(fit.gamma > 0, "planted groups are memorable")
        let best = objective(fit, data, fixture.windows)
        for i in 0..<5 {
            for step in [-0.02, 0.02] {
                var other = fit
                if i == 4 { other.gamma += step } else { other.trendOther[i] += step }
                let loss = objective(other, data, fixture.windows)
                #expect(loss > best, "weight \(i) \(step): \(loss) against \(best)")
            }
        }
    }

    // Half of the examples are a sample of all: the weights are near those of all, and not the same.
    @Test func aPartOfTheExamplesGivesNearlyTheSame() {
        let fixture = Fixture(learners: 900)
        func fit(_ most: Int) -> LinearPart {
            let source = ExampleSource(
                data: fixture.data(), snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
                windows: fixture.windows, parameters: smallParameters { $0.linearExamples = most })
            return LinearFit(source: source, workers: Workers(count: 2)).fit()
        }
        let (all, half) = (fit(1_000_000), fit(700))
        #expect(half != all && half.newcomerShares == all.newcomerShares)
        #expect(abs(half.gamma - all.gamma) < 0.2 * all.gamma, "\(half) against \(all)")
    }

    @Test func withoutWideAndTrendNothingIsFitted() {
        let fixture = Fixture()
        func fit(_ change: (inout NCFParameters) -> Void) -> LinearPart {
            let source = ExampleSource(
                data: fixture.data(), snapshotCuts: fixture.windows.fitSnapshots, end: fixture.windows.validation,
                windows: fixture.windows, parameters: smallParameters(change))
            return LinearFit(source: source, workers: Workers(count: 2)).fit()
        }
        let none = fit {
            $0.trend = false
            $0.wide = false
        }
        #expect(none == .none)
        let wideOnly = fit { $0.trend = false }
        #expect(wideOnly.gamma > 0 && wideOnly.trendOther == [0, 0, 0, 0])
        #expect(wideOnly.newcomerShares == [0, 0, 0, 0])
        #expect(fit { $0.wide = false }.gamma == 0)
    }
}
