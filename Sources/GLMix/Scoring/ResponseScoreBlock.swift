import LinearAlgebra
import Platform

/// Margins z(l, c) of a block of learners, tile by tile: what a learner's side adds is a sparse row over everything that
/// is multiplied by something of a course, so that all of it is one product of the courses' sparse rows with the
/// block's dense columns; but what common learner features add are a few rows over all courses.
final class ResponseScoreBlock: ScoreBlock {
    private let predictor: ResponsePredictor
    private let count: Int
    /// Groups of at most 48 learners: columns of `joined` × lanes, and constant(l) by lane.
    private var groups: [(lanes: Int, x: [Float], own: [Float])] = []
    /// By learner, ends: rows of `common` and what multiplies them.
    private var commonEnds = [0]
    private var commonRows: [UInt32] = []
    private var commonValues: [Float] = []

    private static let mostLanes = 48

    init(_ scorer: ResponseScorer, _ learners: Range<Int>) {
        (predictor, count) = (scorer.predictor, learners.count)
        for first in stride(from: learners.lowerBound, to: learners.upperBound, by: Self.mostLanes) {
            groups.append(group(scorer, first..<min(first + Self.mostLanes, learners.upperBound)))
        }
        for learner in learners {
            for at in scorer.learnerRows.range(learner) {
                let row = predictor.commonRows[Int(scorer.learnerRows.columns[at])]
                if row < 0 { continue }
                commonRows.append(UInt32(row))
                commonValues.append(scorer.learnerRows.values[at])
            }
            commonEnds.append(commonRows.count)
        }
    }

    private func group(
        _ scorer: ResponseScorer, _ learners: Range<Int>
    ) -> (lanes: Int, x: [Float], own: [Float]) {
        let lanes = (learners.count + SparseRows.lane - 1) / SparseRows.lane * SparseRows.lane
        var own = [Float](repeating: 0, count: lanes)
        var x = [Float](repeating: 0, count: max(predictor.joined.columnCount, 1) * lanes)
        x.withUnsafeMutableBufferPointer { x in
            for (lane, learner) in learners.enumerated() {
                own[lane] = scorer.learnerConstant[learner]
                add(learner, of: scorer) { x[$0 * lanes + lane] += $1 }
            }
        }
        return (lanes, x, own)
    }

    /// Calls `body(column of joined, what multiplies it)`.
    @inline(__always)
    private func add(_ learner: Int, of scorer: ResponseScorer, _ body: (Int, Float) -> Void) {
        scorer.forEachCourseSide(learner, body)
        let learnerBase = predictor.courseFeatureCount
        for at in scorer.learnerRows.range(learner) {
            let feature = Int(scorer.learnerRows.columns[at])
            if predictor.commonRows[feature] < 0 { body(learnerBase + feature, scorer.learnerRows.values[at]) }
        }
        guard let b = predictor.fixed[FeatureSpace.pairBag] else { return }
        for (k, match) in predictor.definition.space.matches.enumerated() {
            let count = Float(b[b.startIndex + match.base])
            let cosine = Float(b[b.startIndex + match.base + 1])
            let (left, base, codes) = (scorer.learnerCodes[k], predictor.matchBases[k], predictor.matchCodeCounts[k])
            for at in left.range(learner) where Int(left.columns[at]) < codes {
                body(base + Int(left.columns[at]), count)
                body(base + codes + Int(left.columns[at]), cosine * left.values[at])
            }
        }
    }

    func scores(of courses: Range<Int>, into out: UnsafeMutablePointer<Float>, row: Int) {
        for (k, group) in groups.enumerated() {
            let first = k * Self.mostLanes
            if first + group.lanes <= count {
                multiply(courses, group, into: out + first * row, row: row)
            } else {
                // The last lanes are nobody's, and have no row.
                withUnsafeTemporaryAllocation(of: Float.self, capacity: group.lanes * row) { all in
                    multiply(courses, group, into: all.baseAddress!, row: row)
                    for lane in 0..<count - first {
                        (out + (first + lane) * row).update(from: all.baseAddress! + lane * row, count: courses.count)
                    }
                }
            }
        }
        if commonRows.isEmpty { return }
        commonRows.withUnsafeBufferPointer { rows in
            commonValues.withUnsafeBufferPointer { values in
                for k in 0..<count {
                    let own = commonEnds[k]..<commonEnds[k + 1]
                    predictor.common.multiply(
                        .init(rebasing: rows[own]), values.baseAddress! + own.lowerBound, columns: courses,
                        addTo: out + k * row)
                }
            }
        }
    }

    private func multiply(
        _ courses: Range<Int>, _ group: (lanes: Int, x: [Float], own: [Float]),
        into out: UnsafeMutablePointer<Float>, row: Int
    ) {
        predictor.courseConstant.withUnsafeBufferPointer { start in
            group.own.withUnsafeBufferPointer { own in
                group.x.withUnsafeBufferPointer { x in
                    predictor.joined.multiply(
                        courses, start: start.baseAddress!, own: own.baseAddress!, x.baseAddress!, lanes: group.lanes,
                        into: out, row: row)
                }
            }
        }
    }
}
