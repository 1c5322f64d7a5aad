import LinearAlgebra
import Platform

/// Mean squares of one model's centred scores, by learner, apart for learners with a context and without: their scores
/// spread differently.
package struct ScoreSpread: Sendable, Equatable, Codable {
    package var warm: [Double]
    package var cold: [Double]

    package init(warm: [Double] = [], cold: [Double] = []) { (self.warm, self.cold) = (warm, cold) }

    package mutating func add(_ meanSquare: Double, isCold: Bool) {
        if isCold { cold.append(meanSquare) } else { warm.append(meanSquare) }
    }

    package static func += (a: inout ScoreSpread, b: ScoreSpread) {
        a.warm += b.warm
        a.cold += b.cold
    }

    /// How many times as wide these scores spread as earlier ones (root mean squares). Both groups weigh as they did among
    /// the earlier learners, so that the ratio tells of the models, not of how many learners have a context; a group that
    /// either side lacks is left out. 1 where there is nothing to compare.
    package func ratio(to earlier: ScoreSpread) -> Double {
        var (now, then, count) = (0.0, 0.0, 0.0)
        for (own, other) in [(warm, earlier.warm), (cold, earlier.cold)] where !own.isEmpty && !other.isEmpty {
            now += Double(other.count) * treeSum(own) / Double(own.count)
            then += treeSum(other)
            count += Double(other.count)
        }
        if count == 0 { return 1 }
        // A model that said nothing when the blend was fitted has scale 1 for want of a better one.
        if then / count <= ScoreScales.leastMeanSquare { return now == 0 ? 1 : (now / count).squareRoot() }
        return (now / then).squareRoot()
    }

    /// One learner in so many tells how wide scores spread now.
    static let stride = 16

    /// Which learners of a shard tell it: of those with a moment in `[t_v, T)`, as the validation learners have, the first and
    /// every 16th that follows; the same of those without a context. Not those who have been away: how many of them
    /// a platform has says nothing of a model.
    package static func sample(_ moments: Moments, _ windows: TimeWindows) -> [Bool] {
        var (active, cold) = (0, 0)
        return (0..<moments.learnerCount).map { learner in
            if !moments.range(learner, from: windows.validation, to: windows.asOf).isEmpty {
                active += 1
                return active % stride == 1
            }
            if moments.range(learner, from: windows.asOf - windows.history, to: windows.asOf).isEmpty {
                cold += 1
                return cold % stride == 1
            }
            return false
        }
    }
}
