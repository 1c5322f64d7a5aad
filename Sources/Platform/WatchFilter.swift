import LinearAlgebra

/// The distribution of watch time, by duration bucket of the course: counts in bins of log seconds, so integer and
/// free of any order.
package struct WatchTimeHistogram: Sendable, Equatable {
    /// Upper ends in seconds of the first buckets; then longer, then unknown duration.
    package static let bucketEnds: [Float] = [300, 1_800, 7_200]
    package static let bucketNames = ["under 5 min", "under 30 min", "under 2 h", "longer", "unknown duration"]
    /// Bins are a 32nd of a natural logarithm wide and start at 1 s; the last one holds all above e^16 s.
    package static let binsPerUnit = 32
    package static let bins = 16 * binsPerUnit + 1
    /// A bucket with fewer watches takes the distribution of all.
    package static let leastWatches = 200

    /// `counts[bucket][bin]`
    package var counts: [[Int]]

    package init() {
        counts = [[Int]](
            repeating: [Int](repeating: 0, count: Self.bins), count: Self.bucketNames.count)
    }

    package static func bucket(duration: Float?) -> Int {
        guard let duration else { return bucketEnds.count + 1 }
        return bucketEnds.firstIndex { duration < $0 } ?? bucketEnds.count
    }

    package mutating func add(seconds: Float, duration: Float?) {
        if seconds.isNaN || seconds <= 0 { return }
        let bin = Int(Scalar.log(Double(max(seconds, 1))) * Double(Self.binsPerUnit))
        counts[Self.bucket(duration: duration)][min(bin, Self.bins - 1)] += 1
    }

    package mutating func add(_ other: WatchTimeHistogram) {
        for bucket in counts.indices {
            for bin in 0..<Self.bins { counts[bucket][bin] += other.counts[bucket][bin] }
        }
    }

    /// Lower end (seconds) of the bin in which the quantile lies; 0 for q = 0 or without any watch.
    package func quantile(_ q: Double, bucket: Int) -> Float {
        var bins = counts[bucket]
        if bins.reduce(0, +) < Self.leastWatches {
            bins = (0..<Self.bins).map { bin in counts.reduce(0) { $0 + $1[bin] } }
        }
        let total = bins.reduce(0, +)
        if q <= 0 || total == 0 { return 0 }
        var seen = 0
        for bin in 0..<Self.bins {
            seen += bins[bin]
            if Double(seen) >= q * Double(total) { return Self.lowerEnd(bin) }
        }
        return Self.lowerEnd(Self.bins - 1)
    }

    /// Seconds at which a bin starts.
    package static func lowerEnd(_ bin: Int) -> Float { Float(Scalar.exp(Double(bin) / Double(binsPerUnit))) }
}

