/// Random numbers without state between uses: a stream is a pure function of (seed, purpose, a, b), so no draw
/// depends on the order in which threads or shards ask. SplitMix64 (Steele, Lea, Flood 2014,
/// doi:10.1145/2660193.2660195) run from a hashed key.
package struct RandomKey: Sendable {
    let key: UInt64

    /// - Parameters:
    ///   - purpose: names what the numbers decide ("ncf.hide"); two purposes never share numbers.
    package init(seed: UInt64, purpose: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        key = mix(mix(seed &+ 0x9e37_79b9_7f4a_7c15) ^ hash)
    }

    /// The stream of one (a, b), for example (epoch, learner).
    package func stream(_ a: UInt64 = 0, _ b: UInt64 = 0) -> CounterRandom {
        CounterRandom(state: mix(mix(key ^ mix(a &+ 0x632b_e59b_d9b4_e019)) ^ mix(b &+ 0x9e6c_63d0_876a_46ad)))
    }

    package func stream(_ a: Int, _ b: Int = 0) -> CounterRandom {
        stream(UInt64(bitPattern: Int64(a)), UInt64(bitPattern: Int64(b)))
    }
}

package struct CounterRandom: RandomNumberGenerator, Sendable {
    var state: UInt64

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return mix(state)
    }

    /// Uniform in [0, 1), 53 bits.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform in 0..<bound, bound > 0 (Lemire's multiplication, bias below bound·2⁻⁶⁴).
    package mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// Standard normal: sum-free polar method (Marsaglia & Bray 1964), one of the pair is used.
    package mutating func normal() -> Double {
        while true {
            let u = 2 * uniform() - 1
            let v = 2 * uniform() - 1
            let s = u * u + v * v
            if s > 0 && s < 1 { return u * (-2 * Scalar.log(s) / s).squareRoot() }
        }
    }

    /// Fisher–Yates.
    package mutating func shuffle<Element>(_ values: inout [Element]) {
        var i = values.count - 1
        while i > 0 {
            values.swapAt(i, below(i + 1))
            i -= 1
        }
    }
}

/// SplitMix64's finaliser: a bijection whose output bits all depend on all input bits.
@inline(__always)
package func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
}
