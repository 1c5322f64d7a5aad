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
        var scratch = MomentScratch()
        var at = 0
        for learner in 0..<learners {
            let start = at
            while at < watches.count && Int(watches.learner[at]) == learner { at += 1 }
            find(watches, rows: start..<at, thresholds, &scratch)
            if scratch.count > maxCoursesPerLearner {
                bots.append(learner)
            } else {
                scratch.append(watches, rows: start..<at, to: &result)
            }
            result.offsets.append(result.courses.count)
        }
        precondition(at == watches.count, "watches are not sorted by learner")
        return (result, bots)
    }

    /// Marks the rows of one learner at which a course became relevant.
    private func find(_ watches: Watches, rows: Range<Int>, _ thresholds: [Float], _ scratch: inout MomentScratch) {
        scratch.start(watches, rows)
        var i = 0
        while i < scratch.order.count {
            let course = Int(scratch.order[i] >> 32)
            var total: Float = 0
            var done = false
            while i < scratch.order.count, Int(scratch.order[i] >> 32) == course {
                let place = Int(UInt32(truncatingIfNeeded: scratch.order[i]))
                let seconds = watches.seconds[rows.lowerBound + place]
                if !seconds.isNaN { total += seconds }
                if !done && (seconds.isNaN ? keepsUnknown : total >= thresholds[course]) {
                    scratch.mark(place)
                    done = true
                }
                i += 1
            }
        }
    }
}

/// Buffers that the learners of a shard share.
private struct MomentScratch {
    /// Course << 32 | place among the learner's rows, ascending.
    var order: [UInt64] = []
    /// By place.
    private var isMoment: [Bool] = []
    private(set) var count = 0

    mutating func start(_ watches: Watches, _ rows: Range<Int>) {
        order.removeAll(keepingCapacity: true)
        isMoment.removeAll(keepingCapacity: true)
        count = 0
        for row in rows {
            order.append(UInt64(watches.course[row]) << 32 | UInt64(row - rows.lowerBound))
            isMoment.append(false)
        }
        if order.count > 64 { return order.sort() }
        order.withUnsafeMutableBufferPointer { order in
            for i in order.indices.dropFirst() {
                let key = order[i]
                var at = i
                while at > 0 && order[at - 1] > key {
                    order[at] = order[at - 1]
                    at -= 1
                }
                order[at] = key
            }
        }
    }

    mutating func mark(_ place: Int) {
        isMoment[place] = true
        count += 1
    }

    /// The marked rows by (time, course): rows ascend in time, so only those of one second may have to change places.
    func append(_ watches: Watches, rows: Range<Int>, to moments: inout Moments) {
        let first = moments.courses.count
        for row in rows where isMoment[row - rows.lowerBound] {
            let (time, course) = (watches.time[row], watches.course[row])
            var at = moments.courses.count
            moments.courses.append(course)
            moments.times.append(time)
            while at > first, (time, course) < (moments.times[at - 1], moments.courses[at - 1]) {
                moments.times.swapAt(at, at - 1)
                moments.courses.swapAt(at, at - 1)
                at -= 1
            }
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
