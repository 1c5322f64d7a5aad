import LinearAlgebra

/// M⁻¹ for the joint Newton system, M its block diagonal: one block per entity of each random effect, one for the
/// fixed effect. An entity with fewer rows than features has the factor of the dual system B = λI + S·X·Xᵀ·S of
/// order m, and
///
///     M⁻¹·r = (r − Xᵀ·S·B⁻¹·S·X·r)/λ        S = √D   (Woodbury)
///
/// Factors are kept from one point to the next Newton step. Where they would need more than `mostValues`, and for a
/// fixed effect with many features, the diagonal of the Hessian takes their place.
final class BlockPreconditioner {
    /// Float64 values of all factors together: 512 MiB.
    static let mostValues = 1 << 26

    private let state: FitState
    private var blocks: [Block]

    private enum Block {
        case dense([Double])
        case diagonal([Double])
        /// Factor of entity e from `starts[e]`; −1: the entity's diagonal is in `diagonal`.
        case entities(starts: [Int], factors: [Double], curvature: [Double], diagonal: [Double])
    }

    init(_ state: FitState) {
        self.state = state
        blocks = []
    }

    /// Computes all factors. margins: z; curvature: w·ℓ″, both one per example.
    func factor(margins: [Double], curvature: [Double]) {
        var room = Self.mostValues
        blocks = state.parts.map { part in
            switch part {
            case .fixed(let fixed, _): return factor(fixed, margins)
            case .random(let effect): return factor(effect, curvature, &room)
            }
        }
    }

    private func factor(_ fixed: FixedEffect, _ margins: [Double]) -> Block {
        fixed.move(toMargins: margins)
        if fixed.usesCholesky {
            var h = fixed.hessian()
            let isDefinite = h.withUnsafeMutableBufferPointer { h in
                (try? Cholesky.factor(fixed.count, h.baseAddress!)) != nil
            }
            if isDefinite { return .dense(h) }
        }
        return .diagonal(fixed.hessianDiagonal())
    }

    private func factor(_ effect: RandomEffect, _ curvature: [Double], _ room: inout Int) -> Block {
        var starts = [Int](repeating: -1, count: effect.fitted.count)
        var size = 0
        for e in 0..<effect.fitted.count where !effect.fitted.range(e).isEmpty {
            let order = min(effect.fitted.range(e).count, effect.support.range(e).count)
            if order * order > room { continue }
            starts[e] = size
            size += order * order
            room -= order * order
        }
        var factors = [Double](repeating: 0, count: size)
        var diagonal: [Double] = []
        if starts.indices.contains(where: { starts[$0] < 0 && !effect.fitted.range($0).isEmpty }) {
            diagonal = hessianDiagonal(effect, curvature)
        }
        factors.withUnsafeMutableBufferPointer { factors in
            nonisolated(unsafe) let factors = factors.baseAddress!
            effect.forEachEntity { scratch, e in
                if starts[e] < 0 { return }
                scratch.load(e, effect, offsets: curvature)
                let solver = scratch.solver
                solver.useCurvature()
                let factor = factors + starts[e]
                if solver.usesDual {
                    solver.fillKernel()
                    solver.dualSystem(into: factor)
                } else {
                    solver.primalHessian(into: factor)
                }
                precondition(
                    SmallCholesky.factor(min(solver.rowCount, solver.featureCount), factor),
                    "a Hessian with a positive penalty is positive definite")
            }
        }
        return .entities(starts: starts, factors: factors, curvature: curvature, diagonal: diagonal)
    }

    private func hessianDiagonal(_ effect: RandomEffect, _ curvature: [Double]) -> [Double] {
        var d = [Double](repeating: 0, count: effect.values.count)
        d.withUnsafeMutableBufferPointer { d in
            curvature.withUnsafeBufferPointer {
                effect.multiplyTransposed($0.baseAddress!, into: d.baseAddress!, squared: true)
            }
        }
        return d.map { $0 + effect.coordinate.l2 }
    }

    /// M⁻¹·r; bases: first variable of each coordinate, then the end.
    func apply(_ r: [Double], bases: [Int]) -> [Double] {
        var z = r
        z.withUnsafeMutableBufferPointer { z in
            for (k, block) in blocks.enumerated() {
                let own = z.baseAddress! + bases[k]
                let count = bases[k + 1] - bases[k]
                switch block {
                case .dense(let factor):
                    factor.withUnsafeBufferPointer { Cholesky.solve(count, factor: $0.baseAddress!, own) }
                case .diagonal(let d): for j in 0..<count { own[j] /= d[j] }
                case .entities(let starts, let factors, let curvature, let diagonal):
                    guard case .random(let effect) = state.parts[k] else { preconditionFailure() }
                    apply(effect, starts, factors, curvature, diagonal, own)
                }
            }
        }
        return z
    }

    private func apply(
        _ effect: RandomEffect, _ starts: [Int], _ factors: [Double], _ curvature: [Double], _ diagonal: [Double],
        _ z: UnsafeMutablePointer<Double>
    ) {
        factors.withUnsafeBufferPointer { factors in
            let l2 = effect.coordinate.l2
            effect.forEachEntity { scratch, e in
                let range = effect.support.range(e)
                let own = z + range.lowerBound
                if starts[e] < 0 {
                    for (j, at) in range.enumerated() { own[j] /= diagonal[at] }
                    return
                }
                let factor = factors.baseAddress! + starts[e]
                let (m, n) = (effect.fitted.range(e).count, range.count)
                if m >= n { return SmallCholesky.solve(n, factor, own) }
                scratch.load(e, effect, offsets: curvature)
                let solver = scratch.solver
                solver.useCurvature()
                let v = solver.margins.base
                solver.multiply(own, into: v)
                for i in 0..<m { v[i] *= solver.curvature(i).squareRoot() }
                SmallCholesky.solve(m, factor, v)
                for i in 0..<m { v[i] *= -solver.curvature(i).squareRoot() }
                solver.addTransposed(v, to: own)
                for j in 0..<n { own[j] /= l2 }
            }
        }
    }
}
