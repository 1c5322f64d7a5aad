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
        for i in moments.courses.indices where moments.times[i] < time {
            let (age, course) = (Double(time / day - moments.times[i] / day), Int(moments.courses[i]))
            for (k, halfLife) in [15.0, 90, 365].enumerated() { lists[k][course] += pow(2, -age / halfLife) }
            if age <= 28 { lists[3][course] += 1 }
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

    @Test func theFormulaByHand() {
        // Day 100. Course 0: 4 moments on day 10; course 1: 2 on day 85, 15 days before; course 2: 1 on the day itself.
        let moments = Moments(
            offsets: [0, 4, 6, 7], courses: [0, 0, 0, 0, 1, 1, 2],
            times: [Int64](repeating: 10 * day, count: 4) + [85 * day, 85 * day + 9, 100 * day])
        let activity = CourseActivity(courseCount: 3, shards: [moments])
        func scores(_ shares: [Double], _ time: Int64) -> [Float] {
            let part = LinearPart(
                newcomerShares: shares, trendOther: [0, 0, 0, 0], gamma: 0, decay: .init(age: 0, position: 0))
            let towers = Towers(courseCount: 3, parameters: smallParameters(), decay: part.decay)
            let identity = SparseRows(columnCount: 3, offsets: [0, 1, 2, 3], columns: [0, 1, 2], values: [1, 1, 1])
            return NCFAtTime(
                model: NCFModel(linear: part, towers: towers, alpha: 0, gammaFactor: 1),
                snapshot: CoWatchSnapshot(time: 0, similarity: identity, wide: .none), activity: activity, time: time,
                history: 100 * day, workers: Workers(count: 1)
            ).trendEmpty
        }
        func close(_ found: [Float], _ expected: [Double]) -> Bool {
            zip(found, expected).allSatisfy { abs(Double($0) - $1) < 1e-6 }
        }
        // Half-life 90: 4·½ = 2 and 2·2^(−1/6); the scale is their sum · 28·ln 2/90.
        let (a, b) = (2.0, 2 * pow(2, -15.0 / 90))
        let scale = (a + b) * 28 * log(2) / 90
        #expect(
            close(scores([0, 1, 0, 0], 100 * day), [log(1 + scale * a / (a + b)), log(1 + scale * b / (a + b)), 0]))
        #expect(close(scores([0, 0, 0, 1], 100 * day), [0, log(1 + scale), 0]))  // only course 1 within 28 days
        let both = scores([0, 0.75, 0, 0.25], 100 * day)
        #expect(close(both, [log(1 + scale * 0.75 * a / (a + b)), log(1 + scale * (0.75 * b / (a + b) + 0.25)), 0]))
        // A year on, nothing lies within 28 days: that list adds nothing.
        #expect(scores([0, 0, 0, 1], 465 * day) == [0, 0, 0])
        #expect(scores([0, 0, 1, 0], 465 * day).allSatisfy { $0 > 0 })
    }
}
