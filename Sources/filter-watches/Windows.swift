import LinearAlgebra
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

/// Watches by shard, read from disk on every pass: memory does not grow with learners.
struct WatchSource {
    let logs: StageInput
    let duration: [Float?]
    let workers: Workers
    let shards: Int

    init(logs: StageInput, duration: [Float?], workers: Workers) {
        (self.logs, self.duration, self.workers) = (logs, duration, workers)
        shards = logs.names("learners").count
    }

    func watches(_ shard: Int) throws -> (Watches, learners: Int) {
        let learners = logs.manifest.outputs[LogsShards.learners(shard, of: shards)]?.rows ?? 0
        return (try LogsShards.watches(logs.shard(LogsShards.watches(shard, of: shards))), learners)
    }
}

/// What the stage decided: filter, times, and the histogram they came from.
struct Decision {
    let filter: WatchFilter
    let histogram: WatchTimeHistogram
    let windows: TimeWindows

    func thresholds(_ duration: [Float?]) -> [Float] { duration.map(filter.threshold) }
}

/// Thresholds come from before t_v, t_v from the label window, and an automatic label window from moments, which
/// depend on the thresholds: so each candidate window is tried with its own thresholds.
func chooseWindows(_ source: WatchSource, _ settings: FilterSettings, asOf: Int64) throws -> Decision {
    let everything = try measure(source, settings, before: asOf, from: asOf)
    guard let first = everything.first, let last = everything.last else {
        throw LecternError.data("\(source.logs.folder): no watch before \(Moment.text(asOf)) passes the filter")
    }
    let span = last - first
    let window =
        try settings.labelWindow
        ?? TimeWindows.automaticLabelWindow(span: span) { window in
            try measure(source, settings, before: asOf - window, from: asOf - window, to: asOf).learners
        }
    guard window > 0, span >= 2 * window else {
        throw LecternError.data(
            "\(source.logs.folder): the moments before T span \(span / 86_400) days, less than two label windows; "
                + "filter.label_window \(max(1, span / 86_400 / 5))d would fit")
    }
    let chosen = try measure(source, settings, before: asOf - window, from: asOf - window, to: asOf)
    guard chosen.learners > 0 else {
        throw LecternError.data(
            "\(source.logs.folder): no learner has a moment in the validation window of \(window / 86_400) days before "
                + "\(Moment.text(asOf)); newest moment \(Moment.text(last)): move run.as_of or widen filter.label_window"
        )
    }
    let windows = TimeWindows(
        asOf: asOf, history: settings.history, labelWindow: window, stride: settings.stride,
        snapshots: settings.snapshots, firstMoment: first)
    return Decision(filter: chosen.filter, histogram: chosen.histogram, windows: windows)
}

private struct Measured {
    var filter: WatchFilter
    var histogram: WatchTimeHistogram
    var first: Int64?
    var last: Int64?
    /// Learners with a moment in the asked window.
    var learners: Int
}

private func measure(
    _ source: WatchSource, _ settings: FilterSettings, before end: Int64, from: Int64, to: Int64 = .max
) throws -> Measured {
    let histograms = try source.workers.map(source.shards) { shard in
        var histogram = WatchTimeHistogram()
        let (watches, _) = try source.watches(shard)
        for row in 0..<watches.count where watches.time[row] < end {
            histogram.add(seconds: watches.seconds[row], duration: source.duration[Int(watches.course[row])])
        }
        return histogram
    }
    var histogram = WatchTimeHistogram()
    for part in histograms { histogram.add(part) }
    let filter = WatchFilter(
        minSeconds: settings.minSeconds, minFraction: settings.minFraction,
        quantileSeconds: WatchTimeHistogram.bucketNames.indices.map {
            histogram.quantile(settings.quantile, bucket: $0)
        },
        keepsUnknown: settings.keepsUnknown, maxCoursesPerLearner: settings.maxCourses)
    let thresholds = source.duration.map(filter.threshold)
    let parts = try source.workers.map(source.shards) { shard in
        let (watches, learners) = try source.watches(shard)
        let (moments, _) = filter.moments(watches, learners: learners, thresholds: thresholds)
        let active = (0..<learners).count { !moments.range($0, from: from, to: to).isEmpty }
        return (moments.times.min(), moments.times.max(), active)
    }
    return Measured(
        filter: filter, histogram: histogram, first: parts.compactMap(\.0).min(), last: parts.compactMap(\.1).max(),
        learners: parts.reduce(0) { $0 + $1.2 })
}
