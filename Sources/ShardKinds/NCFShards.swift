import FoundationEssentials
import LinearAlgebra
import Platform
import Shards

/// The shard kinds of `ncf/` (docs/shards.md, docs/ncf.md). There are two models of one make: `fit/`, from moments
/// before t_v and scoring as of t_v, and `refit/`, from those before T and scoring as of T.
package enum NCFShards {
    package typealias Fit = GLMixShards.Fit

    package static func towers(_ fit: Fit) -> String { "\(fit.rawValue)/towers\(ShardName.suffix)" }
    package static func courses(_ fit: Fit) -> String { "\(fit.rawValue)/courses\(ShardName.suffix)" }
    package static func learners(_ fit: Fit, _ shard: Int, of shards: Int) -> String {
        ShardName.of("\(fit.rawValue)/learners", shard, of: shards)
    }
    package static let history = "history\(ShardName.suffix)"
    package static let related = "related\(ShardName.suffix)"
    package static let map = "map\(ShardName.suffix)"
    package static let neighbourShares = "neighbour-shares\(ShardName.suffix)"

    // MARK: The model

    /// The towers' tensors as matrices; the definition as JSON under `definition` in the header.
    package static func encodeTowers(_ model: NeuralModel, definition: some Encodable) -> ShardBuilder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var shard = ShardBuilder(kind: "ncf-towers", rows: model.trendOther.count)
        shard.metadata["definition"] = String(decoding: try! encoder.encode(definition), as: UTF8.self)
        for (name, tensor) in model.tensors {
            shard.addMatrix(name, rows: tensor.rows, columns: tensor.columns, tensor.values)
        }
        return shard
    }

    /// - Parameter type: NeuralCF's `NCFDefinition`, which this floor does not know.
    package static func definition<Definition: Decodable>(
        _ ncf: StageInput, _ fit: Fit, as type: Definition.Type = Definition.self
    ) throws -> Definition {
        let shard = try ncf.shard(towers(fit))
        guard let json = shard.metadata["definition"],
            let definition = try? JSONDecoder().decode(type, from: Data(json.utf8))
        else { throw LecternError.data("\(shard.name): has no model's definition; run make train-ncf") }
        return definition
    }

    /// Rows are courses: `id`, the embedding `vector` (C × embedding), and what trend alone gives a course.
    package static func encodeCourses(_ model: NeuralModel, ids: [String]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "ncf-courses", rows: ids.count)
        shard.add("id", Ragged(ids))
        let vectors = model.courseVectors
        shard.addMatrix("vector", rows: vectors.rows, columns: vectors.columns, vectors.values)
        shard.add("trend.empty", model.trendEmpty)
        shard.add("trend.other", model.trendOther)
        return shard
    }

    /// Everything of a fit but the learners' embeddings and the definition.
    package static func model(_ ncf: StageInput, _ fit: Fit) throws -> NeuralModel {
        let towers = try ncf.shard(towers(fit))
        let courses = try ncf.shard(courses(fit))
        var tensors: [String: Matrix] = [:]
        for column in towers.columns { tensors[column.name] = try matrix(towers, column.name) }
        return NeuralModel(
            tensors: tensors, courseVectors: try matrix(courses, "vector"),
            trendEmpty: try courses.values("trend.empty"), trendOther: try courses.values("trend.other"))
    }

    /// Rows are the learners of a shard, as in `logs/`; `vector` is 0 for a learner without context.
    package static func encodeLearners(_ vectors: Matrix) -> ShardBuilder {
        var shard = ShardBuilder(kind: "ncf-learners", rows: vectors.rows)
        shard.addMatrix("vector", rows: vectors.rows, columns: vectors.columns, vectors.values)
        return shard
    }

    package static func learnerVectors(
        _ ncf: StageInput, _ fit: Fit, _ shard: Int, of shards: Int
    ) throws -> Matrix {
        try matrix(ncf.shard(learners(fit, shard, of: shards)), "vector")
    }

    private static func matrix(_ shard: Shard, _ name: String) throws -> Matrix {
        let found = try shard.matrix(name)
        return Matrix(rows: found.rows, columns: found.columns, values: found.values)
    }

    // MARK: How it came about

    /// One epoch of the history.
    package struct Epoch: Sendable, Equatable {
        package var fit: Fit
        package var epoch: Int
        package var steps: Int
        package var examples: Int
        package var loss: Double
        /// By name in `qualities`; nil: not measured (the refit).
        package var quality: [Double]?

        package init(fit: Fit, epoch: Int, steps: Int, examples: Int, loss: Double, quality: [Double]?) {
            (self.fit, self.epoch, self.steps, self.examples) = (fit, epoch, steps, examples)
            (self.loss, self.quality) = (loss, quality)
        }
    }

    /// Measured on validation half A after an epoch.
    package static let qualities = [
        "alpha", "gamma_factor", "warm_loss", "warm_ndcg", "warm_recall", "cold_ndcg", "cold_recall", "gain",
        "gain_error",
    ]

    package static func encode(_ epochs: [Epoch]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "ncf-history", rows: epochs.count)
        shard.add("fit", Ragged(epochs.map(\.fit.rawValue)))
        shard.add("epoch", epochs.map { Int32($0.epoch) })
        shard.add("steps", epochs.map { Int64($0.steps) })
        shard.add("examples", epochs.map { Int64($0.examples) })
        shard.add("loss", epochs.map(\.loss))
        for (i, name) in qualities.enumerated() {
            shard.add(name, epochs.map { $0.quality?[i] ?? 0 })
            shard.add(name + ".valid", epochs.map { $0.quality != nil })
        }
        return shard
    }

    package static func history(_ ncf: StageInput) throws -> [Epoch] { try epochs(ncf.shard(history)) }

    package static func epochs(_ shard: Shard) throws -> [Epoch] {
        let fits = try shard.strings("fit").strings
        let epochs: [Int32] = try shard.values("epoch")
        let steps: [Int64] = try shard.values("steps")
        let examples: [Int64] = try shard.values("examples")
        let losses: [Double] = try shard.values("loss")
        let measured = try qualities.map { try shard.values($0, as: Double.self) }
        let valid = try shard.values("alpha.valid", as: Bool.self)
        return try fits.indices.map { row in
            guard let fit = Fit(rawValue: fits[row]) else {
                throw LecternError.data("\(shard.name): fit, row \(row): found \"\(fits[row])\", expected fit or refit")
            }
            return Epoch(
                fit: fit, epoch: Int(epochs[row]), steps: Int(steps[row]), examples: Int(examples[row]),
                loss: losses[row], quality: valid[row] ? measured.map { $0[row] } : nil)
        }
    }

    // MARK: Related courses

    /// Row c: the courses closest to c by the cosine of their embeddings as of T, best first, c itself and courses
    /// that cannot be recommended left out.
    package static func encodeRelated(_ rows: SparseRows) -> ShardBuilder {
        var shard = ShardBuilder(kind: "related", rows: rows.rowCount)
        let offsets = rows.offsets.map(Int64.init)
        shard.add("course", Ragged(offsets: offsets, values: rows.columns))
        shard.add("cosine", Ragged(offsets: offsets, values: rows.values))
        return shard
    }

    /// Columns are in descending order of cosine, not ascending.
    package static func related(_ ncf: StageInput) throws -> SparseRows {
        let shard = try ncf.shard(related)
        let courses = try shard.ragged("course", as: UInt32.self)
        let cosines = try shard.ragged("cosine", as: Float.self)
        guard courses.offsets == cosines.offsets else {
            throw LecternError.data("\(shard.name): course and cosine have different offsets")
        }
        return SparseRows(
            columnCount: shard.rows, offsets: courses.offsets.map(Int.init), columns: courses.values,
            values: cosines.values)
    }

    // MARK: The map

    /// Row c: where course c lies on a map of two principal components of the course embeddings as of T; not valid
    /// without an embedding. Header: `explained`, the shares of variance of both.
    package static func encodeMap(x: [Float], y: [Float], valid: [Bool], explained: [Double]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "course-map", rows: x.count)
        shard.metadata["explained"] = explained.map { "\($0)" }.joined(separator: " ")
        for (name, values) in [("pca.x", x), ("pca.y", y)] {
            shard.add(name, values)
            shard.add(name + ".valid", valid)
        }
        return shard
    }

    /// Of one metadata column: how often a course's related courses share its value, and how often any course does.
    package struct NeighbourShare: Sendable, Equatable {
        package var column: String
        package var neighbours: Double
        package var baseRate: Double
        package var courses: Int

        package init(column: String, neighbours: Double, baseRate: Double, courses: Int) {
            (self.column, self.neighbours, self.baseRate, self.courses) = (column, neighbours, baseRate, courses)
        }
    }

    package static func encode(_ shares: [NeighbourShare]) -> ShardBuilder {
        var shard = ShardBuilder(kind: "neighbour-shares", rows: shares.count)
        shard.add("column", Ragged(shares.map(\.column)))
        shard.add("neighbours", shares.map(\.neighbours))
        shard.add("base_rate", shares.map(\.baseRate))
        shard.add("courses", shares.map { Int64($0.courses) })
        return shard
    }

    package static func neighbourShares(_ ncf: StageInput) throws -> [NeighbourShare] {
        let shard = try ncf.shard(neighbourShares)
        let columns = try shard.strings("column").strings
        let neighbours: [Double] = try shard.values("neighbours")
        let baseRates: [Double] = try shard.values("base_rate")
        let courses: [Int64] = try shard.values("courses")
        return columns.indices.map {
            NeighbourShare(
                column: columns[$0], neighbours: neighbours[$0], baseRate: baseRates[$0], courses: Int(courses[$0]))
        }
    }
}
