import LinearAlgebra
import Platform
import Shards

/// The shard kinds of `logs/`: courses, dictionaries, learners, watches, engagements (docs/shards.md).
package enum LogsShards {
    package static let courses = "courses\(ShardName.suffix)"
    package static func learners(_ shard: Int, of shards: Int) -> String { ShardName.of("learners", shard, of: shards) }
    package static func watches(_ shard: Int, of shards: Int) -> String { ShardName.of("watches", shard, of: shards) }
    package static func engagements(_ shard: Int, of shards: Int) -> String {
        ShardName.of("engagements", shard, of: shards)
    }
    package static func suppressions(_ shard: Int, of shards: Int) -> String {
        ShardName.of("suppressions", shard, of: shards)
    }
    /// Those that concern all learners.
    package static let generalSuppressions = "suppressions\(ShardName.suffix)"
    /// What follows T has the same names in a folder with a manifest of its own; read by `evaluate` alone.
    package static let afterFolder = "after"
    package static func after(_ name: String) -> String { "\(afterFolder)/\(name)" }
    /// - Parameter column: `courses.<name>`, `learners.<name>`, `watches.channel`, `engagements.kind`,
    ///   `engagements.channel`.
    package static func dictionary(_ column: String) -> String { "dictionary-\(column)\(ShardName.suffix)" }

    // MARK: Dictionaries

    package static func encode(_ dictionary: ValueDictionary) -> ShardBuilder {
        var shard = ShardBuilder(kind: "dictionary", rows: dictionary.values.count)
        shard.add("value", Ragged(dictionary.values))
        return shard
    }

    package static func dictionary(_ shard: Shard) throws -> ValueDictionary {
        ValueDictionary(values: try shard.strings("value").strings)
    }

    // MARK: Attributes

    /// Adds profile or metadata columns under `attribute.<name>`.
    package static func add(_ table: AttributeTable, to shard: inout ShardBuilder) {
        for name in table.names {
            let column = "attribute." + name
            switch table.columns[name]! {
            case .categorical(let codes, let valid):
                shard.add(column, codes)
                shard.add(column + ".valid", valid)
            case .list(let offsets, let values):
                shard.add(column, Ragged(offsets: offsets.map(Int64.init), values: values))
            case .numeric(let values, let valid):
                shard.add(column, values)
                shard.add(column + ".valid", valid)
            case .text(let offsets, let bytes):
                shard.add(column, Ragged(offsets: offsets.map(Int64.init), values: bytes))
            }
        }
    }

    package static func attributes(_ shard: Shard) throws -> AttributeTable {
        var columns: [String: AttributeColumn] = [:]
        for column in shard.columns where column.name.hasPrefix("attribute.") {
            if column.name.hasSuffix(".valid") || column.name.hasSuffix(".offsets") { continue }
            let name = String(column.name.dropFirst("attribute.".count))
            switch (column.type, shard.has(column.name + ".offsets")) {
            case (.u32, false):
                columns[name] = .categorical(
                    codes: try shard.values(column.name), valid: try shard.values(column.name + ".valid"))
            case (.u32, true):
                let list = try shard.ragged(column.name, as: UInt32.self)
                columns[name] = .list(offsets: list.offsets.map(Int.init), values: list.values)
            case (.u8, true):
                let text = try shard.strings(column.name)
                columns[name] = .text(offsets: text.offsets.map(Int.init), bytes: text.values)
            case (.f64, false):
                columns[name] = .numeric(
                    values: try shard.values(column.name), valid: try shard.values(column.name + ".valid"))
            default:
                throw LecternError.data("\(shard.name): column \"\(column.name)\": no attribute has this type")
            }
        }
        return AttributeTable(rows: shard.rows, columns: columns)
    }

    // MARK: Courses

    package static func encode(_ catalogue: Catalogue) -> ShardBuilder {
        var shard = ShardBuilder(kind: "courses", rows: catalogue.count)
        shard.add("id", Ragged(catalogue.ids))
        shard.add("title", Ragged(catalogue.titles))
        shard.add("published_at", catalogue.publishedAt.map { $0 == .min ? 0 : $0 })
        shard.add("published_at.valid", catalogue.publishedAt.map { $0 != .min })
        shard.add("retired_at", catalogue.retiredAt.map { $0 == .max ? 0 : $0 })
        shard.add("retired_at.valid", catalogue.retiredAt.map { $0 != .max })
        shard.add("duration_seconds", catalogue.duration.map { $0 ?? 0 })
        shard.add("duration_seconds.valid", catalogue.duration.map { $0 != nil })
        add(catalogue.attributes, to: &shard)
        return shard
    }

    /// Reads the catalogue with its dictionaries.
    package static func catalogue(_ logs: StageInput) throws -> Catalogue {
        let shard = try logs.shard(courses)
        let attributes = try attributes(shard)
        var dictionaries: [String: ValueDictionary] = [:]
        for name in attributes.names where logs.has(dictionary("courses." + name)) {
            dictionaries[name] = try dictionary(logs.shard(dictionary("courses." + name)))
        }
        func times(_ name: String, absent: Int64) throws -> [Int64] {
            zip(try shard.values(name, as: Int64.self), try shard.values(name + ".valid", as: Bool.self))
                .map { $1 ? $0 : absent }
        }
        return Catalogue(
            ids: try shard.strings("id").strings, titles: try shard.strings("title").strings,
            publishedAt: try times("published_at", absent: .min), retiredAt: try times("retired_at", absent: .max),
            duration: zip(
                try shard.values("duration_seconds", as: Float.self),
                try shard.values("duration_seconds.valid", as: Bool.self)
            ).map { $1 ? $0 : nil }, attributes: attributes, dictionaries: dictionaries)
    }

    // MARK: Learners

    package static func encode(_ learners: Learners) -> ShardBuilder {
        var shard = ShardBuilder(kind: "learners", rows: learners.count)
        shard.add("id", Ragged(learners.ids))
        add(learners.attributes, to: &shard)
        return shard
    }

    package static func learners(_ shard: Shard) throws -> Learners {
        Learners(ids: try shard.strings("id").strings, attributes: try attributes(shard))
    }

    /// Dictionaries of the learners' columns, by column name.
    package static func learnerDictionaries(_ logs: StageInput) throws -> [String: ValueDictionary] {
        var dictionaries: [String: ValueDictionary] = [:]
        for file in logs.manifest.outputs.keys.sorted() where file.hasPrefix("dictionary-learners.") {
            let name = String(file.dropFirst("dictionary-learners.".count).dropLast(ShardName.suffix.count))
            dictionaries[name] = try dictionary(logs.shard(file))
        }
        return dictionaries
    }

    // MARK: Events

    package static func encode(_ watches: Watches) -> ShardBuilder {
        var shard = ShardBuilder(kind: "watches", rows: watches.count)
        shard.add("learner", watches.learner)
        shard.add("course", watches.course)
        shard.add("time", watches.time)
        shard.add("seconds", watches.seconds.map { $0.isNaN ? 0 : $0 })
        shard.add("seconds.valid", watches.seconds.map { !$0.isNaN })
        addChannel(watches.channel, to: &shard)
        return shard
    }

    package static func watches(_ shard: Shard) throws -> Watches {
        let seconds: [Float] = try shard.values("seconds")
        let valid: [Bool] = try shard.values("seconds.valid")
        return Watches(
            learner: try shard.values("learner"), course: try shard.values("course"), time: try shard.values("time"),
            seconds: zip(seconds, valid).map { $1 ? $0 : .nan }, channel: try channel(shard))
    }

    private static func addChannel(_ channel: [UInt32], to shard: inout ShardBuilder) {
        shard.add("channel", channel.map { $0 == .max ? 0 : $0 })
        shard.add("channel.valid", channel.map { $0 != .max })
    }

    private static func channel(_ shard: Shard) throws -> [UInt32] {
        let codes: [UInt32] = try shard.values("channel")
        let valid: [Bool] = try shard.values("channel.valid")
        return zip(codes, valid).map { $1 ? $0 : .max }
    }

    package static func encode(_ engagements: Engagements) -> ShardBuilder {
        var shard = ShardBuilder(kind: "engagements", rows: engagements.count)
        shard.add("learner", engagements.learner)
        shard.add("course", engagements.course)
        shard.add("time", engagements.time)
        shard.add("label", engagements.label)
        shard.add("kind", engagements.kind)
        addChannel(engagements.channel, to: &shard)
        return shard
    }

    package static func engagements(_ shard: Shard) throws -> Engagements {
        Engagements(
            learner: try shard.values("learner"), course: try shard.values("course"), time: try shard.values("time"),
            label: try shard.values("label"), kind: try shard.values("kind"),
            channel: try channel(shard))
    }

    // MARK: Suppressions

    package static func encode(_ suppressions: Suppressions) -> ShardBuilder {
        var shard = ShardBuilder(kind: "suppressions", rows: suppressions.count)
        shard.add("learner", suppressions.learner.map { $0 == .max ? 0 : $0 })
        shard.add("learner.valid", suppressions.learner.map { $0 != .max })
        shard.add("course", suppressions.course.map { $0 == .max ? 0 : $0 })
        shard.add("course.valid", suppressions.course.map { $0 != .max })
        shard.add("scope", suppressions.scope)
        return shard
    }

    package static func suppressions(_ shard: Shard) throws -> Suppressions {
        func codes(_ name: String) throws -> [UInt32] {
            zip(try shard.values(name, as: UInt32.self), try shard.values(name + ".valid", as: Bool.self))
                .map { $1 ? $0 : .max }
        }
        return Suppressions(
            learner: try codes("learner"), course: try codes("course"), scope: try shard.values("scope"))
    }

    // MARK: The course dictionary

    /// SHA-256 of the course ids with their lengths (4 bytes, little-endian), in order: course numbers of two shards
    /// mean the same courses if and only if this agrees.
    package static func catalogueDigest(_ ids: [String]) -> String {
        var bytes: [UInt8] = []
        for id in ids {
            let length = UInt32(id.utf8.count)
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
            bytes += Array(id.utf8)
        }
        return Digest.sha256(bytes)
    }
}
