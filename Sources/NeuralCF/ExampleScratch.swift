import LinearAlgebra
import Platform

/// What one thread reuses from example to example.
final class ExampleScratch {
    var wide: WideRow
    /// Of a block's examples.
    var contexts: [ExampleContext] = []

    init(courseCount: Int) { wide = WideRow(courseCount: courseCount) }

    /// - Parameter index: of the example within its block.
    func fillWide(_ example: Example, _ index: Int, _ trainer: TowerTrainer) {
        let matrix =
            trainer.linear.gamma == 0 || example.snapshot < 0
            ? WideMatrix.none : trainer.data.snapshots[Int(example.snapshot)].wide
        contexts[index].courses.withUnsafeBufferPointer { c in
            contexts[index].times.withUnsafeBufferPointer { t in
                wide.fill(
                    MomentSpan(courses: c, times: t), at: example.cut, decay: trainer.linear.decay, matrix: matrix)
            }
        }
    }
}

/// The entries of learner inputs sorted by column, so that each table row's gradient is one thread's own sum.
struct EntriesByColumn {
    private let offsets: [Int]
    private let learners: [UInt32]
    private let coefficients: [Float]
    /// Where each entry stands among those of the inputs.
    private let places: [Int32]

    init(_ inputs: LearnerInputs, columnCount: Int) {
        var starts = [Int](repeating: 0, count: columnCount + 1)
        func forEachEntry(_ body: (Int, Int) -> Void) {
            for learner in 0..<inputs.learnerCount {
                let start = inputs.starts[learner]
                for k in start..<start + Int(inputs.counts.start[learner]) { body(learner, k) }
            }
        }
        forEachEntry { starts[Int(inputs.columns.start[$1]) + 1] += 1 }
        for c in 0..<columnCount { starts[c + 1] += starts[c] }
        var next = starts
        var learners = [UInt32](repeating: 0, count: starts[columnCount])
        var coefficients = [Float](repeating: 0, count: starts[columnCount])
        var places = [Int32](repeating: 0, count: starts[columnCount])
        forEachEntry { learner, k in
            let slot = next[Int(inputs.columns.start[k])]
            next[Int(inputs.columns.start[k])] += 1
            learners[slot] = UInt32(learner)
            coefficients[slot] = inputs.coefficients.start[k]
            places[slot] = Int32(k)
        }
        (offsets, self.learners, self.coefficients, self.places) = (starts, learners, coefficients, places)
    }

    func isEmpty(_ column: Int) -> Bool { offsets[column] == offsets[column + 1] }

    /// out[c] += Σ coefficient·gradient[learner] over the entries of column c.
    func gather(
        _ columns: UnsafeBufferPointer<UInt32>, _ gradient: UnsafePointer<Float>, width: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        learners.withUnsafeBufferPointer { learners in
            coefficients.withUnsafeBufferPointer { coefficients in
                for column in columns.lazy.map({ Int($0) }) where !isEmpty(column) {
                    let (start, end) = (offsets[column], offsets[column + 1])
                    Vector.addRows(
                        end - start, learners.baseAddress! + start, slot: nil, coefficients.baseAddress! + start,
                        of: gradient, width: width, to: out + column * width)
                }
            }
        }
    }

    /// What attention's keys pass on to the rows, after its way back: out[c] += Σ over the entries of column c.
    func gather(
        _ columns: UnsafeBufferPointer<UInt32>, _ attention: Attention, _ inputs: LearnerInputs,
        into out: UnsafeMutablePointer<Float>
    ) {
        let (long, short) = (inputs.attention(.long), inputs.attention(.short))
        for column in columns.lazy.map({ Int($0) }) where !isEmpty(column) {
            var (toLong, toShort): (Float, Float) = (0, 0)
            for at in offsets[column]..<offsets[column + 1] {
                toLong += long[Int(places[at])]
                toShort += short[Int(places[at])]
            }
            attention.addRow(toLong, toShort, to: out + column * attention.width)
        }
    }
}