/// From which total watch time on a course counts as relevant to a learner (docs/watch-filter.md).
package struct WatchFilter: Sendable, Equatable {
    package var minSeconds: Float
    package var minFraction: Float
    /// Seconds, by duration bucket: the quantile of the watch time distribution.
    package var quantileSeconds: [Float]
    /// Whether a watch without watch time counts at once.
    package var keepsUnknown: Bool
    package var maxCoursesPerLearner: Int

    package init(
        minSeconds: Float, minFraction: Float, quantileSeconds: [Float], keepsUnknown: Bool, maxCoursesPerLearner: Int
    ) {
        precondition(quantileSeconds.count == WatchTimeHistogram.bucketNames.count)
        (self.minSeconds, self.minFraction, self.quantileSeconds) = (minSeconds, minFraction, quantileSeconds)
        (self.keepsUnknown, self.maxCoursesPerLearner) = (keepsUnknown, maxCoursesPerLearner)
    }

    /// The largest of the three thresholds, in seconds.
    package func threshold(duration: Float?) -> Float {
        max(minSeconds, minFraction * (duration ?? 0), quantileSeconds[WatchTimeHistogram.bucket(duration: duration)])
    }

    /// When each course became relevant: the time of the watch with which its learner's total first reached the
    /// threshold. Learners with more than `maxCoursesPerLearner` moments get none.
    /// - Parameters:
    ///   - watches: rows of one shard, those of a learner together and ascending in time.
    ///   - thresholds: by course, seconds.
    /// - Returns: the moments, and the learners (rows) that were taken for bots.
    package func moments(_ watches: Watches, learners: Int, thresholds: [Float]) -> (Moments, bots: [Int]) {
        var result = Moments(offsets: [0], courses: [], times: [])
        result.offsets.reserveCapacity(learners + 1)
        var bots: [Int] = []
        var at = 0
        for learner in 0..<learners {
            let start = at
            while at < watches.count && Int(watches.learner[at]) == learner { at += 1 }
            let found = moments(of: watches, rows: start..<at, thresholds)
            if found.count > maxCoursesPerLearner {
                bots.append(learner)
            } else {
                for moment in found {
                    result.courses.append(moment.course)
                    result.times.append(moment.time)
                }
            }
            result.offsets.append(result.courses.count)
        }
        precondition(at == watches.count, "watches are not sorted by learner")
        return (result, bots)
    }

    /// Times of the watches that pass the filter: with which, or after which, the learner's total of the course reaches
    /// the threshold, and of those without watch time where these count. A course that is watched on counts on: this is
    /// the measure of how much goes on, by which cuts are chosen. Learners taken for bots have none.
    /// - Parameters: as for `moments`.
    /// - Returns: unordered.
    package func relevantTimes(_ watches: Watches, learners: Int, thresholds: [Float]) -> [Int64] {
        var times: [Int64] = []
        var at = 0
        for learner in 0..<learners {
            let start = at
            while at < watches.count && Int(watches.learner[at]) == learner { at += 1 }
            let rows = relevantRows(of: watches, rows: start..<at, thresholds)
            let courses = Set(rows.lazy.map { watches.course[$0] }).count
            if courses <= maxCoursesPerLearner { times += rows.map { watches.time[$0] } }
        }
        return times
    }

    private func moments(
        of watches: Watches, rows: Range<Int>, _ thresholds: [Float]
    ) -> [(time: Int64, course: UInt32)] {
        var found: [(time: Int64, course: UInt32)] = []
        for row in relevantRows(of: watches, rows: rows, thresholds) where watches.course[row] != found.last?.course {
            found.append((watches.time[row], watches.course[row]))
        }
        return found.sorted { ($0.time, $0.course) < ($1.time, $1.course) }
    }

    /// One learner's rows that pass the filter, by course, then time.
    private func relevantRows(of watches: Watches, rows: Range<Int>, _ thresholds: [Float]) -> [Int] {
        var (total, last): (Float, UInt32?) = (0, nil)
        return rows.sorted { (watches.course[$0], $0) < (watches.course[$1], $1) }.filter { row in
            let (course, seconds) = (watches.course[row], watches.seconds[row])
            if course != last { (total, last) = (0, course) }
            if seconds.isNaN { return keepsUnknown }
            total += seconds
            return total >= thresholds[Int(course)]
        }
    }
}

extension TimeWindows {
    /// The automatic label window (docs/time.md): 28 days, doubled while fewer than 300 learners have a moment in the
    /// last window and twice the window is at most a fifth of the span; where a fifth of the span is under 28 days,
    /// that fifth in whole days.
    /// - Parameters:
    ///   - learnersWithMoment: learners with a moment in `[T − w, T)`, asked for growing w (seconds).
    /// - Returns: seconds; 0 if the logs span less than five days.
    package static func automaticLabelWindow(
        span: Int64, learnersWithMoment: (Int64) throws -> Int
    ) rethrows -> Int64 {
        let day = CourseActivity.secondsPerDay
        let fifth = span / 5
        if fifth < 28 * day { return fifth / day * day }
        var window = 28 * day
        while 2 * window <= fifth, try learnersWithMoment(window) < 300 { window *= 2 }
        return window
    }
}
