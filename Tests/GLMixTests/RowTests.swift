// Proves how engagements become rows, weights and as-of-time numbers. All expected values are worked out by hand from
// the rules of docs/glmix.md in the comments of each test.
import GLMix
import LinearAlgebra
import Platform
import Testing

private let hour: Int64 = 3600
private let day: Int64 = 86_400

/// One learner's events: (course, time, label, channel).
private func log(_ events: [(UInt32, Int64, EngagementLabel, UInt32)], learner: UInt32 = 0) -> Engagements {
    let sorted = events.sorted { ($0.1, $0.0, $0.2.rawValue) < ($1.1, $1.0, $1.2.rawValue) }
    return Engagements(
        learner: sorted.map { _ in learner }, course: sorted.map(\.0), time: sorted.map(\.1),
        label: sorted.map(\.2.rawValue), kind: sorted.map { _ in 0 }, channel: sorted.map(\.3))
}

private let noWatches = Watches(learner: [], course: [], time: [], seconds: [])

private func builder(_ cutoff: Int64, courses: Int = 4, negatives: Int = 0, published: [Int64]? = nil) -> RowBuilder {
    var rules = RowRules()
    rules.negatives = negatives
    let sampler = NegativeSampler(
        engagements: [Int](repeating: 0, count: courses),
        publishedAt: published ?? [Int64](repeating: .min, count: courses),
        retiredAt: [Int64](repeating: .max, count: courses), alpha: 0)
    return RowBuilder(rules: rules, cutoff: cutoff, sampler: sampler)
}

@Suite struct RowTests {
    @Test func impressionsAndTheirEngagements() {
        // course 0: shown and clicked after an hour: one row, its time the impression's.
        // course 1: shown, nothing: 0. course 2: shown two hours before the cutoff, nothing yet: dropped.
        // course 3: shown, clicked and bookmarked: one row.
        let events = log([
            (0, 100 * day, .impression, 0), (0, 100 * day + hour, .positive, 0), (1, 100 * day, .impression, 0),
            (2, 200 * day - 2 * hour, .impression, 0), (3, 101 * day, .impression, 0), (3, 101 * day + 5, .positive, 0),
            (3, 101 * day + 9, .positive, 0),
        ])
        let rows = builder(200 * day).rows(events, noWatches, hashes: [1])
        #expect(rows.course == [0, 1, 3])
        #expect(rows.label == [1, 0, 1])
        #expect(rows.time == [100 * day, 100 * day, 101 * day])
        #expect(rows.counts.tooRecent == 1 && rows.counts.merged == 1 && rows.counts.read == 7)
    }

    @Test func attributionEndsAfterADay() {
        // a click 24 h after the impression is too late: the impression is a 0, the click a row of its own
        let events = log([(0, 100 * day, .impression, 0), (0, 101 * day, .positive, 0)])
        let rows = builder(200 * day).rows(events, noWatches, hashes: [1])
        #expect(rows.label == [0, 1] && rows.time == [100 * day, 101 * day])
        let earlier = log([(0, 100 * day, .impression, 0), (0, 101 * day - 1, .positive, 0)])
        #expect(builder(200 * day).rows(earlier, noWatches, hashes: [1]).label == [1])
    }

    @Test func dismissalsAreZeroAndLaterEventsUnseen() {
        let events = log([
            (0, 100 * day, .impression, 0), (0, 100 * day + 5, .positive, 0), (0, 100 * day + 9, .dismiss, 0),
            (1, 102 * day, .impression, 0), (1, 102 * day + hour, .positive, 0),
        ])
        // at this cutoff the second click has not happened, and the impression is too recent to be a 0
        let rows = builder(102 * day + hour).rows(events, noWatches, hashes: [1])
        #expect(rows.course == [0] && rows.label == [0] && rows.counts.tooRecent == 1)
    }

    @Test func theLatestImpressionTakesTheClick() {
        // shown twice within a day, clicked after the second: one positive row at the second's time, the first is no 0
        let events = log([
            (0, 100 * day, .impression, 0), (0, 100 * day + 2 * hour, .impression, 0),
            (0, 100 * day + 3 * hour, .positive, 0),
        ])
        let rows = builder(200 * day).rows(events, noWatches, hashes: [1])
        #expect(rows.time == [100 * day + 2 * hour] && rows.label == [1])
        #expect(rows.counts.repeatedImpressions == 1)
    }

