import DenseAlgebra
import LinearAlgebra

/// A mean with its 95 % interval.
package struct Interval: Sendable, Equatable, Codable {
    package var mean: Double
    package var low: Double
    package var high: Double

    package init(mean: Double, low: Double, high: Double) { (self.mean, self.low, self.high) = (mean, low, high) }
}

/// Percentile bootstrap intervals of means (Efron & Tibshirani 1993, section 13.3). Learners are resampled with
/// replacement; all rows of a learner (several backtest cuts) come along, and the mean is over rows (a ratio
/// estimator). All columns of one call see the same resamples, so the interval of a column of differences is the
/// paired interval.
package struct Bootstrap: Sendable {
    let key: RandomKey
    package var resamples = 1_000
    package var level = 0.95
    /// Beyond this many learners, learners are dealt at random to so many groups of about equal size and groups are
    /// resampled: the interval is the same to within the noise of its own resamples, its cost no longer grows.
    package var mostUnits = 4_000

    /// - Parameter purpose: tables with different purposes draw different resamples.
    package init(seed: UInt64, purpose: String = "bootstrap") {
        key = RandomKey(seed: seed, purpose: purpose)
    }

    /// The mean of one value per learner.
    package func interval(_ values: [Double]) -> Interval {
        intervals(columns: [values], learners: nil)[0]
    }

    /// The mean of a − b, learner by learner.
    package func pairedInterval(_ a: [Double], minus b: [Double]) -> Interval {
        precondition(a.count == b.count)
        return interval(zip(a, b).map { $0 - $1 })
    }

    /// - Parameters:
    ///   - columns: equally long, one value per row. No rows: all zero.
    ///   - learners: whose row it is, any numbers; nil: every row has a learner of its own.
    /// - Complexity: O(rows·columns + resamples·min(learners, `mostUnits`)·columns).
    package func intervals(columns: [[Double]], learners: [Int]?, workers: Workers = Workers(count: 1)) -> [Interval] {
        let rows = columns.first?.count ?? 0
        precondition(columns.allSatisfy { $0.count == rows } && (learners?.count ?? rows) == rows)
        if rows == 0 { return columns.map { _ in Interval(mean: 0, low: 0, high: 0) } }
        let units = unitNumbers(rows: rows, learners)
        // Sums per unit, columns contiguous; the last column counts the rows.
        let width = columns.count + 1
        var sums = [Double](repeating: 0, count: units.count * width)
        for row in 0..<rows {
            let at = units.ofRow[row] * width
            for (column, values) in columns.enumerated() { sums[at + column] += values[row] }
            sums[at + columns.count] += 1
        }
        let means = resampledMeans(sums, units: units.count, width: width, workers)
        return columns.indices.map { column in
            let sorted = means.map { $0[column] }.sorted()
            let tail = (1 - level) / 2
            return Interval(
                mean: columns[column].reduce(0, +) / Double(rows), low: quantile(sorted, tail),
                high: quantile(sorted, 1 - tail))
        }
    }

    /// One array of column means per resample: a product of how often each unit was drawn with the units' sums, by blocks
    /// of resamples that do not depend on the number of threads.
    private func resampledMeans(_ sums: [Double], units: Int, width: Int, _ workers: Workers) -> [[Double]] {
        let block = 50
        return workers.map((resamples + block - 1) / block) { at -> [[Double]] in
            let range = at * block..<min((at + 1) * block, resamples)
            var times = [Double](repeating: 0, count: range.count * units)
            for (row, resample) in range.enumerated() {
                var random = key.stream(resample)
                for _ in 0..<units { times[row * units + random.below(units)] += 1 }
            }
            var totals = [Double](repeating: 0, count: range.count * width)
            BLAS.multiply(
                m: range.count, n: width, k: units, times, lda: units, sums, ldb: width, &totals, ldc: width)
            return (0..<range.count).map { row in
                let total = totals[row * width..<(row + 1) * width]
                return total.map { $0 / total.last! }
            }
        }.flatMap { $0 }
    }

    private func unitNumbers(rows: Int, _ learners: [Int]?) -> (ofRow: [Int], count: Int) {
        var numbers: [Int: Int] = [:]
        var ofRow =
            learners.map { learners in
                learners.map { learner in
                    if let number = numbers[learner] { return number }
                    let number = numbers.count
                    numbers[learner] = number
                    return number
                }
            } ?? Array(0..<rows)
        let count = learners == nil ? rows : numbers.count
        if count <= mostUnits { return (ofRow, count) }
        var deal = Array(0..<count)
        var random = key.stream(-1)
        random.shuffle(&deal)
        for row in 0..<rows { ofRow[row] = deal[ofRow[row]] % mostUnits }
        return (ofRow, mostUnits)
    }
}

/// Linear interpolation between order statistics (type 7 of Hyndman & Fan 1996, doi:10.2307/2684934).
/// - Parameter sorted: ascending, not empty.
package func quantile(_ sorted: [Double], _ p: Double) -> Double {
    let position = p * Double(sorted.count - 1)
    let below = min(Int(position), sorted.count - 1)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (position - Double(below)) * (sorted[above] - sorted[below])
}
