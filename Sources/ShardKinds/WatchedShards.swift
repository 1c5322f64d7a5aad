import Platform
import Shards

/// The shard kinds of `watched/`: moments by learner shard, thresholds with histogram; and the run's times, which
/// stand in `watched/manifest.json` (docs/shards.md).
package enum WatchedShards {
    package static func moments(_ shard: Int, of shards: Int) -> String { ShardName.of("watched", shard, of: shards) }
    package static let thresholds = "thresholds\(ShardName.suffix)"
    package static let bots = "bots\(ShardName.suffix)"

    /// - Parameter ids: learners with too many courses, whose moments are left out.
    package static func encodeBots(_ ids: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "bots", rows: ids.count)
        shard.add("id", Ragged(ids))
        return shard
    }

    package static func encode(_ moments: Moments) -> ShardBuilder {
        var shard = ShardBuilder(kind: "watched", rows: moments.learnerCount)
        let offsets = moments.offsets.map(Int64.init)
        shard.add("course", Ragged(offsets: offsets, values: moments.courses.array))
        shard.add("time", Ragged(offsets: offsets, values: moments.times.array))
        return shard
    }

    package static func moments(_ shard: Shard) throws -> Moments {
        let courses = try shard.ragged("course", as: UInt32.self)
        let times = try shard.ragged("time", as: Int64.self)
        guard courses.offsets == times.offsets else {
            throw LecternError.data("\(shard.name): course and time have different offsets")
        }
        return Moments(offsets: courses.offsets.map(Int.init), courses: courses.values, times: times.values)
    }

    /// The filter's numbers, in the header of the thresholds shard.
    package static func describe(_ filter: WatchFilter, in shard: inout ShardBuilder) {
        shard.metadata["min_seconds"] = String(filter.minSeconds)
        shard.metadata["min_fraction"] = String(filter.minFraction)
        shard.metadata["unknown_watch_time"] = filter.keepsUnknown ? "keep" : "drop"
        shard.metadata["max_courses_per_learner"] = String(filter.maxCoursesPerLearner)
    }

    /// The filter of a run: `evaluate` applies the same to what follows T.
    package static func filter(_ watched: StageInput) throws -> WatchFilter {
        let shard = try watched.shard(thresholds)
        guard let seconds = shard.metadata["min_seconds"].flatMap(Float.init),
            let fraction = shard.metadata["min_fraction"].flatMap(Float.init),
            let unknown = shard.metadata["unknown_watch_time"],
            let courses = shard.metadata["max_courses_per_learner"].flatMap(Int.init)
        else { throw LecternError.data("\(shard.name): the filter's metadata is missing") }
        return WatchFilter(
            minSeconds: seconds, minFraction: fraction, quantileSeconds: try shard.values("quantile_seconds"),
            keepsUnknown: unknown == "keep", maxCoursesPerLearner: courses)
    }

    /// Of all shards.
    package static func momentCount(_ watched: StageInput) throws -> Int {
        guard let count = watched.manifest.counts["moments"] else {
            throw LecternError.data("\(watched.manifest.stage)/manifest.json: count \"moments\" is missing")
        }
        return count
    }

    /// Every shard's moments, in shard order.
    package static func allMoments(_ watched: StageInput) throws -> [Moments] {
        try watched.names("watched").map { try moments(watched.shard($0)) }
    }

    /// The same, read into a nameless file from which they are mapped: their memory can be had back while they are used.
    /// - Parameter folder: where the file lies; 12 bytes a moment.
    package static func mappedMoments(_ watched: StageInput, in folder: String) throws -> [Moments] {
        let file = try ScratchFile(in: folder)
        let places = try watched.names("watched").map { name in
            let moments = try moments(watched.shard(name))
            return (
                offsets: moments.offsets, times: try file.append(moments.times.array),
                courses: try file.append(moments.courses.array)
            )
        }
        let mapped = try file.mapped()
        return places.map { place in
            Moments(
                offsets: place.offsets, courses: Column(mapped: mapped.values(place.courses), owner: mapped),
                times: Column(mapped: mapped.values(place.times), owner: mapped))
        }
    }
}

extension TimeWindows {
    /// For `watched/manifest.json`.
    package var facts: [String: Manifest.Fact] {
        [
            "history_seconds": .integer(history), "label_window_seconds": .integer(labelWindow),
            "stride_seconds": .integer(stride), "validation": .integer(validation),
            "fit_snapshots": .integers(fitSnapshots), "refit_snapshots": .integers(refitSnapshots),
        ]
    }

    /// From `watched/manifest.json`: the one source of a run's times.
    package init(_ manifest: Manifest) throws {
        func integer(_ key: String) throws -> Int64 {
            guard case .integer(let value)? = manifest.facts[key] else {
                throw LecternError.data("\(manifest.stage)/manifest.json: fact \"\(key)\" is missing")
            }
            return value
        }
        func integers(_ key: String) throws -> [Int64] {
            guard case .integers(let values)? = manifest.facts[key] else {
                throw LecternError.data("\(manifest.stage)/manifest.json: fact \"\(key)\" is missing")
            }
            return values
        }
        self.init(
            asOf: manifest.asOf, history: try integer("history_seconds"),
            labelWindow: try integer("label_window_seconds"),
            stride: try integer("stride_seconds"), snapshots: 0, firstMoment: .max)
        fitSnapshots = try integers("fit_snapshots")
        refitSnapshots = try integers("refit_snapshots")
    }
}