    @Test func watchTimeWithinTheWindowAndBeforeTheCutoff() {
        let events = log([(0, 100 * day, .impression, 0), (0, 100 * day + hour, .positive, 0)])
        let watches = Watches(
            learner: [0, 0, 0, 0, 0, 0], course: [0, 0, 1, 0, 0, 0],
            time: [99 * day, 100 * day + 2 * hour, 101 * day, 127 * day, 128 * day, 130 * day],
            seconds: [1000, 10, 500, 7, 300, 900])
        // after the row's time, course 0, before day 128: 10 + 7
        #expect(builder(200 * day).rows(events, watches, hashes: [1]).watched == [17])
        // a cutoff at day 120 hides the second
        #expect(builder(120 * day).rows(events, watches, hashes: [1]).watched == [10])
    }

    @Test func weightFormula() {
        // 95 % quantile of 1…100 is 95; w = 1 + κ·log(1 + v)/log(96), at most 1 + κ
        let weights = WatchWeights(kappa: 2, watched: (1...100).map { Float($0) } + [0, 0, 0])
        #expect(weights.v95 == 95)
        #expect(weights.weight(watched: 0) == 1)
        #expect(weights.weight(watched: 95) == 3 && weights.weight(watched: 1e6) == 3)
        #expect(abs(weights.weight(watched: 8.797958971132712) - 2) < 1e-5)  // √96 − 1: half of the logarithm
        #expect(WatchWeights(kappa: 0, watched: [5]).weight(watched: 5) == 1)
        #expect(WatchWeights(kappa: 2, watched: []).weight(watched: 5) == 1)
        // weights 1, 1, 2: (Σw)²/Σw² = 16/6
        #expect(abs(WatchWeights.effectiveSampleSize([1, 1, 2]) - 16.0 / 6) < 1e-12)
    }

    @Test func earlierEngagementsExcludeTheDayItself() {
        let events = log([
            (0, 100 * day, .positive, 0), (1, 100 * day + 5, .positive, 0), (2, 101 * day, .positive, 0),
            (3, 105 * day, .positive, 0),
        ])
        #expect(builder(200 * day).rows(events, noWatches, hashes: [1]).earlier == [0, 0, 2, 3])
    }

    @Test func negativesAreDrawnWhereNothingWasShown() {
        // channel 0 has an impression, channel 1 has none: only the positive in channel 1 gets negatives; of the six
        // courses 0 and 1 were engaged with, 5 is published later, so 2, 3 and 4 are left for four draws
        let events = log([
            (0, 100 * day, .impression, 0), (0, 100 * day + 1, .positive, 0), (1, 101 * day, .positive, 1),
        ])
        let published: [Int64] = [.min, .min, .min, .min, .min, 150 * day]
        let rows = builder(200 * day, courses: 6, negatives: 4, published: published)
            .rows(events, noWatches, hashes: [1])
        #expect(rows.course[0...1] == [0, 1] && Set(rows.course[2...]).isSubset(of: [2, 3, 4]))
        #expect(rows.label == [1, 1, 0, 0, 0, 0])
        #expect(rows.drawn == [false, true, true, true, true, true])
        #expect(rows.time[2...].allSatisfy { $0 == 101 * day })
        // the three candidates count alike: the draws stand for 3, each for ¾, and mass·q = 3·⅓ = 1; for the positive,
        // put back among them, 4·¼ = 1
        #expect(rows.mass[2...].allSatisfy { abs($0 - 0.75) < 1e-6 })
        #expect(rows.offset.allSatisfy { abs($0) < 1e-6 })
        let again = builder(200 * day, courses: 6, negatives: 4, published: published)
            .rows(events, noWatches, hashes: [1])
        #expect(again == rows)
    }

    @Test func drawingByPopularityIsUndoneByOffsets() throws {
        // 400 learners take one course each, 300 of them course 0 and 100 course 1. With every course not taken as a
        // negative, course 0 has 300 ones and 100 zeros, course 1 has 100 and 300: their log odds (one-hot features,
        // hardly any penalty) differ by 2·log 3, however negatives are drawn.
        for alpha in [0.0, 0.5, 1.0] {
            var rules = RowRules()
            (rules.negatives, rules.negativeMass, rules.alpha) = (60, 20, alpha)
            let engagements = [300, 100] + [Int](repeating: 30, count: 60)
            let sampler = NegativeSampler(
                engagements: engagements, publishedAt: [Int64](repeating: .min, count: 62),
                retiredAt: [Int64](repeating: .max, count: 62), alpha: alpha)
            let rowBuilder = RowBuilder(rules: rules, cutoff: 200 * day, sampler: sampler)
            let taken = (0..<400).map { UInt32($0 % 4 == 3 ? 1 : 0) }
            let all = Engagements(
                learner: (0..<400).map { UInt32($0) }, course: taken, time: taken.indices.map { Int64($0) * 1000 },
                label: taken.map { _ in EngagementLabel.positive.rawValue }, kind: taken.map { _ in 0 },
                channel: taken.map { _ in 0 })
            let rows = rowBuilder.rows(all, noWatches, hashes: (0..<400).map { UInt64($0) * 7919 })
            let oneHot = SparseRows(
                columnCount: 62, offsets: Array(0...rows.count), columns: rows.course,
                values: rows.course.map { _ in 1 })
            let data = Examples(
                labels: rows.label, weights: rows.mass, offsets: rows.offset, groupings: [],
                bags: [FeatureBag(name: "c", table: oneHot)])
            let fit = try CoordinateDescent().fit(
                data, [Coordinate(name: "g", bags: ["c"], l2: 1e-4)], workers: Workers(count: 1))
            let b = fit.model.coefficients[0].values
            // the numbers of ones are exact; about 100 and 300 expected draws leave a deviation below 0.15
            #expect(abs(b[0] - b[1] - 2.1972) < 0.4, "alpha \(alpha): \(b[0] - b[1])")
        }
    }

