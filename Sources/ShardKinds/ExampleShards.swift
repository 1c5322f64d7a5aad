import LinearAlgebra
import Platform
import Shards

/// Shards of kind `examples`: training rows of a response model, written by `train-glmix` or by anybody else
/// (docs/examples-shards.md).
///
/// Columns: `label` (U8), `weight` (F32), `offset` (F32, may be missing: 0), `entity.<grouping>` (I32, −1: none),
/// `feature.<bag>` (U32, lists) with `value.<bag>` (F32, lists; may be missing: 1).
package struct ExampleColumns: Sendable, Equatable {
    package var labels: [UInt8]
    package var weights: [Float]
    package var offsets: [Float]
    /// Grouping → entity of each row.
    package var entities: [String: [Int32]]
    /// Bag → rows.
    package var bags: [String: SparseRows]

    package init(
        labels: [UInt8], weights: [Float], offsets: [Float], entities: [String: [Int32]], bags: [String: SparseRows]
    ) {
        (self.labels, self.weights, self.offsets) = (labels, weights, offsets)
        (self.entities, self.bags) = (entities, bags)
    }

    package func encoded() -> ShardBuilder {
        var shard = ShardBuilder(kind: "examples", rows: labels.count)
        shard.add("label", labels)
        shard.add("weight", weights)
        shard.add("offset", offsets)
        for (name, codes) in entities { shard.add("entity." + name, codes) }
        for (name, rows) in bags {
            let offsets = rows.offsets.map(Int64.init)
            shard.add("feature." + name, Ragged(offsets: offsets, values: rows.columns))
            shard.add("value." + name, Ragged(offsets: offsets, values: rows.values))
        }
        return shard
    }

    /// - Throws: `.badData` with the shard's name for a column that is missing or of another type.
    package init(_ shard: Shard) throws {
        guard shard.kind == "examples" else {
            throw LecternError.data("\(shard.name): kind \"\(shard.kind)\", expected \"examples\"")
        }
        labels = try shard.values("label")
        weights = shard.has("weight") ? try shard.values("weight") : [Float](repeating: 1, count: labels.count)
        offsets = shard.has("offset") ? try shard.values("offset") : [Float](repeating: 0, count: labels.count)
        (entities, bags) = ([:], [:])
        for column in shard.columns where !column.name.hasSuffix(".offsets") {
            if column.name.hasPrefix("entity.") {
                entities[String(column.name.dropFirst("entity.".count))] = try shard.values(column.name)
            } else if column.name.hasPrefix("feature.") {
                let bag = String(column.name.dropFirst("feature.".count))
                let features = try shard.ragged(column.name, as: UInt32.self)
                var values = [Float](repeating: 1, count: features.values.count)
                if shard.has("value." + bag) {
                    let given = try shard.ragged("value." + bag, as: Float.self)
                    guard given.offsets == features.offsets else {
                        throw LecternError.data("\(shard.name): feature.\(bag) and value.\(bag) have different offsets")
                    }
                    values = given.values
                }
                bags[bag] = SparseRows(
                    columnCount: 1 + Int(features.values.max() ?? 0), offsets: features.offsets.map(Int.init),
                    columns: features.values, values: values)
            }
        }
    }

    /// Names by number: `features-<bag>` (kind `features`) and `entities-<grouping>` (kind `entities`).
    package static func encode(names: [String], kind: String) -> ShardBuilder {
        var shard = ShardBuilder(kind: kind, rows: names.count)
        shard.add("name", Ragged(names))
        return shard
    }
}
