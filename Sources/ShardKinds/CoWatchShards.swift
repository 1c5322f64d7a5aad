import LinearAlgebra
import Platform
import Shards

/// The shard kinds of `cowatch/`: similarity and wide matrix, one file each per snapshot time (docs/shards.md).
package enum CoWatchShards {
    package static func similarity(_ time: Int64) -> String { "similarity-\(time)\(ShardName.suffix)" }
    package static func wide(_ time: Int64) -> String { "wide-\(time)\(ShardName.suffix)" }

    package static func encodeSimilarity(_ snapshot: CoWatchSnapshot) -> ShardBuilder {
        var shard = encode(snapshot.similarity, kind: "similarity")
        shard.metadata["time"] = String(snapshot.time)
        return shard
    }

    package static func encodeWide(_ snapshot: CoWatchSnapshot) -> ShardBuilder? {
        var shard: ShardBuilder
        switch snapshot.wide {
        case .none: return nil
        case .dense(let matrix):
            shard = ShardBuilder(kind: "wide", rows: matrix.rows)
            shard.addMatrix("weight", rows: matrix.rows, columns: matrix.columns, matrix.values)
        case .sparse(let rows): shard = encode(rows, kind: "wide")
        }
        shard.metadata["time"] = String(snapshot.time)
        return shard
    }

    /// Rows are courses; `neighbour` (course numbers, ascending) and `weight` beside it.
    private static func encode(_ rows: SparseRows, kind: String) -> ShardBuilder {
        var shard = ShardBuilder(kind: kind, rows: rows.rowCount)
        let offsets = rows.offsets.map(Int64.init)
        shard.add("neighbour", Ragged(offsets: offsets, values: rows.columns))
        shard.add("weight", Ragged(offsets: offsets, values: rows.values))
        return shard
    }

    private static func sparse(_ shard: Shard) throws -> SparseRows {
        let neighbour = try shard.ragged("neighbour", as: UInt32.self)
        let weight = try shard.ragged("weight", as: Float.self)
        guard neighbour.offsets == weight.offsets else {
            throw LecternError.data("\(shard.name): neighbour and weight have different offsets")
        }
        return SparseRows(
            columnCount: shard.rows, offsets: neighbour.offsets.map(Int.init), columns: neighbour.values,
            values: weight.values)
    }

    /// Both matrices of a time.
    package static func snapshot(_ cowatch: StageInput, at time: Int64) throws -> CoWatchSnapshot {
        let similarity = try sparse(cowatch.shard(similarity(time)))
        var matrix = WideMatrix.none
        if cowatch.has(wide(time)) {
            let shard = try cowatch.shard(wide(time))
            if shard.has("neighbour") {
                matrix = .sparse(try sparse(shard))
            } else {
                let dense = try shard.matrix("weight")
                matrix = .dense(Matrix(rows: dense.rows, columns: dense.columns, values: dense.values))
            }
        }
        return CoWatchSnapshot(time: time, similarity: similarity, wide: matrix)
    }
}
