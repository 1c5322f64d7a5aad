import Platform
import ShardKinds
import Shards
import StageKit

/// The `filter` section.
struct FilterSettings {
    let minSeconds: Float
    let minFraction: Float
    let quantile: Double
    let keepsUnknown: Bool
    let maxCourses: Int
    let history: Int64
    let stride: Int64
    let snapshots: Int
    /// nil: automatic.
    let labelWindow: Int64?

    init(_ slice: Slice) {
        minSeconds = Float(slice.number("filter.min_seconds"))
        minFraction = Float(slice.number("filter.min_fraction"))
        quantile = slice.number("filter.quantile")
        keepsUnknown = slice.text("filter.unknown_watch_time") == "keep"
        maxCourses = slice.integer("filter.max_courses_per_learner")
        history = slice.seconds("filter.history")!
        stride = slice.seconds("filter.stride")!
        snapshots = slice.integer("filter.snapshots")
        labelWindow = slice.seconds("filter.label_window")
    }
}

/// Watches by shard that may be learnt from, read from disk on every pass: memory does not grow with learners.
struct WatchSource {
    let logs: StageInput
    let duration: [Float?]
    let stage: StageRun
    let shards: Int
    private let suppressions: Suppressions

    init(logs: StageInput, duration: [Float?], stage: StageRun) throws {
        (self.logs, self.duration, self.stage) = (logs, duration, stage)
        suppressions = try logs.generalSuppressions()
        shards = logs.names("learners").count
    }

    func ids(_ shard: Int, rows: [Int]) throws -> [String] {
        if rows.isEmpty { return [] }
        let ids = try LogsShards.learners(logs.shard(LogsShards.learners(shard, of: shards))).ids
        return rows.map { ids[$0] }
    }

    func watches(_ shard: Int) throws -> (Watches, learners: Int) {
        let learners = logs.manifest.outputs[LogsShards.learners(shard, of: shards)]?.rows ?? 0
        let watches = try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards)))
        return (try logs.trainingBans(shard, of: shards, general: suppressions).rest(of: watches), learners)
    }
}

/// What the stage decided: filter, times, and the histogram they came from.
struct Decision {
    let filter: WatchFilter
    let histogram: WatchTimeHistogram
    let windows: TimeWindows
    /// Learners with a moment in `[t_v, T)`.
    let validationLearners: Int

    func thresholds(_ duration: [Float?]) -> [Float] { duration.map(filter.threshold) }
}

/// Thresholds come from before t_v, t_v from the label window, and an automatic label window from moments, which
/// depend on the thresholds: so each candidate window is tried with its own thresholds. The first candidate is measured
/// together with the whole, in the same two passes over the watches; on large logs no other is needed.
func chooseWindows(_ source: WatchSource, _ settings: FilterSettings, asOf: Int64) throws -> Decision {
    let firstGuess = settings.labelWindow ?? 28 * CourseActivity.secondsPerDay
    var measured = try measure(source, settings, windows: [0, firstGuess], asOf: asOf)
    func measurement(_ window: Int64) throws -> Measured {
        if measured[window] == nil {
            measured.merge(try measure(source, settings, windows: [window], asOf: asOf)) { $1 }
        }
        return measured[window]!
    }
    let everything = try measurement(0)
    guard let first = everything.first, let last = everything.last else {
        throw LecternError.data("\(source.logs.folder): no watch before \(Moment.text(asOf)) passes the filter")
    }
    let window =
        try settings.labelWindow
        ?? TimeWindows.automaticLabelWindow(span: last - first) { window in try measurement(window).learners }
    // Thresholds of the chosen window, not those from before T, say which moments there are.
    let chosen = try measurement(window)
    guard let first = chosen.first, let last = chosen.last else {
        throw LecternError.data(
            "\(source.logs.folder): no watch passes the filter, whose thresholds are from before "
                + Moment.text(asOf - window))
    }
    if window <= 0 || last - first < 2 * window {
        throw tooShort(source, first: first, last: last, asOf: asOf)
    }
    guard chosen.learners > 0 else {
        throw LecternError.data(
            "\(source.logs.folder): no learner has a moment in the validation window, the \(text(window)) before "
                + "\(Moment.text(asOf)); moments span \(text(last - first)), the newest is \(Moment.text(last)): "
                + (remedy(first: first, last: last, asOf: asOf) ?? "move run.as_of"))
    }
    let windows = TimeWindows(
        asOf: asOf, history: settings.history, labelWindow: window, stride: settings.stride,
        snapshots: settings.snapshots, firstMoment: first)
    return Decision(
        filter: chosen.filter, histogram: chosen.histogram, windows: windows, validationLearners: chosen.learners)
}

