import Platform

/// What a stored model needs beside its coefficients: coordinates and features. Stored as JSON.
package struct ModelDefinition: Codable, Sendable, Equatable {
    package var coordinates: [Coordinate]
    package var space: FeatureSpace
    /// Seconds since 1970 UTC as of when the model's numbers "now" are (t_v or T).
    package var time: Int64

    package init(coordinates: [Coordinate], space: FeatureSpace, time: Int64) {
        (self.coordinates, self.space, self.time) = (coordinates, space, time)
    }

    /// Names of a coordinate's features, the intercept last.
    package func featureNames(_ coordinate: Coordinate) -> [String] {
        coordinate.bags.flatMap(space.names) + ["(intercept)"]
    }
}

extension Coordinate {
    /// Checks that each coordinate's bags vary within its entities, and can be scored for all courses at once.
    package static func validateBags(_ coordinates: [Coordinate]) throws {
        for coordinate in coordinates {
            for bag in coordinate.bags {
                func bad(_ reason: String) -> GLMixError { .badCoordinate(name: coordinate.name, reason: reason) }
                if !FeatureSpace.bagNames.contains(bag) {
                    throw bad("there are no features '\(bag)', but \(FeatureSpace.bagNames)")
                }
                guard let by = coordinate.by else { continue }
                let ofLearner = [FeatureSpace.learnerBag, FeatureSpace.learnerNowBag].contains(bag)
                if bag == FeatureSpace.pairBag {
                    throw bad("features 'pair' are for the fixed effect (by: none) alone")
                }
                if by == "course" && !ofLearner { throw bad("features '\(bag)' are the same for all rows of a course") }
                if by != "course" && ofLearner {
                    throw bad("by \(by), features '\(bag)' are the wrong side: take course features")
                }
            }
        }
    }
}
