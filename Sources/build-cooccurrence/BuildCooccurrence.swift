// Reads   watched/ (moments of all shards), logs/ (the number of courses)
// Writes  cowatch/: similarity and wide matrix, one file each, for every time of `TimeWindows.cowatchTimes`
// Memory  all moments (12 bytes each), per snapshot in work 20 bytes a moment; ease: that and 12·courses² bytes per thread

import ArgumentParser
import CoWatch
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

@main
struct BuildCooccurrence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build-cooccurrence",
        abstract: "Measures which courses are watched by the same learners, as of every snapshot time.",
        discussion: """
            For each snapshot, for the validation time and for T: the best neighbours of every course by co-watches in \
            the history before that time, and the wide matrix of NCF. Exact, never sampled.
            Memory: all moments; per snapshot in work 20 bytes a moment, and for ease also 12 bytes times the square of \
            the number of courses, as many at once as there are threads.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    func run() throws {
        try runStage(.buildCooccurrence, options) { stage in
            let logs = try stage.input(.importLogs)
            let watched = try stage.input(.filterWatches)
            let windows = try TimeWindows(watched.manifest)
            let courses = logs.manifest.outputs[LogsShards.courses]?.rows ?? 0
            let settings = try CoWatchSettings(stage.slice, courses: courses)
            let moments = try stage.step("read moments") { try WatchedShards.allMoments(watched) }
            let builder = SnapshotBuilder(
                stage: stage, moments: moments, courses: courses, history: windows.history, settings: settings)
            let entries = try stage.step("similarity and wide") { try builder.writeAll(windows.cowatchTimes) }
            stage.count("neighbours", entries.neighbours)
            if let wide = entries.wide { stage.count("wide entries", wide) }
            stage.count("courses", courses)
            stage.count("snapshots", windows.cowatchTimes.count)
            stage.manifest.facts["measure"] = .text(settings.similarity.measure.rawValue)
            stage.manifest.facts["wide"] = .text(settings.wide.kind.rawValue)
        }
    }
}

/// The `cowatch` section.
struct CoWatchSettings {
    var similarity = CoWatch.SimilarityOptions()
    /// Its kind is decided: never `auto`.
    var wide = CoWatch.WideOptions()

    init(_ slice: Slice, courses: Int) throws {
        similarity.measure = CoWatch.Measure(rawValue: slice.text("cowatch.measure"))!
        similarity.shrinkage = slice.number("cowatch.shrinkage")
        similarity.minSupport = slice.integer("cowatch.min_support")
        similarity.neighbours = slice.integer("cowatch.neighbours")
        similarity.dampHeavyLearners = slice.boolean("cowatch.damp_heavy_learners")
        wide.kind = CoWatch.WideKind(rawValue: slice.text("cowatch.wide"))!
        wide.easeL2 = slice.number("cowatch.ease_l2")
        wide.easeLimit = slice.integer("cowatch.ease_courses")
        wide.neighbours = slice.integer("cowatch.wide_neighbours")
        wide.markovSteps = slice.integer("cowatch.markov_steps")
        wide.markovShrinkage = slice.number("cowatch.markov_shrinkage")
        if wide.kind == .auto { wide.kind = courses <= wide.easeLimit ? .ease : .cowatch }
        if wide.kind == .ease && courses > wide.easeLimit {
            throw LecternError.configuration(
                "cowatch.wide: ease with \(courses) courses, more than cowatch.ease_courses \(wide.easeLimit): "
                    + "raise that or take cowatch")
        }
    }
}

/// Computes snapshots in batches of as many as there are threads, then writes a batch in parallel (compression and
/// digests take as long as the matrices): only one batch is in memory.
struct SnapshotBuilder {
    let stage: StageRun
    let moments: [Moments]
    let courses: Int
    let history: Int64
    let settings: CoWatchSettings

    struct Entries: Codable {
        var neighbours = 0
        /// nil: no sparse wide matrix.
        var wide: Int?
    }

    /// Snapshots are dealt to ranks.
    func writeAll(_ times: [Int64]) throws -> Entries {
        try stage.dealRanges(times.count) { try write(Array(times[$0])) }.reduce(into: Entries()) { sum, part in
            sum.neighbours += part.neighbours
            if let wide = part.wide { sum.wide = (sum.wide ?? 0) + wide }
        }
    }

    /// At least, for the largest of the batches: each snapshot's matrix of moments (one after the other, but for ease), and
    /// for ease the Gram matrix of the courses watched and the dense result.
    private func leastBytes(_ times: [Int64]) -> Int {
        let isEase = settings.wide.kind == .ease
        let bytes = stage.workers.map(times.count) { at -> Int in
            var (count, watched) = (0, [Bool](repeating: false, count: courses))
            for shard in moments {
                for i in shard.times.indices
                where shard.times[i] >= times[at] - history && shard.times[i] < times[at] {
                    count += 1
                    watched[Int(shard.courses[i])] = true
                }
            }
            let active = watched.count { $0 }
            return 20 * count + (isEase ? 8 * active * active + 4 * courses * courses : 0)
        }
        let side = isEase ? stage.workers.count : 1
        return stride(from: 0, to: bytes.count, by: side).map { start in
            bytes[start..<min(start + side, bytes.count)].reduce(0, +)
        }.max() ?? 0
    }

    private func write(_ times: [Int64]) throws -> Entries {
        try stage.requireMemory(leastBytes(times))
        var entries = Entries()
        let progress = stage.progress("snapshots", total: times.count, unit: "snapshots")
        var start = 0
        while start < times.count {
            let batch = Array(times[start..<min(times.count, start + stage.workers.count)])
            var snapshots = try batch.map(withoutEase)
            // EASE's inverse keeps one thread busy, so snapshots go side by side.
            if settings.wide.kind == .ease {
                let wide = try stage.workers.map(batch.count) {
                    try self.wide(matrix(batch[$0]), Workers(count: 1))
                }
                for i in batch.indices { snapshots[i].wide = wide[i] }
            }
            try stage.workers.forEach(2 * batch.count) { try write(snapshots[$0 / 2], wide: $0 % 2 == 1) }
            for snapshot in snapshots { count(snapshot, in: &entries) }
            start += batch.count
            progress.advance(batch.count)
        }
        return entries
    }

    private func matrix(_ time: Int64) -> WatchMatrix {
        WatchMatrix(moments, courseCount: courses, from: time - history, to: time)
    }

    private func withoutEase(_ time: Int64) throws -> CoWatchSnapshot {
        let watches = stage.step("matrix \(time)") { self.matrix(time) }
        let similarity = stage.step("similarity \(time)") {
            CoWatch.similarity(watches, options: settings.similarity, workers: stage.workers)
        }
        let wide =
            settings.wide.kind == .ease
            ? WideMatrix.none : try stage.step("wide \(time)") { try self.wide(watches, stage.workers) }
        return CoWatchSnapshot(time: time, similarity: similarity, wide: wide)
    }

    private func wide(_ matrix: WatchMatrix, _ workers: Workers) throws -> WideMatrix {
        try CoWatch.wide(matrix, options: settings.wide, workers: workers)
    }

    private func write(_ snapshot: CoWatchSnapshot, wide: Bool) throws {
        if !wide {
            try stage.write(CoWatchShards.encodeSimilarity(snapshot), as: CoWatchShards.similarity(snapshot.time))
        } else if let shard = CoWatchShards.encodeWide(snapshot) {
            try stage.write(shard, as: CoWatchShards.wide(snapshot.time))
        }
    }

    private func count(_ snapshot: CoWatchSnapshot, in entries: inout Entries) {
        // The diagonal is no neighbour.
        entries.neighbours += snapshot.similarity.columns.count - courses
        if case .sparse(let rows) = snapshot.wide { entries.wide = (entries.wide ?? 0) + rows.columns.count }
    }
}