private func tooShort(_ source: WatchSource, first: Int64, last: Int64, asOf: Int64) -> LecternError {
    .data(
        "\(source.logs.folder): the moments before T span \(text(last - first)), less than two label windows; "
            + (remedy(first: first, last: last, asOf: asOf) ?? "longer logs are needed, or a later run.as_of"))
}

/// The label window that would fit: with the newest moment in it, and half of what the moments span at most.
private func remedy(first: Int64, last: Int64, asOf: Int64) -> String? {
    for unit in [CourseActivity.secondsPerDay, 3600, 60] {
        let least = ((asOf - last) / unit + 1) * unit
        let most = (last - first) / 2 / unit * unit
        if least <= most {
            return "filter.label_window \(text(min(most, max(least, (last - first) / 5 / unit * unit)))) would fit"
        }
    }
    return nil
}

/// `28d`, `5h`: in the largest unit that has no rest.
private func text(_ seconds: Int64) -> String {
    for (unit, name) in [(CourseActivity.secondsPerDay, "d"), (3600, "h"), (60, "m")] where seconds % unit == 0 {
        return "\(seconds / unit)\(name)"
    }
    return seconds > CourseActivity.secondsPerDay ? "\(seconds / CourseActivity.secondsPerDay)d" : "\(seconds)s"
}

private struct MeasuredShard: Codable {
    var first: Int64?
    var last: Int64?
    var learners: Int
}

private struct Measured {
    var filter: WatchFilter
    var histogram: WatchTimeHistogram
    var first: Int64?
    var last: Int64?
    /// Learners with a moment in the label window.
    var learners: Int
}

/// By label window w: the filter from watches before T − w, and the moments that it finds.
private func measure(
    _ source: WatchSource, _ settings: FilterSettings, windows: [Int64], asOf: Int64
) throws -> [Int64: Measured] {
    let histograms = try histograms(source, ends: windows.map { asOf - $0 })
    let filters = histograms.map { histogram in
        WatchFilter(
            minSeconds: settings.minSeconds, minFraction: settings.minFraction,
            quantileSeconds: WatchTimeHistogram.bucketNames.indices.map {
                histogram.quantile(settings.quantile, bucket: $0)
            },
            keepsUnknown: settings.keepsUnknown, maxCoursesPerLearner: settings.maxCourses)
    }
    let thresholds = filters.map { source.duration.map($0.threshold) }
    let parts = try source.stage.deal(source.shards) { shard in
        let (watches, learners) = try source.watches(shard)
        return windows.indices.map { i in
            let (moments, _) = filters[i].moments(watches, learners: learners, thresholds: thresholds[i])
            let active = (0..<learners).count { !moments.range($0, from: asOf - windows[i], to: asOf).isEmpty }
            return MeasuredShard(first: moments.times.min(), last: moments.times.max(), learners: active)
        }
    }
    var measured: [Int64: Measured] = [:]
    for (i, window) in windows.enumerated() {
        measured[window] = Measured(
            filter: filters[i], histogram: histograms[i], first: parts.compactMap { $0[i].first }.min(),
            last: parts.compactMap { $0[i].last }.max(), learners: parts.reduce(0) { $0 + $1[i].learners })
    }
    return measured
}

/// Of the watches before each of some times, in one pass.
private func histograms(_ source: WatchSource, ends: [Int64]) throws -> [WatchTimeHistogram] {
    let parts = try source.stage.deal(source.shards) { shard in
        var histograms = ends.map { _ in WatchTimeHistogram() }
        let (watches, _) = try source.watches(shard)
        for row in 0..<watches.count {
            for (i, end) in ends.enumerated() where watches.time[row] < end {
                histograms[i].add(seconds: watches.seconds[row], duration: source.duration[Int(watches.course[row])])
            }
        }
        return histograms
    }
    var totals = ends.map { _ in WatchTimeHistogram() }
    for part in parts { for i in ends.indices { totals[i].add(part[i]) } }
    return totals
}
