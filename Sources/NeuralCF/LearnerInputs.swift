import LinearAlgebra
import Platform

/// The learner towers' sparse input for a list of learners: entry k of learner l adds coefficient·row(column) to its
/// first layer, where row(i) is course i's table row (`watched`) or its projected co-watch row (`cowatch`).
///
/// coefficient = w_i/‖x‖ with x = Σ w_i·e_i (`watched`) or Σ w_i·ŝ_i (`cowatch`), so the input has norm 1.
final class LearnerInputs: @unchecked Sendable {
    let learnerCount: Int
    /// Room for learner l begins here.
    let starts: [Int]
    /// Entries of learner l that are used; 0: an empty context.
    let counts: Buffer<Int32>
    let columns: Buffer<UInt32>
    let coefficients: FloatBuffer
    /// x̂·(unit input of entry k), log(1 + age in days), log(1 + position): what the gradient of a and b needs.
    let cross: FloatBuffer
    let logAge: FloatBuffer
    let logPosition: FloatBuffer
    let hasDecay: Bool
    /// Attention: age bucket of each entry; p_long and then p_short of all entries; each learner's coefficient of `sum`.
    let bucket: Buffer<UInt8>
    private let probabilities: FloatBuffer
    let uniform: FloatBuffer
    let hasAttention: Bool

    /// - Parameter lengths: the most entries of each learner.
    init(lengths: [Int], input: NCFParameters.LearnerInput) {
        let hasDecay = input == .decay
        learnerCount = lengths.count
        var starts = [0]
        starts.reserveCapacity(lengths.count + 1)
        for length in lengths { starts.append(starts[starts.count - 1] + length) }
        let total = starts[starts.count - 1]
        self.starts = starts
        counts = Buffer(learnerCount, zero: 0)
        columns = Buffer(total, zero: 0)
        coefficients = FloatBuffer(total)
        self.hasDecay = hasDecay
        cross = FloatBuffer(hasDecay ? total : 0)
        logAge = FloatBuffer(hasDecay ? total : 0)
        logPosition = FloatBuffer(hasDecay ? total : 0)
        hasAttention = input == .attention
        bucket = Buffer(hasAttention ? total : 0, zero: 0)
        probabilities = FloatBuffer(hasAttention ? 2 * total : 0)
        uniform = FloatBuffer(hasAttention ? learnerCount : 0)
    }

    func attention(_ query: Attention.Query) -> UnsafeMutablePointer<Float> {
        probabilities.start + query.rawValue * starts[learnerCount]
    }

    /// The first layer of a learner: Σ coefficient·row + bias.
    @inline(__always)
    func firstLayer(
        _ learner: Int, rows: UnsafePointer<Float>, bias: UnsafePointer<Float>, width: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        out.update(from: bias, count: width)
        let start = starts[learner]
        Vector.addRows(
            Int(counts.start[learner]), columns.start + start, slot: nil, coefficients.start + start, of: rows,
            width: width, to: out)
    }
}

/// Fills `LearnerInputs`; scratch of one thread.
struct LearnerInputBuilder: ~Copyable {
    private let inputs: SnapshotInputs?
    private let decay: LinearPart.Decay
    private let logs = LogTable()
    /// x, dense; all zero between learners.
    private let sum: FloatBuffer
    private var courses: [UInt32] = []
    private var times: [Int64] = []
    private var weights: [Float] = []

    /// - Parameter inputs: the snapshot for `cowatch` rows, nil for `watched`.
    init(courseCount: Int, cowatch inputs: SnapshotInputs?, decay: LinearPart.Decay) {
        self.inputs = inputs
        self.decay = decay
        sum = FloatBuffer(inputs == nil ? 0 : courseCount)
    }

    /// Starts the context of the next learner.
    mutating func begin() {
        courses.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
    }

    /// Oldest first.
    @inline(__always)
    mutating func append(_ course: UInt32, _ time: Int64) {
        courses.append(course)
        times.append(time)
    }

    mutating func finish(_ learner: Int, at cut: Int64, into target: LearnerInputs) {
        let count = courses.count
        target.counts.start[learner] = Int32(count)
        if count == 0 { return }
        let start = target.starts[learner]
        precondition(start + count <= target.starts[learner + 1])
        weights.removeAll(keepingCapacity: true)
        for k in 0..<count {
            if target.hasAttention {
                let days = Double(cut - times[k]) / 86_400
                target.bucket.start[start + k] = UInt8(Attention.bucket(ageInDays: days))
            }
            if !target.hasDecay {
                weights.append(1)
                continue
            }
            let age = Scalar.log(1 + Double(cut - times[k]) / 86_400)
            let position = logs[count - 1 - k]
            target.logAge.start[start + k] = Float(age)
            target.logPosition.start[start + k] = Float(position)
            weights.append(Float(Scalar.exp(-decay.age * age - decay.position * position)))
        }
        let inverse = inputs == nil ? inverseNormWatched() : inverseNormCoWatch(target, start)
        for k in 0..<count {
            target.columns.start[start + k] = courses[k]
            target.coefficients.start[start + k] = weights[k] * inverse
            if target.hasDecay && inputs == nil { target.cross.start[start + k] = weights[k] * inverse }
        }
    }

    private func inverseNormWatched() -> Float {
        var squares = 0.0
        for weight in weights { squares += Double(weight) * Double(weight) }
        return squares > 0 ? Float(1 / squares.squareRoot()) : 0
    }

    private func inverseNormCoWatch(_ target: LearnerInputs, _ start: Int) -> Float {
        guard let inputs else { return 0 }
        let sum = sum.start
        return inputs.rows.withPointers { rows in
            for (course, weight) in zip(courses, weights) {
                for at in rows.range(Int(course)) { sum[Int(rows.columns[at])] += weight * rows.values[at] }
            }
            // ‖x‖² = Σ_i w_i·(x·ŝ_i): no second list of touched columns is needed.
            var squares = 0.0
            for k in courses.indices {
                var dot: Float = 0
                for at in rows.range(Int(courses[k])) { dot += sum[Int(rows.columns[at])] * rows.values[at] }
                squares += Double(weights[k]) * Double(dot)
                if target.hasDecay { target.cross.start[start + k] = dot }
            }
            for course in courses {
                for at in rows.range(Int(course)) { sum[Int(rows.columns[at])] = 0 }
            }
            let inverse = squares > 0 ? Float(1 / squares.squareRoot()) : 0
            if target.hasDecay { for k in courses.indices { target.cross.start[start + k] *= inverse } }
            return inverse
        }
    }
}
