import LinearAlgebra
import Platform

/// A coefficient that people should see.
package struct StrongCoefficient: Sendable, Equatable {
    /// Number of the coordinate in the model.
    package let coordinate: Int
    package let entity: Int
    /// Number of the feature in the coordinate.
    package let feature: Int
    package let value: Double
    /// Standard deviation; NaN where the model has no variances.
    package let deviation: Double
}

extension GLMixModel {
    /// The `limit` largest coefficients by absolute value of each coordinate, largest first; equal ones by entity, then
    /// feature. Intercepts count: an entity's says how much it differs.
    package func strongest(_ limit: Int) -> [StrongCoefficient] {
        coordinates.indices.flatMap { k -> [StrongCoefficient] in
            let (own, deviations) = (coefficients[k], variances.isEmpty ? nil : variances[k])
            var nearly = TopSelection(k: limit)  // rounds, which keeps the order
            for at in own.values.indices { nearly.offer(Float(abs(own.values[at])), Int32(clamping: at)) }
            let bound = nearly.threshold
            let best = own.values.indices.filter { Float(abs(own.values[$0])) >= bound }.sorted {
                abs(own.values[$0]) > abs(own.values[$1]) || abs(own.values[$0]) == abs(own.values[$1]) && $0 < $1
            }
            return best.prefix(limit).map { at in
                StrongCoefficient(
                    coordinate: k, entity: own.entity(at: at), feature: Int(own.features[at]), value: own.values[at],
                    deviation: deviations.map { $0[at].squareRoot() } ?? .nan)
            }
        }
    }
}

extension Coefficients {
    /// The entity that the coefficient at a position belongs to.
    fileprivate func entity(at position: Int) -> Int {
        var (low, high) = (0, entityCount)
        while high - low > 1 {
            let middle = (low + high) / 2
            if offsets[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }
}
