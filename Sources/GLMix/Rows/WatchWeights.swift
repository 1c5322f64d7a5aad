import LinearAlgebra

/// Importance of a positive by the watch time that followed it:
///
///     w = 1 + κ·min(1, log(1 + v)/log(1 + v95))
///
/// v: watched seconds of that course within the weight window after the engagement; v95: the 95 % quantile of v > 0
/// over the positives before t_v. Without watch time, and for negatives, the weight is 1.
package struct WatchWeights: Sendable, Equatable, Codable {
    /// ≥ 0; 0 is the unweighted model.
    package var kappa: Double
    /// Seconds; 0 if no positive has watch time.
    package var v95: Double

    package init(kappa: Double, v95: Double) { (self.kappa, self.v95) = (kappa, v95) }

    /// - Parameter watched: v of every positive; zeros do not count.
    package init(kappa: Double, watched: [Float]) {
        let sorted = watched.filter { $0 > 0 }.sorted()
        // the smallest v that at least 95 % do not exceed
        v95 = sorted.isEmpty ? 0 : Double(sorted[max(0, (95 * sorted.count + 99) / 100 - 1)])
        self.kappa = kappa
    }

    package func weight(watched v: Float) -> Float {
        if !(v > 0) || v95 <= 0 { return 1 }
        return Float(1 + kappa * min(1, Scalar.log(1 + Double(v)) / Scalar.log(1 + v95)))
    }

    /// (Σw)²/Σw²: how many equally weighted rows tell as much.
    package static func effectiveSampleSize(_ weights: [Float]) -> Double {
        var (sum, squares) = (0.0, 0.0)
        for w in weights {
            sum += Double(w)
            squares += Double(w) * Double(w)
        }
        return squares > 0 ? sum * sum / squares : 0
    }
}
