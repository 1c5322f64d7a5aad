import LinearAlgebra

/// M⁻¹ for the joint Newton system, M its block diagonal: one block per entity of each random effect, one for the
/// fixed effect. An entity with fewer rows than features has the factor of the dual system B = λI + S·X·Xᵀ·S of
/// order m, and
///
///     M⁻¹·r = (r − Xᵀ·S·B⁻¹·S·X·r)/λ        S = √D   (Woodbury)
///
/// Factors are kept from one point to the next Newton step. Where they would need more than `mostValues`, the
/// diagonal of the Hessian takes their place. Random effects of few entities (segments) nearly repeat the fixed
/// effect's features, so apart from it they would be hard for conjugate gradients: they share its block
/// (`JoinedBlock`).
final class BlockPreconditioner {
    /// Float64 values of all factors together: 512 MiB.
    static let mostValues = 1 << 26

    private let state: FitState
    private var blocks: [Block] = []
    private var joined: JoinedBlock?
    /// Large dense factors serve until inner solves get long: curvature changes little from step to step.
    private var isStale = true

    private enum Block {
        case fixed(FixedEffect)
        case joined(JoinedBlock)
        /// Part of the joined block.
        case elsewhere
        /// Factor of entity e from `starts[e]`; −1: the entity's diagonal is in `diagonal`. curvature: w·ℓ″ by row.
        case entities(starts: [Int], factors: [Double], curvature: [Double], diagonal: [Double])
    }

    init(_ state: FitState) { self.state = state }

    /// Computes all factors. curvature: w·ℓ″, one per example.
    func factor(curvature: [Double]) {
        var room = Self.mostValues
        blocks = []  // gives the old factors' memory back first
        if isStale { joined = JoinedBlock(state, curvature: curvature) }
        isStale = false
        blocks = state.parts.enumerated().map { k, part in
            switch part {
            case .fixed(let fixed, _):
                if let joined { return .joined(joined) }
                fixed.move(toCurvature: curvature)
                return .fixed(fixed)
            case .random(let effect):
                return joined?.coordinates.contains(k) == true ? .elsewhere : factor(effect, curvature, &room)
            }
        }
    }

    /// Told after each inner solve how many products it took.
    func noteInnerSteps(_ steps: Int) {
        if steps > 20 { isStale = true }
        for case .fixed(let fixed, _) in state.parts { fixed.noteInnerSteps(steps) }
    }

    private func factor(_ effect: RandomEffect, _ curvature: [Double], _ room: inout Int) -> Block {
        let layout = effect.layout
        var starts = [Int](repeating: -1, count: layout.entityCount)
        var size = 0
        var isComplete = true
        for e in 0..<layout.entityCount where !layout.fitted.range(e).isEmpty {
            let order = min(layout.fitted.range(e).count, layout.range(e).count)
            if order * order > room {
                isComplete = false
                continue
            }
            starts[e] = size
            size += order * order
            room -= order * order
        }
        var factors = [Double](unsafeUninitializedCapacity: size) { _, count in count = size }
        factors.withUnsafeMutableBufferPointer { factors in
            let factors = factors.baseAddress!
            effect.forEachLoaded(curvature) { solver, _, e in
                if starts[e] < 0 { return }
                let factor = factors + starts[e]
                solver.useCurvature()
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
        let diagonal = isComplete ? [] : hessianDiagonal(effect, curvature)
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
                switch block {
                case .fixed(let fixed): fixed.precondition(inPlace: own)
                case .joined(let joined): joined.apply(z.baseAddress!, bases: bases)
                case .elsewhere: break
                case .entities(let starts, let factors, let curvature, let diagonal):
                    guard case .random(let effect) = state.parts[k] else { preconditionFailure() }
                    factors.withUnsafeBufferPointer {
                        apply(effect, starts, $0.baseAddress!, curvature, diagonal, own)
                    }
                }
            }
        }
        return z
    }

    private func apply(
        _ effect: RandomEffect, _ starts: [Int], _ factors: UnsafePointer<Double>, _ curvature: [Double],
        _ diagonal: [Double], _ z: UnsafeMutablePointer<Double>
    ) {
        // first the entities that need no rows, then those whose rows must be laid out
        effect.forEachEntity { view, e in
            let range = view.range(e)
            if starts[e] < 0 {
                for at in range { z[at] /= diagonal[at] }
            } else if view.rowRange(e).count >= range.count {
                SmallCholesky.solve(range.count, factors + starts[e], z + range.lowerBound)
            }
        }
        let l2 = effect.coordinate.l2
        effect.forEachLoaded(curvature) { solver, view, e in
            if starts[e] < 0 || !solver.usesDual { return }
            let (own, v, m) = (z + view.offsets[e], solver.margins.base, solver.rowCount)
            solver.useCurvature()
            solver.multiply(own, into: v)
            for i in 0..<m { v[i] *= solver.curvature(i).squareRoot() }
            SmallCholesky.solve(m, factors + starts[e], v)
            for i in 0..<m { v[i] *= -solver.curvature(i).squareRoot() }
            solver.addTransposed(v, to: own)
            for j in 0..<solver.featureCount { own[j] /= l2 }
        }
    }
}
