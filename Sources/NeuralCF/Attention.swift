import LinearAlgebra

/// Pooling a context by two learnt queries, for the learner's long- and short-term interest (after Zhou et al. 2018,
/// doi:10.1145/3219819.3219823, but independent of the candidate, so that embeddings stay reusable):
///
///     z_qj = query_q · row_j + bias_q,bucket(age_j)      p_q = softmax_j z_q
///     a_j  = (1 − σ)·p_long,j + σ·p_short,j              σ = 1/(1 + e^−gate)
///     first layer = c·n·Σ_j a_j·row_j + bias
///
/// row_j: what moment j adds to the first layer; n: moments of the context; c: 1 over the norm of the input in which
/// all weigh 1 (1/√n where courses enter as themselves). So c·n·a_j is the coefficient of `sum` for queries and biases
/// of 0, and c·n·Σ = √n·Σ softmax·row where courses enter as themselves.
///
/// Tensors: `learner.attention.query` (2 × width), `learner.attention.age` (2 × buckets), `learner.attention.gate` (1).
struct Attention {
    enum Query: Int, CaseIterable { case long, short }

    /// Upper ends of the age buckets but the last, days.
    static let bucketEnds: [Double] = [1, 3, 7, 14, 30, 60, 120, 240]
    static var bucketCount: Int { bucketEnds.count + 1 }

    static func bucket(ageInDays: Double) -> Int { bucketEnds.firstIndex { ageInDays < $0 } ?? bucketEnds.count }

    let width: Int
    private let query: UnsafePointer<Float>
    private let age: UnsafePointer<Float>
    private let gate: Float
    /// Places of the three tensors among the learner's small ones.
    private let places: (query: Int, age: Int, gate: Int)

    /// - Returns: nil for towers without attention.
    init?(_ layout: TowerLayout, _ weights: UnsafePointer<Float>) {
        guard let query = layout.tensor("learner.attention.query"), let age = layout.tensor("learner.attention.age"),
            let gate = layout.tensor("learner.attention.gate")
        else { return nil }
        let base = layout.small(.learner).lowerBound
        width = layout.width
        (self.query, self.age, self.gate) = (weights + query.offset, weights + age.offset, weights[gate.offset])
        places = (query.offset - base, age.offset - base, gate.offset - base)
    }

    private var shortShare: Float { Float(Scalar.sigmoid(Double(gate))) }

    /// Turns the coefficients of `sum` (all equal c) into c·n·a_j, and keeps p_long and p_short for the way back.
    /// - Parameter rows: C × width, what the columns of the inputs point at.
    func weigh(_ learner: Int, _ inputs: LearnerInputs, rows: UnsafePointer<Float>) {
        let count = Int(inputs.counts.start[learner])
        if count == 0 { return }
        let start = inputs.starts[learner]
        for q in Query.allCases {
            let out = inputs.attention(q) + start
            for k in 0..<count {
                let row = rows + Int(inputs.columns.start[start + k]) * width
                out[k] =
                    Vector.dot(width, query + q.rawValue * width, row)
                    + age[q.rawValue * Self.bucketCount + Int(inputs.bucket.start[start + k])]
            }
            let sum = Vector.expSum(count, out, shift: Vector.max(count, out), into: out)
            Vector.scale(count, Float(1 / sum), out)
        }
        let (long, short) = (inputs.attention(.long) + start, inputs.attention(.short) + start)
        let share = shortShare
        inputs.uniform.start[learner] = inputs.coefficients.start[start]
        let scale = Float(count) * inputs.coefficients.start[start]
        for k in 0..<count {
            inputs.coefficients.start[start + k] = scale * ((1 - share) * long[k] + share * short[k])
        }
    }

    /// Gradients of queries, biases and gate from one learner, added to `small`; p_q become ∂loss/∂z_q, along which
    /// `addRows` sends the rest to the rows.
    /// - Parameter gradient: ∂loss/∂(first layer), width.
    func backward(
        _ learner: Int, _ inputs: LearnerInputs, rows: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
        small: UnsafeMutablePointer<Float>
    ) {
        let count = Int(inputs.counts.start[learner])
        if count == 0 { return }
        let start = inputs.starts[learner]
        let scale = Float(count) * inputs.uniform.start[learner]
        let share = shortShare
        let (long, short) = (inputs.attention(.long) + start, inputs.attention(.short) + start)
        var dots = [Float](repeating: 0, count: count)
        var (meanLong, meanShort): (Float, Float) = (0, 0)
        for k in 0..<count {
            dots[k] = scale * Vector.dot(width, gradient, rows + Int(inputs.columns.start[start + k]) * width)
            meanLong += long[k] * dots[k]
            meanShort += short[k] * dots[k]
        }
        small[places.gate] += share * (1 - share) * (meanShort - meanLong)
        for k in 0..<count {
            long[k] = (1 - share) * long[k] * (dots[k] - meanLong)
            short[k] = share * short[k] * (dots[k] - meanShort)
            let row = rows + Int(inputs.columns.start[start + k]) * width
            let bucket = Int(inputs.bucket.start[start + k])
            Vector.addScaled(width, long[k], row, to: small + places.query)
            Vector.addScaled(width, short[k], row, to: small + places.query + width)
            small[places.age + bucket] += long[k]
            small[places.age + Self.bucketCount + bucket] += short[k]
        }
    }

    /// out[row] += ∂loss/∂z_long·query_long + ∂loss/∂z_short·query_short, z's gradients summed over all learners.
    func addRow(_ toLong: Float, _ toShort: Float, to out: UnsafeMutablePointer<Float>) {
        Vector.addScaled(width, toLong, query, to: out)
        Vector.addScaled(width, toShort, query + width, to: out)
    }
}
