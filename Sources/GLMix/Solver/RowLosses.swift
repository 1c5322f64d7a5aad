import LinearAlgebra

/// Σ w·ℓ over all examples and its derivatives by the margins, at the point tried last and at the point accepted last.
/// The parts of a fit share one: they work in turn.
final class RowLosses {
    private let labels: [UInt8]
    private let weights: [Float]
    let workers: Workers
    /// w·ℓ′ and w·ℓ″ at the accepted point, one per example; empty before the first.
    private(set) var residuals: [Double] = []
    private(set) var curvature: [Double] = []
    private var triedResiduals: [Double] = []
    private var triedCurvature: [Double] = []

    init(_ examples: Examples, _ workers: Workers) {
        (labels, weights, self.workers) = (examples.labels, examples.weights, workers)
    }

    var count: Int { labels.count }

    /// Σ w·ℓ at margins z, plus `offsets` if given; one per example.
    func value(_ z: [Double], plus offsets: [Double]? = nil) -> Double {
        if triedResiduals.isEmpty {
            (triedResiduals, triedCurvature) = ([Double](filledLater: count), [Double](filledLater: count))
        }
        return triedResiduals.withUnsafeMutableBufferPointer { first in
            triedCurvature.withUnsafeMutableBufferPointer { second in
                let sum = dealtBlockSum(count, workers) { rows in
                    let at = rows.lowerBound
                    func sum(_ z: UnsafePointer<Double>) -> Double {
                        evaluate(rows, z, first: first.baseAddress! + at, second: second.baseAddress! + at)
                    }
                    guard let offsets else { return z.withUnsafeBufferPointer { sum($0.baseAddress! + at) } }
                    return withUnsafeTemporaryAllocation(of: Double.self, capacity: rows.count) { moved in
                        for i in rows { moved[i - at] = z[i] + offsets[i] }
                        return sum(moved.baseAddress!)
                    }
                }
                for out in [first, second] where count > 0 { shareBlocks(out.baseAddress!, count, workers) }
                return sum
            }
        }
    }

    /// Σ w·ℓ of some rows alone, without the derivatives. z: one per row of these.
    func value(_ rows: Range<Int>, _ z: UnsafePointer<Double>) -> Double {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * rows.count) { unused in
            evaluate(rows, z, first: unused.baseAddress!, second: unused.baseAddress! + rows.count)
        }
    }

    /// z, first and second: one per row of these.
    private func evaluate(
        _ rows: Range<Int>, _ z: UnsafePointer<Double>, first: UnsafeMutablePointer<Double>,
        second: UnsafeMutablePointer<Double>
    ) -> Double {
        labels.withUnsafeBufferPointer { labels in
            weights.withUnsafeBufferPointer { weights in
                LogisticRows.evaluate(
                    rows.count, z, positive: labels.baseAddress! + rows.lowerBound,
                    weights: weights.baseAddress! + rows.lowerBound, first: first, second: second)
            }
        }
    }

    /// Makes the point tried last the accepted one.
    func accept() {
        swap(&residuals, &triedResiduals)
        swap(&curvature, &triedCurvature)
    }

    /// Σ w·ℓ″ at the accepted point.
    func totalCurvature() -> Double {
        curvature.withUnsafeBufferPointer { curvature in
            blockSum(curvature.count, workers) { rows in
                var total = 0.0
                for i in rows { total += curvature[i] }
                return total
            }
        }
    }

    /// v∘(w·ℓ″) in the place of v.
    func scaleByCurvature(_ v: inout [Double]) {
        curvature.withUnsafeBufferPointer { curvature in
            v.withUnsafeMutableBufferPointer { v in
                forBlocks(v.count, workers) { rows in for i in rows { v[i] *= curvature[i] } }
            }
        }
    }
}
