import LinearAlgebra

extension CounterRandom {
    /// An index with probability proportional to its weight.
    /// - Parameter weights: not negative, with a positive sum.
    mutating func index(weights: [Double]) -> Int {
        var rest = uniform() * weights.reduce(0, +)
        for (i, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return i }
        }
        return weights.lastIndex { $0 > 0 }!
    }

    @inline(__always)
    mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

    mutating func normal(_ mean: Double, _ deviation: Double) -> Double { mean + deviation * normal() }

    /// exp of a normal.
    mutating func logNormal(_ mean: Double, _ deviation: Double) -> Double { Scalar.exp(normal(mean, deviation)) }

    mutating func exponential(mean: Double) -> Double { -mean * Scalar.log(1 - uniform()) }

    /// Poisson: by multiplication (Knuth 1969) for small means, rounded normal above 30.
    mutating func poisson(_ mean: Double) -> Int {
        if mean > 30 { return max(0, Int((mean + mean.squareRoot() * normal()).rounded())) }
        let limit = Scalar.exp(-mean)
        var product = uniform()
        var count = 0
        while product > limit {
            product *= uniform()
            count += 1
        }
        return count
    }
}

/// The last index i in `0..<n` with `cumulative[i] <= value`; `cumulative` has n + 1 ascending entries.
@inline(__always)
func slot(_ cumulative: UnsafePointer<Double>, _ range: Range<Int>, _ value: Double) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while high - low > 1 {
        let middle = (low + high) / 2
        if cumulative[middle] <= value { low = middle } else { high = middle }
    }
    return low
}
