// The trend of empty contexts: its formula by hand; its shares against planted newcomers, and against the objective by
// plain loops, whose maximum they must be.
import Foundation
import LinearAlgebra
import NeuralCF
import Platform
import Testing

@Suite struct NewcomerTests {
    /// Learners who come before `firstNewcomer` watch old courses (0…9), in the last weeks 10…19; then newcomers take five of
    /// either, as the test plants it.
    private struct Platform {
        var newcomers: Range<UInt32>
        let start: Int64 = 100 * day

        var data: NCFData {
            var random = RandomKey(seed: 3, purpose: "newcomers").stream()
            var moments = Moments(offsets: [0], courses: [], times: [])
            func learner(_ count: Int, _ courses: Range<UInt32>, _ days: Range<Int64>) {
                var taken = Array(courses)
                random.shuffle(&taken)
                let times = (0..<count).map { _ in
                    (days.lowerBound + Int64(random.below(days.count))) * day + Int64(random.below(86_400))
                }
                moments.courses += taken.prefix(count)
                moments.times += times.sorted()
                moments.offsets.append(moments.courses.count)
            }
            for _ in 0..<400 { learner(6, 0..<10, 10..<60) }
            for _ in 0..<80 { learner(6, 10..<20, 86..<100) }
            for _ in 0..<600 { learner(5, newcomers, 101..<119) }
            let identity = SparseRows(
                columnCount: 20, offsets: Array(0...20), columns: (0..<20).map { UInt32($0) },
                values: [Float](repeating: 1, count: 20))
            return NCFData(
                courseCount: 20, shards: [moments], hashes: [(0..<moments.learnerCount).map { UInt64($0) }],
                snapshots: [CoWatchSnapshot(time: start, similarity: identity, wide: .none)])
        }

        func fit() -> LinearPart {
            let windows = TimeWindows(
                asOf: start + 20 * day, history: 365 * day, labelWindow: 20 * day, stride: 28 * day, snapshots: 1,
                firstMoment: 0)
            let source = ExampleSource(
                data: data, snapshotCuts: [start], end: start + 20 * day, windows: windows,
                parameters: smallParameters())
            return LinearFit(source: source, workers: Workers(count: 2)).fit()
        }
    }

    @Test func newcomersWhoFollowTheLastWeeksMoveTheSharesThere() {
        let recent = Platform(newcomers: 10..<20).fit().newcomerShares
        let old = Platform(newcomers: 0..<10).fit().newcomerShares
        #expect(abs(recent.reduce(0, +) - 1) < 1e-12 && abs(old.reduce(0, +) - 1) < 1e-12)
        // Lists: half-lives of 15, 90, 365 days, the last 28 days. 600 learners against a prior of 100.
        #expect(recent[3] > 0.5 && recent[2] < 0.1, "\(recent)")
        #expect(old[2] > 0.5 && old[3] < 0.1, "\(old)")
    }

    @Test func sharesAreTheMostProbable() {
        let platform = Platform(newcomers: 5..<15)
        let (data, found) = (platform.data, platform.fit().newcomerShares)
        let best = objective(found, data, at: platform.start)
        for i in 0..<4 {
            for j in 0..<4 where i != j && found[j] > 0.01 {
                var other = found
                other[i] += 0.01
                other[j] -= 0.01
                #expect(objective(other, data, at: platform.start) < best, "from \(j) to \(i): \(found)")
            }
        }
    }

    /// Σ over newcomers of the mean log probability of their courses, one in a hundred of it even over all 20, plus the log
    /// of the Dirichlet prior (100 learners, even).
    private func objective(_ shares: [Double], _ data: NCFData, at time: Int64) -> Double {
        let moments = data.shards[0]
        var lists = [[Double]](repeating: .init(repeating: 0, count: 20), count: 4)
        for learner in 0..<moments.learnerCount {
            let known = moments.range(learner).filter { moments.times[$0] < time }
            let ages = known.map { Double(time / day - moments.times[$0] / day) }
            let recent = ages.count { $0 <= 28 }
            for (at, age) in zip(known, ages) {
                let course = Int(moments.courses[at])
                for (k, halfLife) in [15.0, 90, 365].enumerated() {
                    lists[k][course] += pow(2, -age / halfLife) / sqrt(Double(known.count))
                }
                if age <= 28 { lists[3][course] += 1 / sqrt(Double(recent)) }
            }
        }
        for k in 0..<4 {
            let total = lists[k].reduce(0, +)
            lists[k] = lists[k].map { $0 / total }
        }
        var sum = shares.reduce(0) { $0 + 25 * log($1) }
        for learner in 0..<moments.learnerCount {
            let range = moments.range(learner)
            if moments.times[range.lowerBound] < time { continue }
            for at in range {
                let course = Int(moments.courses[at])
                let mixture = (0..<4).reduce(0) { $0 + shares[$1] * lists[$1][course] }
                sum += log(0.99 * mixture + 0.01 / 20) / Double(range.count)
            }
        }
        return sum
    }

