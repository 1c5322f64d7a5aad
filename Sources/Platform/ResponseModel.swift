/// Coefficients of a coordinate, for each entity on the features that occur in its rows; all others are 0, which is
/// where their penalty puts them. The fixed effect is the case of one entity with all features.
package struct Coefficients: Sendable, Equatable {
    /// Entity e has `offsets[e]..<offsets[e + 1]`.
    package var offsets: [Int]
    /// Feature numbers within the coordinate (its bags side by side, the intercept last), ascending per entity.
    package var features: [UInt32]
    package var values: [Double]

    package init(offsets: [Int], features: [UInt32], values: [Double]) {
        precondition(offsets.last == features.count && features.count == values.count)
        (self.offsets, self.features, self.values) = (offsets, features, values)
    }

    package var entityCount: Int { offsets.count - 1 }

    package func range(_ entity: Int) -> Range<Int> { offsets[entity]..<offsets[entity + 1] }

    /// All features of one entity, 0 where there is no coefficient.
    package func dense(_ entity: Int, featureCount: Int) -> [Double] {
        var result = [Double](repeating: 0, count: featureCount)
        for at in range(entity) { result[Int(features[at])] = values[at] }
        return result
    }
}

/// The numbers of a response model as `train-glmix` leaves them in `glmix/fit` or `glmix/refit`, but for what belongs
/// to single learners. What they mean stands beside them (GLMix's `ModelDefinition`).
package struct ResponseModel: Sendable, Equatable {
    /// Coefficients of the coordinates that are not by learner, by coordinate name.
    package var coefficients: [String: Coefficients]
    /// As of the model's time (t_v or T), by course: decayed engagements and impressions.
    package var courseEngagements: [Double]
    package var courseImpressions: [Double]

    package init(
        coefficients: [String: Coefficients], courseEngagements: [Double], courseImpressions: [Double]
    ) {
        self.coefficients = coefficients
        (self.courseEngagements, self.courseImpressions) = (courseEngagements, courseImpressions)
    }
}

/// The part of a response model that belongs to the learners of one shard.
package struct LearnerEffects: Sendable, Equatable {
    /// Coefficients of the coordinates by learner, by coordinate name; entities are the shard's learners.
    package var coefficients: [String: Coefficients]
    /// As of the model's time: each learner's positive engagements on earlier days.
    package var engagements: [Int32]

    package init(coefficients: [String: Coefficients], engagements: [Int32]) {
        (self.coefficients, self.engagements) = (coefficients, engagements)
    }
}
