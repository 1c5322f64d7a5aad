import DenseAlgebra

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
    /// Float32 values of all factors together: 512 MiB.
    static let mostValues = 1 << 27

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
        case entities(Factors)
    }

    private struct Factors {
        /// Packed factor of entity e from `starts[e]`; −1: the entity's diagonal is in `diagonal`.
        var starts: [Int]
        var values: [Float]
        /// √(w·ℓ″) of the fitted rows in their order.
        var roots: [Double]
        var diagonal: [Double] = []
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
            let packed = SmallSystem.packedCount(order)
            if packed > room {
                isComplete = false
                continue
            }
            starts[e] = size
            size += packed
            room -= packed
        }
        var factors = Factors(
            starts: starts, values: [Float](filledLater: size),
            roots: layout.fitted.rows.map { curvature[Int($0)].squareRoot() })
        factors.values.withUnsafeMutableBufferPointer { values in
            guard let values = values.baseAddress else { return }
            effect.forEachLoaded(curvature: curvature) { solver, _, e in
                if starts[e] < 0 { return }
                let (factor, order) = (solver.matrix.base, min(solver.rowCount, solver.featureCount))
                if solver.usesDual {
                    solver.fillKernel()
                    solver.dualSystem(into: factor)
                } else {
                    solver.primalHessian(into: factor)
                }
                precondition(
                    SmallSystem.factor(order, factor, column: solver.step.base),
                    "a Hessian with a positive penalty is positive definite")
                SmallSystem.pack(order, factor, into: values + starts[e])
            }
        }
        if !isComplete { factors.diagonal = hessianDiagonal(effect, curvature) }
        return .entities(factors)
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

    /// z = M⁻¹·r; bases: first variable of each coordinate, then the end.
    func apply(_ r: [Double], into z: inout [Double], bases: [Int]) {
        z.withUnsafeMutableBufferPointer { z in
            r.withUnsafeBufferPointer { r in
                for (k, block) in blocks.enumerated() {
                    let (from, own) = (r.baseAddress! + bases[k], z.baseAddress! + bases[k])
                    switch block {
                    case .fixed(let fixed):
                        own.update(from: from, count: bases[k + 1] - bases[k])
                        fixed.precondition(inPlace: own)
                    case .joined(let joined): joined.apply(r.baseAddress!, into: z.baseAddress!, bases: bases)
                    case .elsewhere: break
                    case .entities(let factors):
                        guard case .random(let effect) = state.parts[k] else { preconditionFailure() }
                        apply(factors, effect, from, into: own)
                    }
                }
            }
        }
    }

    private func apply(
        _ factors: Factors, _ effect: RandomEffect, _ r: UnsafePointer<Double>, into z: UnsafeMutablePointer<Double>
    ) {
        let l2 = effect.coordinate.l2
        factors.values.withUnsafeBufferPointer { values in
            factors.roots.withUnsafeBufferPointer { roots in
                effect.forEachEntity { v, dense, view, e in
                    let (range, rows) = (view.range(e), view.rowRange(e))
                    let own = z + range.lowerBound
                    own.update(from: r + range.lowerBound, count: range.count)
                    if factors.starts[e] < 0 {
                        for at in range { z[at] /= factors.diagonal[at] }
                        return
                    }
                    let factor = values.baseAddress! + factors.starts[e]
                    if rows.count >= range.count { return SmallSystem.solvePacked(range.count, factor, own) }
                    let root = roots.baseAddress! + rows.lowerBound
                    view.multiply(e, own, dense: dense, into: v)
                    for i in 0..<rows.count { v[i] *= root[i] }
                    SmallSystem.solvePacked(rows.count, factor, v)
                    for i in 0..<rows.count { v[i] *= -root[i] }
                    view.addTransposed(e, v, dense: dense, to: own)
                    for j in 0..<range.count { own[j] /= l2 }
                }
            }
        }
        effect.share(z)
    }
}
