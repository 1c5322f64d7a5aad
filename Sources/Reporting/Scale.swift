/// From data to 0 … 1 along one axis.
package struct Scale: Sendable {
    package let low: Double
    package let high: Double
    /// Equal ratios, not equal differences, are equally long; both ends are positive.
    package let isLogarithmic: Bool

    package init(_ low: Double, _ high: Double, logarithmic: Bool = false) {
        precondition(!logarithmic || low > 0)
        self.low = low
        self.high = high > low ? high : low + 1
        isLogarithmic = logarithmic
    }

    /// Around all values, with ends at round numbers.
    package init(covering values: [Double], including more: [Double] = []) {
        let all = (values + more).filter(\.isFinite)
        let (low, high) = (all.min() ?? 0, all.max() ?? 1)
        let step = Scale.step(max(high - low, abs(high) * 1e-3), 4)
        self.init((low / step).rounded(.down) * step, (high / step).rounded(.up) * step)
    }

    package func position(_ value: Double) -> Double {
        let share =
            isLogarithmic
            ? Logarithm.of(max(value, low) / low) / Logarithm.of(high / low) : (value - low) / (high - low)
        return min(max(share, 0), 1)
    }

    /// Round numbers, about `count` of them.
    package func ticks(_ count: Int = 4) -> [Double] {
        if isLogarithmic {
            var (ticks, decade) = ([Double](), 1e-9)
            while decade <= high * 1.0001 {
                if decade >= low * 0.9999 { ticks.append(decade) }
                decade *= 10
            }
            return ticks
        }
        let step = Scale.step(high - low, count)
        let first = (low / step).rounded(.up)
        let last = (high / step + 1e-9).rounded(.down)
        if first > last { return [] }
        return stride(from: first, through: last, by: 1).map { $0 * step }
    }

    /// 1, 2 or 5 times a power of ten, so that about `count` of them make the span.
    static func step(_ span: Double, _ count: Int) -> Double {
        var power = 1e-12
        let raw = max(span, 1e-12) / Double(count)
        while power * 10 <= raw { power *= 10 }
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= raw * 0.999 } ?? 10 * power
    }

    /// Decimals that tell neighbouring ticks apart.
    package func digits(_ count: Int = 4) -> Int {
        var (step, digits) = (Scale.step(high - low, count), 0)
        while step < 0.999 && digits < 6 {
            step *= 10
            digits += 1
        }
        return digits
    }
}

/// log without libm or a dependency: enough for drawing (1e-12).
package enum Logarithm {
    /// ln x, x > 0: x = m·2^e, then 2·artanh((m − 1)/(m + 1)).
    package static func of(_ x: Double) -> Double {
        var (m, e) = (x.significand, Double(x.exponent))
        if m > 1.4142135623730951 {
            m /= 2
            e += 1
        }
        let t = (m - 1) / (m + 1)
        var (power, sum) = (t, 0.0)
        for odd in stride(from: 1.0, to: 32, by: 2) {
            sum += power / odd
            power *= t * t
        }
        return 2 * sum + e * 0.6931471805599453
    }
}
