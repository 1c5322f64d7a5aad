import LinearAlgebra

/// The distribution of watch time, by duration bucket of the course: counts in bins of log seconds, so integer and
/// free of any order.
package struct WatchTimeHistogram: Codable, Sendable, Equatable {
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
        forEachLearner(watches, learners: learners, thresholds) { learner, rows, found in
            if found.courses > maxCoursesPerLearner {
                bots.append(learner)
            } else {
                found.appendFirst(watches, rows: rows, to: &result)
            }
            result.offsets.append(result.courses.count)
        }
        return (result, bots)
    }

    /// Times of the watches that pass the filter: with which, or after which, the learner's total of the course reaches
    /// the threshold, and of those without watch time where these count. A course that is watched on counts on: this is
    /// the measure of how much goes on, by which cuts are chosen. Learners taken for bots have none.
    /// - Parameters: as for `moments`.
    /// - Returns: unordered.
    package func relevantTimes(_ watches: Watches, learners: Int, thresholds: [Float]) -> [Int64] {
        var times: [Int64] = []
        forEachLearner(watches, learners: learners, thresholds) { _, rows, found in
            if found.courses > maxCoursesPerLearner { return }
            for row in rows where found.passes(row - rows.lowerBound) { times.append(watches.time[row]) }
        }
        return times
    }

    private func forEachLearner(
        _ watches: Watches, learners: Int, _ thresholds: [Float], _ body: (Int, Range<Int>, RelevantRows) -> Void
    ) {
        var found = RelevantRows()
        var at = 0
        for learner in 0..<learners {
            let start = at
            while at < watches.count && watches.learner[at] == UInt32(learner) { at += 1 }
            find(watches, rows: start..<at, thresholds, &found)
            body(learner, start..<at, found)
        }
        precondition(at == watches.count, "watches are not sorted by learner")
    }

    /// Marks the rows of one learner that pass the filter.
    private func find(_ watches: Watches, rows: Range<Int>, _ thresholds: [Float], _ found: inout RelevantRows) {
        found.start(watches, rows)
        var (total, last): (Float, UInt32?) = (0, nil)
        for at in 0..<rows.count {
            let (course, place) = found.byCourse(at)
            let seconds = watches.seconds[rows.lowerBound + place]
            if course != last { (total, last) = (0, course) }
            if seconds.isNaN {
                if keepsUnknown { found.mark(place, course) }
            } else {
                total += seconds
                if total >= thresholds[Int(course)] { found.mark(place, course) }
            }
        }
    }
}

/// The rows of one learner that pass the filter; its buffers are used again for the next.
private struct RelevantRows {
    private enum Mark: UInt8 {
        case none
        /// The first of its course: a moment.
        case first
        case further
    }

    /// Course << 32 | place among the learner's rows, ascending.
    private var order: [UInt64] = []
    /// By place.
    private var marks: [Mark] = []
    private var last: UInt32?
    /// Courses with a moment.
    private(set) var courses = 0

    mutating func start(_ watches: Watches, _ rows: Range<Int>) {
        order.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
        (courses, last) = (0, nil)
        for row in rows {
            order.append(UInt64(watches.course[row]) << 32 | UInt64(row - rows.lowerBound))
            marks.append(.none)
        }
        if order.count > 64 { return order.sort() }
        // Insertion: most learners have a few dozen rows.
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

    @inline(__always)
    func byCourse(_ at: Int) -> (course: UInt32, place: Int) {
        (UInt32(truncatingIfNeeded: order[at] >> 32), Int(UInt32(truncatingIfNeeded: order[at])))
    }

    /// Courses come one after the other.
    mutating func mark(_ place: Int, _ course: UInt32) {
        marks[place] = course == last ? .further : .first
        if course != last { courses += 1 }
        last = course
    }

    func passes(_ place: Int) -> Bool { marks[place] != .none }

    /// The moments by (time, course): rows ascend in time, so only those of one second may have to change places.
    func appendFirst(_ watches: Watches, rows: Range<Int>, to moments: inout Moments) {
        let first = moments.courses.count
        for row in rows where marks[row - rows.lowerBound] == .first {
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
