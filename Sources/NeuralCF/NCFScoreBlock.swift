import LinearAlgebra
import Platform

/// NCF's scores of a block of learners, tile by tile: what a score begins with (trend, course bias), one product of
/// embeddings, and the wide part of the few courses that it touches.
final class NCFScoreBlock: ScoreBlock {
    private let model: NCFAtTime
    private let isEmpty: [Bool]
    /// learners × embedding, times α and the towers' output scale; nil if α is 0.
    private var vectors: PackedRows?
    private var wide: Wide = .none

    /// γ·wide of each learner.
    private enum Wide {
        case none
        case sparse(SparseTiles)
        /// learners × courses.
        case dense([Float])
    }

    init(_ scorer: NCFScorer, _ learners: Range<Int>) {
        model = scorer.model
        let contexts = learners.map { scorer.context($0) }
        isEmpty = contexts.map(\.isEmpty)
        if model.factor != nil {
            let width = scorer.learnerVectors.columns
            let scale = model.model.alpha * model.model.towers.outputScale
            vectors = PackedRows(
                scorer.learnerVectors.values[learners.lowerBound * width..<learners.upperBound * width],
                rows: learners.count, depth: width, scale: scale)
        }
        if model.model.gamma > 0 { wide = Self.wide(scorer, contexts) }
    }

    private static func wide(_ scorer: NCFScorer, _ contexts: [Range<Int>]) -> Wide {
        let model = scorer.model
        if case .none = model.wide { return .none }
        let (count, gamma) = (model.courseCount, model.model.gamma)
        var row = WideRow(courseCount: count)
        func fill(_ context: Range<Int>) {
            scorer.moments.withSpan(context) {
                row.fill($0, at: model.time, decay: model.model.linear.decay, matrix: model.wide)
            }
        }
        if case .dense = model.wide {
            var values = [Float](repeating: 0, count: contexts.count * count)
            values.withUnsafeMutableBufferPointer { values in
                for (k, context) in contexts.enumerated() where !context.isEmpty {
                    fill(context)
                    row.add(gamma, to: values.baseAddress! + k * count)
                }
            }
            return .dense(values)
        }
        var tiles = SparseTiles(courseCount: count)
        for context in contexts {
            if !context.isEmpty { fill(context) }
            let touched = context.isEmpty || !row.isNonZero ? .init(start: nil, count: 0) : row.touchedCourses
            tiles.append(touched, row.values, factor: gamma)
        }
        return .sparse(tiles)
    }

    /// Where each learner's scores begin from a course on.
    private func withStarts(at first: Int, _ body: (UnsafeBufferPointer<UnsafePointer<Float>?>) -> Void) {
        model.startEmpty.withUnsafeBufferPointer { empty in
            model.startOther.withUnsafeBufferPointer { other in
                withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: isEmpty.count) { starts in
                    for k in isEmpty.indices { starts[k] = (isEmpty[k] ? empty : other).baseAddress! + first }
                    body(UnsafeBufferPointer(starts))
                }
            }
        }
    }

    func scores(of courses: Range<Int>, into out: UnsafeMutablePointer<Float>, row: Int) {
        let first = courses.lowerBound
        withStarts(at: first) { starts in
            if let factor = model.factor, let vectors {
                factor.multiply(vectors, columns: courses, startingAt: starts.baseAddress!, into: out, row: row)
            } else {
                for k in starts.indices { (out + k * row).update(from: starts[k]!, count: courses.count) }
            }
        }
        switch wide {
        case .none: break
        case .sparse(let tiles):
            for k in isEmpty.indices { tiles.add(row: k, courses, to: out + k * row) }
        case .dense(let values):
            values.withUnsafeBufferPointer { values in
                for k in isEmpty.indices where !isEmpty[k] {
                    Vector.addScaled(
                        courses.count, 1, values.baseAddress! + k * model.courseCount + first, to: out + k * row)
                }
            }
        }
    }
}