    private func trendOfNewcomers(_ shards: [Moments], _ courses: Int, _ shares: [Double], _ time: Int64) -> [Float] {
        let part = LinearPart(
            newcomerShares: shares, trendOther: [0, 0, 0, 0], gamma: 0, decay: .init(age: 0, position: 0))
        let towers = Towers(courseCount: courses, parameters: smallParameters(), decay: part.decay)
        let identity = SparseRows(
            columnCount: courses, offsets: Array(0...courses), columns: (0..<courses).map { UInt32($0) },
            values: [Float](repeating: 1, count: courses))
        return NCFAtTime(
            model: NCFModel(linear: part, towers: towers, alpha: 0, gammaFactor: 1),
            snapshot: CoWatchSnapshot(time: .min, similarity: identity, wide: .none),
            watched: WatchHistory(courseCount: courses, shards: shards), time: time,
            history: 100 * day, workers: Workers(count: 1)
        ).trendEmpty
    }

    @Test func theFormulaByHand() {
        // Day 100. One learner took course 0 four times on day 10 (so it counts 4/√4 = 2), one course 1 twice on day 85
        // (√2), one course 0 on day 60 and course 1 on day 90: 1/√2 each, but 1 within 28 days, where he took only one. The
        // moment on day 100 itself does not count.
        let moments = Moments(
            offsets: [0, 4, 6, 8, 9], courses: [0, 0, 0, 0, 1, 1, 0, 1, 2],
            times: [Int64](repeating: 10 * day, count: 4) + [85 * day, 85 * day + 9, 60 * day, 90 * day, 100 * day])
        func scores(_ shares: [Double], _ time: Int64) -> [Float] { trendOfNewcomers([moments], 3, shares, time) }
        func close(_ found: [Float], _ expected: [Double]) -> Bool {
            zip(found, expected).allSatisfy { abs(Double($0) - $1) < 1e-6 }
        }
        let (a, b) = (1 + pow(2, -40.0 / 90) / sqrt(2), sqrt(2) * pow(2, -15.0 / 90) + pow(2, -10.0 / 90) / sqrt(2))
        // All moments by the half-life of 90 days, not their roots, · 28·ln 2/90.
        let all = 4 * 0.5 + 2 * pow(2, -15.0 / 90) + pow(2, -40.0 / 90) + pow(2, -10.0 / 90)
        let scale = all * 28 * log(2) / 90
        #expect(
            close(scores([0, 1, 0, 0], 100 * day), [log(1 + scale * a / (a + b)), log(1 + scale * b / (a + b)), 0]))
        #expect(close(scores([0, 0, 0, 1], 100 * day), [0, log(1 + scale), 0]))  // only course 1 within 28 days
        let both = scores([0, 0.75, 0, 0.25], 100 * day)
        #expect(close(both, [log(1 + scale * 0.75 * a / (a + b)), log(1 + scale * (0.75 * b / (a + b) + 0.25)), 0]))
        // A year on, nothing lies within 28 days: that list adds nothing.
        #expect(scores([0, 0, 0, 1], 465 * day) == [0, 0, 0])
        #expect(scores([0, 0, 1, 0], 465 * day).allSatisfy { $0 > 0 })
    }

    /// Learners of one to forty moments, some in one afternoon, before and after 1970, in two shards.
    @Test func countsOfEveryDayAreThoseOfPlainLoops() {
        var random = RandomKey(seed: 9, purpose: "learner counts").stream()
        let shards = (0..<2).map { _ in
            var moments = Moments(offsets: [0], courses: [], times: [])
            for learner in 0..<40 {
                var taken = Array(UInt32(0)..<50)
                random.shuffle(&taken)
                let (first, days) = (random.below(60) - 20, learner % 3 == 0 ? 1 : 80)
                let count = 1 + random.below(40)
                moments.courses += taken.prefix(count)
                moments.times += (0..<count).map { _ in Int64(first + random.below(days)) * day + 7 }.sorted()
                moments.offsets.append(moments.courses.count)
            }
            return moments
        }
        let part = LinearPart(
            newcomerShares: [0.3, 0.1, 0.2, 0.4], trendOther: [0, 0, 0, 0], gamma: 0, decay: .init(age: 0, position: 0))
        let towers = Towers(courseCount: 50, parameters: smallParameters(), decay: part.decay)
        let identity = SparseRows(columnCount: 50, offsets: [Int](repeating: 0, count: 51), columns: [], values: [])
        let twin = ReferenceNCF(
            towers: towers, linear: part, snapshot: CoWatchSnapshot(time: .min, similarity: identity, wide: .none),
            moments: shards, courseCount: 50)
        for on in stride(from: Int64(-25), to: 200, by: 3) {
            let found = trendOfNewcomers(shards, 50, part.newcomerShares, on * day + 80_000)
            let expected = twin.trend(on * day + 80_000, empty: true)
            for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 1e-6, "day \(on): \(a), \(b)") }
        }
    }
}
