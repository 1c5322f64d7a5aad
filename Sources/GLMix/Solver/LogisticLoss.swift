import LinearAlgebra

/// The logistic loss of one example.
///
/// Symbols: z is the margin (log odds, offset included), y the label, 0 or 1, p = σ(z) = 1/(1 + e⁻ᶻ).
///
///     ℓ(z, y)  = log(1 + e⁻ᶻ) for y = 1,  log(1 + eᶻ) for y = 0
///     ℓ′(z, y) = p − y        ℓ″(z) = p·(1 − p)
///
/// No margin overflows: for |z| > 745 the loss is |z| or 0 exactly.
package enum LogisticLoss {
    @inline(__always)
    package static func value(_ z: Double, positive: Bool) -> Double { Scalar.log1pExp(positive ? -z : z) }

    @inline(__always)
    package static func probability(_ z: Double) -> Double { Scalar.sigmoid(z) }

    /// ℓ′ and ℓ″ from one exponential.
    @inline(__always)
    static func derivatives(_ z: Double, positive: Bool) -> (first: Double, second: Double) {
        let e = Scalar.exp(z > 0 ? -z : z)
        let small = e / (1 + e)  // the smaller of p and 1 − p, so that 1 − p is never a difference of near equals
        let large = 1 / (1 + e)
        let second = small * large
        if positive { return (z > 0 ? -small : -large, second) }
        return (z > 0 ? large : small, second)
    }
}
