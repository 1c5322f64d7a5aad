/// One term of the model's margin: coefficients θ on the features of some bags, the same for all examples
/// (`by: nil`, the fixed effect) or apart for each entity of a grouping (a random effect). Every coordinate has an
/// intercept as its last feature.
package struct Coordinate: Sendable, Equatable, Codable {
    package var name: String
    /// Name of the grouping; nil is the fixed effect.
    package var by: String?
    /// Names of feature bags. Empty: the intercept alone.
    package var bags: [String]
    /// λ > 0 of the penalty (λ/2)·‖θ‖², in the unit of summed losses. The fixed effect's intercept alone is free.
    package var l2: Double
    /// γ ≥ 0 of the fixed effect's penalty γ·Σ|θ|, its intercept free; with λ an elastic net.
    package var l1: Double
    /// Entities with fewer rows get no model.
    package var minRows: Int
    /// At most so many rows of an entity are used (those with the smallest hash), their weights scaled up by
    /// count/kept. 0: all.
    package var maxRows: Int

    package init(
        name: String, by: String? = nil, bags: [String], l2: Double, l1: Double = 0, minRows: Int = 1, maxRows: Int = 0
    ) {
        (self.name, self.by, self.bags, self.l2, self.l1) = (name, by, bags, l2, l1)
        (self.minRows, self.maxRows) = (minRows, maxRows)
    }

    /// Checks the list against the data it shall be fitted on.
    package static func validate(_ coordinates: [Coordinate], on examples: Examples) throws {
        if coordinates.isEmpty { throw GLMixError.badCoordinate(name: "(none)", reason: "at least one is needed") }
        var names = Set<String>()
        for coordinate in coordinates {
            func bad(_ reason: String) -> GLMixError { .badCoordinate(name: coordinate.name, reason: reason) }
            if !names.insert(coordinate.name).inserted { throw bad("the name stands twice") }
            if !(coordinate.l2 > 0 && coordinate.l2.isFinite) {
                throw bad(
                    "l2 is \(coordinate.l2), but must be > 0: labels that are all alike have no optimum without it")
            }
            if !(coordinate.l1 >= 0 && coordinate.l1.isFinite) { throw bad("l1 is \(coordinate.l1), but must be ≥ 0") }
            if coordinate.l1 > 0 && coordinate.by != nil { throw bad("l1 is for the fixed effect (by: none) alone") }
            if coordinate.minRows < 1 || coordinate.maxRows < 0 {
                throw bad("min_rows ≥ 1 and max_rows ≥ 0 are needed")
            }
            if Set(coordinate.bags).count != coordinate.bags.count { throw bad("a feature bag stands twice") }
            for bag in coordinate.bags where examples.bag(bag) == nil {
                throw bad("there is no feature bag '\(bag)', but \(examples.bags.map(\.name))")
            }
            if let by = coordinate.by, examples.grouping(by) == nil {
                throw bad("there is no grouping '\(by)', but \(examples.groupings.map(\.name))")
            }
        }
        if coordinates.filter({ $0.by == nil }).count > 1 {
            throw GLMixError.badCoordinate(
                name: coordinates.last { $0.by == nil }!.name, reason: "only one fixed effect")
        }
    }
}
