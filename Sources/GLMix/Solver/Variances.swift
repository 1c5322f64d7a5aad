import DenseAlgebra

/// How the uncertainty of coefficients is told.
package enum VarianceKind: String, Sendable, CaseIterable {
    case none
    /// 1/H_jj: as if every other coefficient were known.
    case diagonal
    /// (H⁻¹)_jj of the coefficient's own block, which is an entity's coefficients or the fixed effect's, as if the other
    /// blocks were known.
    case full
}

/// Laplace's approximation at the optimum: the posterior variance of a coefficient under its penalty as prior, from the
/// Hessian H = Xᵀ·diag(w·ℓ″)·X + λI of its block.
extension FitState {
    /// Largest fixed effect whose Hessian is inverted for `full`: 1 GiB.
    static let mostFullFeatures = 1 << 13

    /// Aligned with the coefficients of each coordinate. margins: z at the coefficients, one per example.
    func variances(_ kind: VarianceKind, margins: [Double]) -> [[Double]] {
        if kind == .none { return [] }
        _ = losses.value(margins)
        losses.accept()
        return parts.map { part in
            switch part {
            case .fixed(let fixed, _):
                fixed.noteMove()
                return kind == .full ? fixed.inverseDiagonal() : fixed.hessianDiagonal().map { 1 / $0 }
            case .random(let effect): return effect.variances(kind, curvature: losses.curvature)
            }
        }
    }
}

extension FixedEffect {
    /// diag(H⁻¹) at the accepted point; for at most `FitState.mostFullFeatures` features.
    func inverseDiagonal() -> [Double] {
        let p = count
        var h = hessian()
        return h.withUnsafeMutableBufferPointer { h -> [Double] in
            // only the free intercept can be singular: then nothing is known
            do {
                try Cholesky.factor(p, h.baseAddress!)
                try Cholesky.invert(p, h.baseAddress!)
            } catch { return [Double](repeating: .infinity, count: p) }
            return (0..<p).map { h[$0 * p + $0] }
        }
    }
}

extension RandomEffect {
    /// Aligned with the coefficients. curvature: w·ℓ″, one per example.
    func variances(_ kind: VarianceKind, curvature: [Double]) -> [Double] {
        var out = [Double](repeating: 0, count: values.count)
        out.withUnsafeMutableBufferPointer { out in
            let out = out.baseAddress!
            forEachLoaded(curvature: curvature) { solver, view, e in
                solver.variances(kind, into: out + view.range(e).lowerBound)
            }
            share(out)
        }
        return out
    }
}

extension EntitySolver {
    /// One per feature of the loaded entity, at the curvature loaded.
    func variances(_ kind: VarianceKind, into out: UnsafeMutablePointer<Double>) {
        if kind == .diagonal {
            out.update(repeating: l2, count: featureCount)
            for i in 0..<rowCount {
                forEachNonzero(i) { column, x in out[column] += curvature(i) * x * x }
            }
            for j in 0..<featureCount { out[j] = 1 / out[j] }
        } else if usesDual {
            dualInverseDiagonal(into: out)
        } else {
            primalInverseDiagonal(into: out)
        }
    }

    /// (H⁻¹)_jj = ‖L⁻¹·e_j‖² with H = L·Lᵀ.
    private func primalInverseDiagonal(into out: UnsafeMutablePointer<Double>) {
        let n = featureCount
        let factor = matrix.base
        primalHessian(into: factor)
        precondition(
            SmallSystem.factor(n, factor, column: step.base), "a Hessian with a positive penalty is positive definite")
        let v = step.base
        for j in 0..<n {
            // L·v = e_j: v is 0 before j
            var total = 0.0
            for i in j..<n {
                var rest = i == j ? 1.0 : 0.0
                for k in j..<i { rest -= factor[i * n + k] * v[k] }
                v[i] = rest / factor[i * n + i]
                total += v[i] * v[i]
            }
            out[j] = total
        }
    }

    /// H⁻¹ = (I − Xᵀ·S·B⁻¹·S·X)/λ, B = λI + S·X·Xᵀ·S = L·Lᵀ: (H⁻¹)_jj = (1 − ‖L⁻¹·S·x_j‖²)/λ, x_j a column of X.
    private func dualInverseDiagonal(into out: UnsafeMutablePointer<Double>) {
        let (m, n) = (rowCount, featureCount)
        let factor = matrix.base
        fillKernel()
        dualSystem(into: factor)
        precondition(
            SmallSystem.factor(m, factor, column: step.base), "a Hessian with a positive penalty is positive definite")
        dense.reserve(n * m)
        let x = dense.base  // n × m
        x.update(repeating: 0, count: n * m)
        for i in 0..<m {
            let root = curvature(i).squareRoot()
            forEachNonzero(i) { column, value in x[column * m + i] = root * value }
        }
        for j in 0..<n {
            let v = x + j * m
            var total = 0.0
            for i in 0..<m {
                var rest = v[i]
                for k in 0..<i { rest -= factor[i * m + k] * v[k] }
                v[i] = rest / factor[i * m + i]
                total += v[i] * v[i]
            }
            out[j] = (1 - total) / l2
        }
    }
}
