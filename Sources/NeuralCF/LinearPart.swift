import LinearAlgebra

/// The frozen parameters of trend and wide: epoch 0 of every training.
package struct LinearPart: Codable, Sendable, Equatable {
    /// π_k of `NewcomerTrend`, for empty contexts; all 0: no trend.
    package var newcomerShares: [Double]
    /// w_h of `Trend`, for the others.
    package var trendOther: [Double]
    /// Weight of the wide part, ≥ 0.
    package var gamma: Double
    /// Decay of the wide part: exp(−a·log(1 + age in days) − b·log(1 + position from the end)), a, b ≥ 0.
    package var decay: Decay

    package struct Decay: Codable, Sendable, Hashable {
        package var age: Double
        package var position: Double
        package init(age: Double, position: Double) { (self.age, self.position) = (age, position) }
    }

    package init(newcomerShares: [Double], trendOther: [Double], gamma: Double, decay: Decay) {
        precondition(newcomerShares.count == NewcomerTrend.listCount && trendOther.count == Trend.featureCount)
        precondition(gamma >= 0 && decay.age >= 0 && decay.position >= 0)
        (self.newcomerShares, self.trendOther, self.gamma, self.decay) = (newcomerShares, trendOther, gamma, decay)
    }

    var withoutWide: LinearPart {
        LinearPart(newcomerShares: newcomerShares, trendOther: trendOther, gamma: 0, decay: decay)
    }

    /// Neither trend nor wide.
    package static let none = LinearPart(
        newcomerShares: [0, 0, 0, 0], trendOther: [0, 0, 0, 0], gamma: 0, decay: Decay(age: 0, position: 0))
}

extension LinearPart.Decay {
    /// Weights of a context, oldest moment first; the newest has position 0.
    @inline(__always)
    func weights(_ span: MomentSpan, at time: Int64, logs: LogTable, into out: UnsafeMutablePointer<Float>) {
        for k in 0..<span.count {
            let days = Double(time - span.times[k]) / 86_400
            out[k] = Scalar.exp(Float(-age * Scalar.log(1 + days) - position * logs[span.count - 1 - k]))
        }
    }
}

/// log(1 + n) for small n.
struct LogTable: Sendable {
    private let values: [Double]

    init() { values = (0..<1_024).map { Scalar.log(1 + Double($0)) } }

    @inline(__always)
    subscript(_ n: Int) -> Double { n < values.count ? values[n] : Scalar.log(1 + Double(n)) }
}
