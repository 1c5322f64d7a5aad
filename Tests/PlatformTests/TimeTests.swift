// Proves windows, moments, the watch filter and course activity on cases worked out by hand.

import LinearAlgebra
import Platform
import Testing

private let day: Int64 = 86_400

@Suite struct TimeWindowsTests {
    @Test func snapshotsByHand() {
        // T = day 100, labels 10 days, stride 7: t_v = 90; fit 80, 73, 66, …; refit 90, 83, 76, …; nothing before day 60.
        let windows = TimeWindows(
            asOf: 100 * day, history: 365 * day, labelWindow: 10 * day, stride: 7 * day, snapshots: 5,
            firstMoment: 60 * day)
        #expect(windows.validation == 90 * day)
        #expect(windows.fitSnapshots == [80, 73, 66].map { $0 * day })
        #expect(windows.refitSnapshots == [90, 83, 76, 69, 62].map { $0 * day })
        #expect(windows.cowatchTimes == [62, 66, 69, 73, 76, 80, 83, 90, 100].map { $0 * day })
    }

    @Test func automaticLabelWindow() {
        func window(_ spanDays: Int64, _ learners: [Int64: Int]) -> Int64 {
            TimeWindows.automaticLabelWindow(span: spanDays * day) { learners[$0 / day] ?? 1_000 } / day
        }
        #expect(window(100, [:]) == 20)  // a fifth of the span is under 28 days
        #expect(window(1_000, [:]) == 28)  // enough learners
        #expect(window(1_000, [28: 10, 56: 20, 112: 30]) == 112)  // 224 would be more than 200
        #expect(window(1_000, [28: 10, 56: 300]) == 56)
    }
}

@Suite struct EventQuantilesTests {
    @Test func quantilesOfEvents() {
        let events = EventQuantiles(times: [50, 10, 20, 20, 30, 40, 60, 70, 80, 90])
        #expect(events.cut(0) == 10 && events.cut(0.1) == 20 && events.cut(0.2) == 20 && events.cut(0.35) == 30)
        #expect(events.cut(0.39) == 30 && events.cut(0.5) == 50 && events.cut(0.7) == 70 && events.cut(0.99) == 90)
        // One event before 20, three before 25: half of ten more.
        #expect(events.end(from: 20, share: 0.5) == 60 && events.end(from: 25, share: 0.5) == 80)
        #expect(events.end(from: 25, share: 0.69) == 90 && events.end(from: 25, share: 0.7) == nil)
        #expect(events.end == 91 && events.count(before: 20) == 1 && events.count(before: 21) == 3)
    }
}

@Suite struct MomentsTests {
    @Test func ranges() {
        let moments = Moments(offsets: [0, 0, 4], courses: [3, 1, 2, 0], times: [10, 20, 20, 30])
        #expect(moments.range(0, from: 0, to: 100).isEmpty)
        #expect(moments.range(1, from: 20, to: 30) == 1..<3)
        #expect(moments.range(1, from: 31, to: 99).isEmpty)
        #expect(moments.range(1, from: 0, to: 99) == 0..<4)
    }
}

@Suite struct ColumnTests {
    private final class Owner: Sendable {}

    /// A column in a file reads like an array; one that is written to is a copy, and the file stays as it was.
    @Test func mappedReadsAndCopiesOnWrite() {
        let memory = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: 3)
        defer { memory.deallocate() }
        _ = memory.initialize(from: [7, 8, 9])
        let mapped = Column<UInt32>(mapped: UnsafeBufferPointer(memory), owner: Owner())
        #expect(mapped.count == 3 && mapped[2] == 9 && Array(mapped[1..<3]) == [8, 9] && mapped.array == [7, 8, 9])
        #expect(mapped.withUnsafeBufferPointer { $0.baseAddress == UnsafePointer(memory.baseAddress!) })
        var copy = mapped
        copy[0] = 1
        copy.append(2)
        copy += [3]
        #expect(copy == [1, 8, 9, 2, 3] && mapped == [7, 8, 9] && memory[0] == 7)
    }
}

@Suite struct WatchFilterTests {
    private func filter(keepsUnknown: Bool = true, max: Int = 100) -> WatchFilter {
        WatchFilter(
            minSeconds: 30, minFraction: 0.5, quantileSeconds: [0, 0, 0, 0, 40], keepsUnknown: keepsUnknown,
            maxCoursesPerLearner: max)
    }

    /// Learner 0 reaches 50 s on course 0 with its second session; learner 1's row without watch time counts at once;
    /// course 1 is never watched long enough.
    private let watches = Watches(
        learner: [0, 0, 0, 1], course: [0, 1, 0, 0], time: [1, 2, 3, 4], seconds: [30, 20, 20, .nan])

