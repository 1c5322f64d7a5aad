import LinearAlgebra
import Platform

/// What a stored model is, beside its numbers (`NeuralModel`): enough to score with it.
package struct NCFDefinition: Codable, Sendable, Equatable {
    package var parameters: NCFParameters
    package var linear: LinearPart
    package var alpha: Float
    package var gammaFactor: Float
    /// Seconds; the model scores from here, contexts are `[time − history, time)`.
    package var time: Int64
    package var history: Int64
}

/// Stored numbers that are not those of the definition.
package struct NCFStoredMismatch: Error, Equatable {
    package let tensor: String
    package let found: String
    package let expected: String

    package init(tensor: String, found: String, expected: String) {
        (self.tensor, self.found, self.expected) = (tensor, found, expected)
    }
}

extension NCFAtTime {
    package var definition: NCFDefinition {
        NCFDefinition(
            parameters: model.towers.parameters, linear: model.linear, alpha: model.alpha,
            gammaFactor: model.gammaFactor, time: time, history: history)
    }

    package var stored: NeuralModel {
        let weights = model.towers.weights
        let tensors = model.towers.layout.tensors.map { tensor in
            (tensor.name, Matrix(rows: tensor.rows, columns: tensor.columns, values: Array(weights[tensor.range])))
        }
        return NeuralModel(
            tensors: Dictionary(uniqueKeysWithValues: tensors), courseVectors: towers.courseVectors,
            trendEmpty: trendEmpty, trendOther: trendOther)
    }

    /// A stored model, ready to score.
    /// - Parameter snapshot: that of the definition's time.
    /// - Throws: `NCFStoredMismatch` if a tensor is missing or has another shape.
    package convenience init(
        _ definition: NCFDefinition, _ stored: NeuralModel, snapshot: CoWatchSnapshot, workers: Workers
    ) throws {
        if definition.parameters.model != .towers {
            self.init(ids: definition, try IdNetwork(stored, definition.parameters), stored, snapshot, workers)
            return
        }
        let courses = stored.trendOther.count
        let layout = TowerLayout(courseCount: courses, parameters: definition.parameters)
        var weights = [Float](repeating: 0, count: layout.weightCount)
        func check(_ name: String, _ found: Matrix?, _ rows: Int, _ columns: Int) throws -> [Float] {
            guard let found, found.rows == rows, found.columns == columns else {
                throw NCFStoredMismatch(
                    tensor: name, found: found.map { "\($0.rows) × \($0.columns)" } ?? "nothing",
                    expected: "\(rows) × \(columns)")
            }
            return found.values
        }
        for tensor in layout.tensors {
            let values = try check(tensor.name, stored.tensors[tensor.name], tensor.rows, tensor.columns)
            weights.replaceSubrange(tensor.range, with: values)
        }
        _ = try check("vector", stored.courseVectors, courses, layout.embedding)
        let towers = Towers(layout: layout, parameters: definition.parameters, weights: weights)
        self.init(
            model: NCFModel(
                linear: definition.linear, towers: towers, alpha: definition.alpha, gammaFactor: definition.gammaFactor),
            towers: TowersAtTime(
                towers, snapshot: snapshot, courseVectors: stored.courseVectors, workers: workers),
            wide: snapshot.wide, trendEmpty: stored.trendEmpty, trendOther: stored.trendOther,
            time: definition.time, history: definition.history)
    }
}
