import LinearAlgebra
import Platform

extension IdModel {
    /// As stages store it. There is neither trend nor wide.
    package var stored: NeuralModel {
        let tensors = network.tensors.map { tensor in
            let range = tensor.offset..<tensor.offset + tensor.rows * tensor.columns
            return (
                tensor.name,
                Matrix(rows: tensor.rows, columns: tensor.columns, values: Array(network.weights[range]))
            )
        }
        let nothing = [Float](repeating: 0, count: courses.rows)
        return NeuralModel(
            tensors: Dictionary(uniqueKeysWithValues: tensors), courseVectors: courses, trendEmpty: nothing,
            trendOther: nothing)
    }

    package func definition(_ parameters: NCFParameters, time: Int64, history: Int64) -> NCFDefinition {
        NCFDefinition(
            parameters: parameters, linear: .none, alpha: 1, gammaFactor: 1, time: time, history: history)
    }
}

extension IdNetwork {
    /// - Throws: `NCFStoredMismatch` if a tensor is missing or has another shape.
    init(_ stored: NeuralModel, _ parameters: NCFParameters) throws {
        self.init(parameters.model, seed: parameters.seed)
        for tensor in tensors {
            let found = stored.tensors[tensor.name]
            guard let found, found.rows == tensor.rows, found.columns == tensor.columns else {
                throw NCFStoredMismatch(
                    tensor: tensor.name, found: found.map { "\($0.rows) × \($0.columns)" } ?? "nothing",
                    expected: "\(tensor.rows) × \(tensor.columns)")
            }
            weights.replaceSubrange(tensor.offset..<tensor.offset + found.values.count, with: found.values)
        }
    }
}

extension NCFAtTime {
    /// A model over ids. Its towers are silent: a learner whose stored vector is not at hand is unknown.
    convenience init(
        ids definition: NCFDefinition, _ network: IdNetwork, _ stored: NeuralModel, _ snapshot: CoWatchSnapshot,
        _ workers: Workers
    ) {
        var parameters = definition.parameters
        (parameters.hidden, parameters.embedding, parameters.learnerInput) = ([], network.embedding, .sum)
        (parameters.learnerRows, parameters.output) = (.watched, .cosine)
        let layout = TowerLayout(courseCount: stored.courseVectors.rows, parameters: parameters)
        let silent = Towers(
            layout: layout, parameters: parameters, weights: [Float](repeating: 0, count: layout.weightCount))
        self.init(
            model: NCFModel(linear: .none, towers: silent, alpha: 1, gammaFactor: 1),
            towers: TowersAtTime(silent, snapshot: snapshot, courseVectors: stored.courseVectors, workers: workers),
            wide: .none, trendEmpty: stored.trendEmpty, trendOther: stored.trendOther, time: definition.time,
            history: definition.history, pairs: network)
    }
}
