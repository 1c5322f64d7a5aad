import DenseAlgebra
import LinearAlgebra

/// One dense block of the joint Newton system for the fixed effect and the random effects of few entities: the
/// Cholesky factor of the Hessian over evenly spaced rows, scaled to all (`FixedEffect.sampled`).
final class JoinedBlock {
    /// Numbers of the coordinates, ascending but for the fixed effect, which is first.
    let coordinates: [Int]
    /// First column of each in the block, then the end.
    private let bases: [Int]
    private var factor: [Double]

    static let mostFeatures = 4096

    /// nil where no random effect is small enough, or rounding makes the block indefinite.
    init?(_ state: FitState, curvature: [Double]) {
        guard let first = state.parts.firstIndex(where: { if case .fixed = $0 { true } else { false } }),
            case .fixed(let fixed, _) = state.parts[first]
        else { return nil }
        var coordinates = [first]
        var bases = [0, fixed.count]
        var effects: [RandomEffect] = []
        for (k, part) in state.parts.enumerated() {
            guard case .random(let effect) = part, bases.last! + effect.values.count <= Self.mostFeatures else {
                continue
            }
            coordinates.append(k)
            bases.append(bases.last! + effect.values.count)
            effects.append(effect)
        }
        if effects.isEmpty { return nil }
        (self.coordinates, self.bases) = (coordinates, bases)
        let p = bases.last!
        factor = [Double](repeating: 0, count: p * p)
        let isDefinite = Self.fill(&factor, fixed, effects, bases, FixedEffect.sampled(curvature), state.workers)
        if !isDefinite { return nil }
    }

    private static func fill(
        _ h: inout [Double], _ fixed: FixedEffect, _ effects: [RandomEffect], _ bases: [Int], _ d: [Double],
        _ workers: Workers
    ) -> Bool {
        let p = bases.last!
        let scale = fixed.design.scale
        let entities = effects.map { fittedEntities($0.layout, count: d.count) }
        return h.withUnsafeMutableBufferPointer { h in
            withBagPointers(fixed.design.bags.map(\.bag)) { bags in
                d.withUnsafeBufferPointer {
                    denseGram(rows: d.count, columns: p, $0.baseAddress!, into: h.baseAddress!, workers) {
                        row, columns, values in
                        var count = 0
                        bags.forEachFeature(row) { feature, value in
                            columns[count] = feature
                            values[count] = scale.isEmpty ? Double(value) : scale[feature] * Double(value)
                            count += 1
                        }
                        columns[count] = fixed.count - 1
                        values[count] = 1
                        count += 1
                        for (k, effect) in effects.enumerated() where entities[k][row] >= 0 {
                            let entity = Int(entities[k][row])
                            let base = bases[k + 1] + effect.layout.offsets[entity]
                            withBagPointers(effect.layout.bags) { bags in
                                effect.layout.forEachKnown(row, entity, bags) { column, value in
                                    (columns[count], values[count]) = (base + column, value)
                                    count += 1
                                }
                            }
                        }
                        return count
                    }
                }
            }
            for j in 0..<fixed.count - 1 { h[j * p + j] += fixed.l2 }
            for (k, effect) in effects.enumerated() {
                for j in bases[k + 1]..<bases[k + 2] { h[j * p + j] += effect.coordinate.l2 }
            }
            return (try? Cholesky.factor(p, h.baseAddress!)) != nil
        }
    }

    /// The entity that each example is fitted in; −1: none.
    private static func fittedEntities(_ layout: EntityLayout, count: Int) -> [Int32] {
        var found = [Int32](repeating: -1, count: count)
        for e in 0..<layout.entityCount {
            for i in layout.fitted.range(e) { found[Int(layout.fitted.rows[i])] = Int32(e) }
        }
        return found
    }

    /// Solves for the block's variables within all of them. bases: first variable of each coordinate, then the end.
    func apply(_ r: UnsafePointer<Double>, into z: UnsafeMutablePointer<Double>, bases all: [Int]) {
        var v: [Double] = []
        for k in coordinates { v += UnsafeBufferPointer(start: r + all[k], count: all[k + 1] - all[k]) }
        v.withUnsafeMutableBufferPointer { v in
            factor.withUnsafeBufferPointer { Cholesky.solve(bases.last!, factor: $0.baseAddress!, v.baseAddress!) }
            for (i, k) in coordinates.enumerated() {
                (z + all[k]).update(from: v.baseAddress! + bases[i], count: all[k + 1] - all[k])
            }
        }
    }
}
