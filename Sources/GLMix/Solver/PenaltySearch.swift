import LinearAlgebra

/// Searches the λ's of all coordinates at once: trial 0 has the given ones, the others are points of a Sobol sequence in
/// the logarithms of the factors from 1/`span` to `span`.
package struct PenaltySearch: Sendable {
    package var trials: Int
    package var span = 32.0
    /// Fits of trials end earlier: what is compared are predictions.
    package var tolerance = 1e-5

    package struct Trial: Sendable, Equatable {
        /// λ of each coordinate.
        package var penalties: [Double]
        /// What is minimised; NaN until it is measured.
        package var loss: Double
    }

    package init(trials: Int) { self.trials = trials }

    /// Fits every trial and measures it. A fit starts where the one before it ended.
    /// - Parameter loss: of a fitted model, on rows that it was not fitted on.
    /// - Returns: the trials in order, and the number of the best; of equal ones the earlier.
    package func run(
        _ descent: CoordinateDescent, _ examples: Examples, _ coordinates: [Coordinate], workers: Workers,
        loss: (GLMixModel) -> Double
    ) throws -> (trials: [Trial], best: Int) {
        var descent = descent
        (descent.tolerance, descent.variances) = (max(descent.tolerance, tolerance), .none)
        var sobol = SobolSequence(dimensions: coordinates.count)
        var start: GLMixModel?
        var trials: [Trial] = []
        for number in 0...self.trials {
            var own = coordinates
            if number > 0 {
                for (k, x) in sobol.next().enumerated() {
                    own[k].l2 *= Scalar.exp((2 * x - 1) * Scalar.log(span))
                }
            }
            let model = try descent.fit(examples, own, start: start, workers: workers).model
            trials.append(Trial(penalties: own.map(\.l2), loss: loss(model)))
            start = model
        }
        let best = trials.indices.min { (trials[$0].loss, $0) < (trials[$1].loss, $1) }!
        return (trials, best)
    }
}

/// Points that fill the unit cube evenly (I. M. Sobol' 1967, doi:10.1016/0041-5553(67)90144-9), in the order of P.
/// Bratley and B. L. Fox (algorithm 659, doi:10.1145/42288.214372) with the direction numbers of S. Joe and F. Y. Kuo
/// (2008, doi:10.1137/070709359). The point 0 is left out.
package struct SobolSequence: Sendable {
    /// Degree s, coefficients a, and first direction numbers m of dimensions 2, 3, …
    private static let primitive: [(s: Int, a: UInt32, m: [UInt32])] = [
        (1, 0, [1]), (2, 1, [1, 3]), (3, 1, [1, 3, 1]), (3, 2, [1, 1, 1]), (4, 1, [1, 1, 3, 3]), (4, 4, [1, 3, 5, 13]),
        (5, 2, [1, 1, 5, 5, 17]), (5, 4, [1, 1, 5, 5, 5]), (5, 7, [1, 1, 7, 11, 19]),
    ]
    package static let mostDimensions = primitive.count + 1

    private let directions: [[UInt32]]
    private var state: [UInt32]
    private var index: UInt32 = 0

    package init(dimensions: Int) {
        precondition(dimensions >= 1 && dimensions <= Self.mostDimensions)
        directions = (0..<dimensions).map { d in
            if d == 0 { return (0..<32).map { UInt32(1) << (31 - $0) } }
            let (s, a, m) = Self.primitive[d - 1]
            var v = [UInt32](repeating: 0, count: 32)
            for i in 0..<32 {
                if i < s {
                    v[i] = m[i] << (31 - UInt32(i))
                    continue
                }
                v[i] = v[i - s] ^ (v[i - s] >> UInt32(s))
                for k in 1..<max(1, s) where (a >> UInt32(s - 1 - k)) & 1 == 1 { v[i] ^= v[i - k] }
            }
            return v
        }
        state = [UInt32](repeating: 0, count: dimensions)
    }

    /// The next point, in (0, 1)^d.
    package mutating func next() -> [Double] {
        let bit = (~index).trailingZeroBitCount
        index += 1
        for d in state.indices { state[d] ^= directions[d][bit] }
        return state.map { Double($0) / 4_294_967_296 }
    }
}
