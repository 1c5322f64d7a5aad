import LinearAlgebra
import Platform

extension GLMixModel {
    /// Margins o + Σ_k x·θ_k of examples whose bags and groupings number features and entities as in training.
    /// Entities without a model contribute 0.
    package func margins(of examples: Examples, workers: Workers) -> [Double] {
        var z = examples.offsets.map(Double.init)
        for (coordinate, coefficients) in zip(coordinates, coefficients) {
            add(coordinate, coefficients, examples, to: &z, workers)
        }
        return z
    }

    private func add(
        _ coordinate: Coordinate, _ coefficients: Coefficients, _ examples: Examples, to z: inout [Double],
        _ workers: Workers
    ) {
        let bags = coordinate.bags.map { examples.bag($0)! }
        let featureCount = bags.reduce(1) { $0 + $1.featureCount }
        let group = coordinate.by.map { examples.grouping($0)! }
        let groups = RowGroups(
            count: coefficients.entityCount, group: group?.entities ?? [Int32](repeating: 0, count: examples.count))
        z.withUnsafeMutableBufferPointer { z in
            nonisolated(unsafe) let z = z
            workers.forEach(groups.count, scratch: { [Double](repeating: 0, count: featureCount) }) { theta, e in
                if groups.range(e).isEmpty || coefficients.range(e).isEmpty { return }
                for at in coefficients.range(e) { theta[Int(coefficients.features[at])] = coefficients.values[at] }
                for at in groups.range(e) {
                    let row = Int(groups.rows[at])
                    var total = theta[featureCount - 1]
                    var base = 0
                    for bag in bags {
                        for at in bag.table.range(bag.rowOf.map { Int($0[row]) } ?? row) {
                            total += Double(bag.table.values[at]) * theta[base + Int(bag.table.columns[at])]
                        }
                        base += bag.featureCount
                    }
                    z[row] += total
                }
                for at in coefficients.range(e) { theta[Int(coefficients.features[at])] = 0 }
            }
        }
    }
}