    @Test func totalsOverSessions() {
        let thresholds: [Float] = [100, nil].map { filter().threshold(duration: $0) }
        #expect(thresholds == [50, 40])
        let (moments, bots) = filter().moments(watches, learners: 3, thresholds: thresholds)
        #expect(moments == Moments(offsets: [0, 1, 2, 2], courses: [0, 0], times: [3, 4]))
        #expect(bots.isEmpty)
    }

    @Test func unknownDroppedAndBots() {
        let (dropped, _) = filter(keepsUnknown: false).moments(watches, learners: 2, thresholds: [50, 40])
        #expect(dropped.courses == [0])
        let (none, bots) = filter(max: 0).moments(watches, learners: 2, thresholds: [50, 40])
        #expect(none.courses.isEmpty && bots == [0, 1])
    }

    /// Course 0 counts on once 50 s are reached; a row without watch time counts for itself alone.
    @Test func relevantTimesByHand() {
        let more = Watches(
            learner: [0, 0, 0, 0, 1, 1], course: [0, 1, 0, 0, 0, 0], time: [1, 2, 3, 4, 5, 6],
            seconds: [30, 20, 20, 1, .nan, 10])
        let times = filter().relevantTimes(more, learners: 2, thresholds: [50, 40])
        #expect(times.sorted() == [3, 4, 5])
        #expect(filter(max: 0).relevantTimes(more, learners: 2, thresholds: [50, 40]).isEmpty)
    }

    /// 300 watches of 10 s and 100 of 1,000 s on short courses: the median bin starts within a 32nd of a log of 10 s.
    @Test func quantile() {
        var histogram = WatchTimeHistogram()
        for _ in 0..<300 { histogram.add(seconds: 10, duration: 100) }
        for _ in 0..<100 { histogram.add(seconds: 1_000, duration: 100) }
        let median = histogram.quantile(0.5, bucket: 0)
        #expect(median <= 10 && median > 10 * Float(Scalar.exp(-1.0 / 32)))
        #expect(histogram.quantile(0.9, bucket: 0) > 960)
        // A bucket with few watches takes the distribution of all.
        #expect(histogram.quantile(0.5, bucket: 3) == median)
        #expect(histogram.quantile(0, bucket: 0) == 0)
    }
}

@Suite struct CourseActivityTests {
    @Test func countsByDayExclusive() {
        let shard = Moments(offsets: [0, 4], courses: [1, 0, 1, 1], times: [-1, 5 * day, 5 * day + 9, 7 * day])
        let activity = CourseActivity(courseCount: 2, shards: [shard, shard])
        #expect(activity.days == [-1, 5, 7])
        #expect(activity.courses == [1, 0, 1, 1] && activity.counts == [2, 2, 2, 2])
        #expect(activity.total(to: 7) == [2, 4])
        #expect(activity.total(from: 5, to: 8) == [2, 4])
        // Sorted in parts that fall anywhere among the eight moments.
        for batch in 1...9 {
            #expect(CourseActivity(courseCount: 2, shards: [shard, shard], batch: batch) == activity)
        }
        // Half-life 2 days, from day 7: day 5 counts half, day −1 counts 1/16, day 7 itself nothing.
        let decayed = activity.decayed(before: 7, halfLife: 2)
        #expect(abs(decayed[0] - 1) < 1e-12 && abs(decayed[1] - (1 + 2.0 / 16)) < 1e-12)
        #expect(activity.decayed(before: 8, halfLife: .infinity) == [2, 6])
    }
}

@Suite struct LearnerHashTests {
    /// FNV-1a-64 of "a" is af63dc4c8601ec8c (the reference's table); fmix64 of it computed with Python integers.
    @Test func knownValues() {
        #expect(LearnerHash.of("".utf8) == fmix(0xcbf2_9ce4_8422_2325))
        #expect(LearnerHash.of("a".utf8) == fmix(0xaf63_dc4c_8601_ec8c))
        #expect(LearnerHash.of("a".utf8) == 0x82a2_a958_a9be_ce5b)
        #expect(LearnerHash.automaticShards(learners: 200_000) == 16)
        #expect(LearnerHash.automaticShards(learners: 16 * 16_384 + 1) == 32)
    }

    private func fmix(_ value: UInt64) -> UInt64 {
        var h = value
        for factor: UInt64 in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] { h = (h ^ (h >> 33)) &* factor }
        return h ^ (h >> 33)
    }
}
