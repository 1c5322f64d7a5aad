import DenseAlgebra

/// Value, gradient (n) and Hessian (n × n, row-major) of a convex function.
struct SecondOrder {
    var loss: Double
    var gradient: [Double]
    var hessian: [Double]

    init(size: Int) {
        (loss, gradient, hessian) = (0, .init(repeating: 0, count: size), .init(repeating: 0, count: size * size))
    }

    /// As one vector, so that partial sums add up over the tree.
    var flat: [Double] { [loss] + gradient + hessian }

    init(flat: [Double], size: Int) {
        loss = flat[0]
        gradient = Array(flat[1..<1 + size])
        hessian = Array(flat[(1 + size)...])
    }
}

/// Newton's method with step halving for a handful of parameters (Boyd & Vandenberghe 2004, algorithm 9.5).
/// Stops when half the squared Newton decrement is below `tolerance`.
enum ConvexNewton {
    static func minimise(
        _ start: [Double], active: [Bool], tolerance: Double = 1e-7, iterations: Int = 30,
        _ evaluate: ([Double]) -> SecondOrder
    ) -> (point: [Double], loss: Double) {
        let free = active.indices.filter { active[$0] }
        var point = start
        var now = evaluate(point)
        for _ in 0..<iterations {
            guard let step = direction(now, free) else { break }
            let decrement = zip(free, step).reduce(0) { $0 - now.gradient[$1.0] * $1.1 }
            if decrement / 2 < tolerance { break }
            var (size, accepted) = (1.0, false)
            for _ in 0..<20 {
                var trial = point
                for (i, s) in zip(free, step) { trial[i] += size * s }
                let next = evaluate(trial)
                if next.loss <= now.loss - 0.1 * size * decrement {
                    (point, now, accepted) = (trial, next, true)
                    break
                }
                size /= 2
            }
            if !accepted { break }
        }
        return (point, now.loss)
    }

    /// −H⁻¹g over the free parameters; nil if H is not positive definite.
    private static func direction(_ at: SecondOrder, _ free: [Int]) -> [Double]? {
        let n = at.gradient.count
        var matrix = free.flatMap { i in free.map { j in at.hessian[i * n + j] } }
        var step = free.map { -at.gradient[$0] }
        let solved = matrix.withUnsafeMutableBufferPointer { a -> Bool in
            guard let base = a.baseAddress, (try? Cholesky.factor(free.count, base)) != nil else { return false }
            step.withUnsafeMutableBufferPointer { Cholesky.solve(free.count, factor: base, $0.baseAddress!) }
            return true
        }
        return solved ? step : nil
    }
}
