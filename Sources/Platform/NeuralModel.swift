import LinearAlgebra

/// The numbers of neural collaborative filtering as `train-ncf` leaves them in `ncf/fit` (as of t_v) or `ncf/refit`
/// (as of T), but for the learners' embeddings. What they mean stands beside them (NeuralCF's `NCFDefinition`).
package struct NeuralModel: Sendable, Equatable {
    /// The towers' tensors by name.
    package var tensors: [String: Matrix]
    /// courses × embedding.
    package var courseVectors: Matrix
    /// Trend score of every course, for empty contexts and for the others.
    package var trendEmpty: [Float]
    package var trendOther: [Float]

    package init(tensors: [String: Matrix], courseVectors: Matrix, trendEmpty: [Float], trendOther: [Float]) {
        (self.tensors, self.courseVectors) = (tensors, courseVectors)
        (self.trendEmpty, self.trendOther) = (trendEmpty, trendOther)
    }
}