    @Test func retiredCoursesAreNoCandidates() {
        // 12 courses of equal weight, 8 retired by the row's time, one of the others engaged with: 3 candidates, each with
        // q = 1/3, and a mass of 3. A drawn one stands for itself: −log(3·⅓) = 0. The engaged one, put back: 4·¼.
        // Course 11 is published after it was retired, and was never there.
        let sampler = NegativeSampler(
            engagements: [Int](repeating: 0, count: 12), publishedAt: [Int64](repeating: .min, count: 11) + [90],
            retiredAt: [Int64](repeating: 100, count: 7) + [Int64](repeating: .max, count: 4) + [80], alpha: 0)
        let rules = RowRules()
        for (time, count) in [(Int64(100), 3), (99, 10)] {
            let candidates = sampler.candidates(at: time, not: [7])
            #expect(candidates.count == count && abs(candidates.weight - Double(count)) < 1e-12)
            #expect(sampler.mass(rules, candidates) == Double(count))
            #expect(abs(sampler.offset(8, own: false, rules, candidates)) < 1e-6)
            #expect(abs(sampler.offset(7, own: true, rules, candidates)) < 1e-6)
        }
        // One of the retired was engaged with: it is not taken away twice.
        #expect(sampler.candidates(at: 100, not: [0, 7]).count == 3)
        let drawn = sampler.draw(rules, sampler.candidates(at: 100, not: [7]), at: 100, not: [7], hash: 1, course: 7)
        #expect(Set(drawn).isSubset(of: [8, 9, 10]) && !drawn.isEmpty)
    }

    @Test func decayedCountsOfEarlierDays() {
        // half-life 2 days; events of course 0 on days 10, 10 and 12; of course 1 on day 11
        let counts = DecayedCounts(courseCount: 3, courses: [0, 1, 0, 0], days: [10, 11, 12, 10], halfLife: 2)
        #expect(counts.value(course: 0, before: 10) == 0)  // the day itself does not count
        #expect(abs(counts.value(course: 0, before: 12) - 1) < 1e-12)  // 2 · ½
        #expect(abs(counts.value(course: 0, before: 14) - 1) < 1e-12)  // 2 · ¼ + 1 · ½
        #expect(abs(counts.value(course: 1, before: 13) - 0.5) < 1e-12)
        #expect(counts.value(course: 2, before: 99) == 0)
    }
}

@Suite struct RowsSinceTests {
    @Test func rowsOfAPriorAreNotCountedAgain() {
        // cutoffs 110 d and 200 d. Course 0: clicked on day 100. Course 1: shown on day 100, known to be a 0 a day later.
        // Course 2: shown an hour before day 110, clicked two hours later. Course 3: shown 12 h before, never clicked.
        let events = log([
            (0, 100 * day, .positive, 0), (1, 100 * day, .impression, 0), (2, 110 * day - hour, .impression, 0),
            (2, 110 * day + hour, .positive, 0), (3, 110 * day - 12 * hour, .impression, 0),
        ])
        var rules = RowRules()
        rules.negatives = 0
        func rows(_ cutoff: Int64, since: Int64) -> TrainingRows {
            rules.since = since
            let sampler = NegativeSampler(
                engagements: [0, 0, 0, 0], publishedAt: [Int64](repeating: .min, count: 4),
                retiredAt: [Int64](repeating: .max, count: 4), alpha: 0)
            return RowBuilder(rules: rules, cutoff: cutoff, sampler: sampler).rows(events, noWatches, hashes: [1])
        }
        let (before, after, all) = (
            rows(110 * day, since: .min), rows(200 * day, since: 110 * day), rows(200 * day, since: .min)
        )
        #expect(before.course == [0, 1] && before.label == [1, 0])
        #expect(after.course == [3, 2] && after.label == [0, 1])
        #expect(Set(all.course) == [0, 1, 2, 3] && all.count == before.count + after.count)
    }
}
