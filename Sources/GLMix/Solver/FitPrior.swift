import LinearAlgebra
import Platform

/// What is believed of the coefficients before a fit: an earlier fit's means and variances, independent and normal. Where
/// there is one, (θ − μ)²/(2σ²) takes the place of (λ/2)·θ²; other coefficients keep their λ, and the fixed effect's
/// intercept is free, started from its mean.
///
/// The fit works on φ = (θ − μ)/s, s = σ·√λ: its penalty is (λ/2)·φ², its features are s·x, and μ's margins are
/// offsets. So solvers and certificate need to know nothing of it.
package struct FitPrior: Sendable {
    /// By coordinate of the fit; entities and features numbered as in it.
    package var means: [Coefficients]
    /// Aligned with the values of `means`; positive and finite.
    package var variances: [[Double]]

    package init(means: [Coefficients], variances: [[Double]]) {
        precondition(zip(means, variances).allSatisfy { $0.values.count == $1.count })
        (self.means, self.variances) = (means, variances)
    }

    func validate(_ coordinates: [Coordinate]) throws {
        precondition(means.count == coordinates.count)
        for (k, coordinate) in coordinates.enumerated() {
            if coordinate.l1 > 0 {
                throw GLMixError.badCoordinate(name: coordinate.name, reason: "l1 and a prior exclude each other")
            }
            if variances[k].contains(where: { !($0 > 0 && $0.isFinite) })
                || means[k].values.contains(where: { !$0.isFinite })
            {
                throw GLMixError.badCoordinate(
                    name: coordinate.name,
                    reason: "the prior has a mean that is not finite or a variance that is not > 0")
            }
        }
    }

    /// The examples' offsets plus the margins of μ.
    func offsets(_ examples: Examples, _ coordinates: [Coordinate], _ workers: Workers) -> [Float] {
        GLMixModel(coordinates: coordinates, coefficients: means).margins(of: examples, workers: workers).map {
            Float($0)
        }
    }

    /// s of every feature of a fixed effect.
    func scale(_ k: Int, _ coordinate: Coordinate, featureCount: Int) -> [Double] {
        var scale = [Double](repeating: 1, count: featureCount)
        for at in means[k].values.indices {
            scale[Int(means[k].features[at])] = (coordinate.l2 * variances[k][at]).squareRoot()
        }
        scale[featureCount - 1] = 1
        return scale
    }

    /// s of the features of each entity of a random effect.
    func scale(_ k: Int, _ coordinate: Coordinate, _ offsets: [Int], _ features: [UInt32]) -> [Double] {
        var scale = [Double](repeating: 1, count: features.count)
        let known = means[k]
        for e in 0..<min(known.entityCount, offsets.count - 1) {
            var at = offsets[e]
            for from in known.range(e) {
                while at < offsets[e + 1], features[at] < known.features[from] { at += 1 }
                if at < offsets[e + 1], features[at] == known.features[from] {
                    scale[at] = (coordinate.l2 * variances[k][from]).squareRoot()
                }
            }
        }
        return scale
    }

    /// θ = μ + s·φ with variances s²·Var φ (where there are any), and the prior itself where the fit has no row.
    func moved(_ state: FitState, _ variances: [[Double]]) -> GLMixModel {
        var model = state.model([])
        for (k, part) in state.parts.enumerated() {
            let scale =
                switch part {
                case .fixed(let fixed, _): fixed.design.scale
                case .random(let effect): effect.layout.scale
                }
            let own = model.coefficients[k]
            let spread = variances.isEmpty ? nil : variances[k].indices.map { scale[$0] * scale[$0] * variances[k][$0] }
            let step = own.values.indices.map { scale[$0] * own.values[$0] }
            let moved = merged(k, own, step, spread)
            model.coefficients[k] = moved.0
            if let variances = moved.1 { model.variances.append(variances) }
        }
        return model
    }

    /// The union of a coordinate's coefficients and its prior's.
    private func merged(
        _ k: Int, _ own: Coefficients, _ step: [Double], _ spread: [Double]?
    ) -> (Coefficients, [Double]?) {
        let (known, entities) = (means[k], own.entityCount)
        var (offsets, features, values, all) = ([0], [UInt32](), [Double](), [Double]())
        for e in 0..<entities {
            var from = e < known.entityCount ? known.range(e) : 0..<0
            var at = own.range(e)
            while !at.isEmpty || !from.isEmpty {
                let a = at.first.map { own.features[$0] } ?? .max
                let b = from.first.map { known.features[$0] } ?? .max
                features.append(min(a, b))
                values.append((a <= b ? step[at.lowerBound] : 0) + (b <= a ? known.values[from.lowerBound] : 0))
                all.append(a <= b ? spread?[at.lowerBound] ?? 0 : variances[k][from.lowerBound])
                if a <= b { at = at.dropFirst() }
                if b <= a { from = from.dropFirst() }
            }
            offsets.append(features.count)
        }
        return (Coefficients(offsets: offsets, features: features, values: values), spread == nil ? nil : all)
    }
}
