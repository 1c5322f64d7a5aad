import LinearAlgebra

/// What the blend is fitted on: for each validation learner the union of the models' best courses, with standardised
/// scores and labels. Rows of learner i are `offsets[i]..<offsets[i + 1]`.
package struct BlendExamples: Sendable, Equatable {
    package var learners: [LearnerTraits] = []
    package var offsets: [Int] = [0]
    package var ncf: [Float] = []
    package var glmix: [Float] = []
    package var recent: [Float] = []
    /// Bit 0: no co-watches; bit 1: no engagements.
    package var flags: [UInt8] = []
    /// Whether the course became relevant in the label window.
    package var labels: [Bool] = []

    package init() {}

    package var count: Int { learners.count }
    package func range(_ learner: Int) -> Range<Int> { offsets[learner]..<offsets[learner + 1] }

    /// Adds a learner's rows.
    package mutating func append(_ traits: LearnerTraits, _ rows: BlendRows) {
        learners.append(traits)
        ncf += rows.ncf
        glmix += rows.glmix
        recent += rows.recent
        flags += rows.flags
        labels += rows.labels
        offsets.append(labels.count)
    }

    /// Divides centred scores by their scales.
    package mutating func divide(by scales: ScoreScales) {
        for i in ncf.indices {
            ncf[i] /= scales.ncf
            glmix[i] /= scales.glmix
            recent[i] /= scales.recent
        }
    }
}

/// The rows of one learner.
package struct BlendRows: Sendable, Equatable {
    package var ncf: [Float] = []
    package var glmix: [Float] = []
    package var recent: [Float] = []
    package var flags: [UInt8] = []
    package var labels: [Bool] = []
    package init() {}
}
