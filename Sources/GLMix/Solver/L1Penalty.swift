/// γ·Σ|x_j| over a range of the variables. With it F has a kink where an x_j is 0; within an orthant it is smooth.
struct L1Penalty: Sendable, Equatable {
    let range: Range<Int>
    /// γ > 0.
    let strength: Double

    func value(_ x: [Double]) -> Double {
        var total = 0.0
        for j in range { total += abs(x[j]) }
        return strength * total
    }

    /// The subgradient of least norm at x, from the gradient of the smooth part: 0 at a minimum.
    func subgradient(_ gradient: [Double], at x: [Double]) -> [Double] {
        var g = gradient
        for j in range {
            if x[j] != 0 {
                g[j] += x[j] > 0 ? strength : -strength
            } else {
                g[j] = g[j] > strength ? g[j] - strength : g[j] < -strength ? g[j] + strength : 0
            }
        }
        return g
    }

    /// Which variables a step may move: all but those that are best left at 0, and those that were found to move from 0
    /// against their descent (`blocked`).
    func free(_ x: [Double], _ subgradient: [Double], blocked: [Bool]) -> [Bool] {
        var free = [Bool](repeating: true, count: x.count)
        for j in range where x[j] == 0 { free[j] = subgradient[j] != 0 && !blocked[j] }
        return free
    }

    /// Puts what left its orthant back to 0: the sign of x_j, or where x_j = 0 that of its descent.
    func project(_ trial: inout [Double], from x: [Double], _ subgradient: [Double]) {
        for j in range {
            let side = x[j] != 0 ? x[j] : -subgradient[j]
            if trial[j] * side <= 0 { trial[j] = 0 }
        }
    }

    /// Marks the variables at 0 that a direction moves against their descent.
    func block(_ direction: [Double], at x: [Double], _ subgradient: [Double], _ blocked: inout [Bool]) {
        for j in range where x[j] == 0 && direction[j] * subgradient[j] > 0 { blocked[j] = true }
    }
}
