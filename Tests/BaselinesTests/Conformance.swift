// What every CourseScorer must do, whatever its model: blocks of any size give the same scores, what stood in the
// output before does not show, scores are finite. And two planted data sets whose answers are known.
import LinearAlgebra
import Platform
import Testing

/// The scores of all learners, one learner at a time.
func allScores(_ scorer: any CourseScorer) -> [[Float]] {
    (0..<scorer.learnerCount).map { learner in
        var row = [Float](repeating: .nan, count: scorer.courseCount)
        row.withUnsafeMutableBufferPointer { scorer.score(learner..<learner + 1, into: $0.baseAddress!) }
        return row
    }
}

func checkConformance(_ scorer: any CourseScorer) {
    let single = allScores(scorer)
    #expect(single.allSatisfy { $0.allSatisfy { $0.isFinite } })
    for block in [2, 7, scorer.learnerCount] {
        for start in stride(from: 0, to: scorer.learnerCount, by: block) {
            let range = start..<min(scorer.learnerCount, start + block)
            var rows = [Float](repeating: 1e30, count: range.count * scorer.courseCount)
            rows.withUnsafeMutableBufferPointer { scorer.score(range, into: $0.baseAddress!) }
            #expect(rows == single[range].flatMap { $0 }, "block of \(block) at \(start)")
        }
    }
}

/// Courses by score, ties by number, without those of the learner's context.
func ranking(_ scores: [Float], without moments: Moments, _ learner: Int) -> [Int] {
    let watched = Set(moments.range(learner).map { Int(moments.courses[$0]) })
    return scores.indices.filter { !watched.contains($0) }.sorted { (scores[$1], $0) < (scores[$0], $1) }
}

/// Learner u watched every course of u's parity but course u itself, in ascending order, a day apart: the best course
/// for u is u (the checkerboard that the `implicit` library tests its models with).
func checkerboard(_ size: Int) -> Moments {
    var moments = Moments(offsets: [0], courses: [], times: [])
    for learner in 0..<size {
        for course in 0..<size where course % 2 == learner % 2 && course != learner {
            moments.courses.append(UInt32(course))
            moments.times.append(Int64(course) * 86_400)
        }
        moments.offsets.append(moments.courses.count)
    }
    return moments
}

/// C_ij / √(n_i·n_j) with the diagonal, in plain loops.
func plainCosine(_ moments: Moments, courses: Int) -> [[Float]] {
    var counts = [[Float]](repeating: [Float](repeating: 0, count: courses), count: courses)
    for learner in 0..<moments.learnerCount {
        for a in moments.range(learner) {
            for b in moments.range(learner) { counts[Int(moments.courses[a])][Int(moments.courses[b])] += 1 }
        }
    }
    return counts.indices.map { i in
        counts.indices.map { j in
            counts[i][j] == 0 ? 0 : counts[i][j] / (counts[i][i] * counts[j][j]).squareRoot()
        }
    }
}

func sparse(_ rows: [[Float]]) -> SparseRows {
    var (offsets, columns, values) = ([0], [UInt32](), [Float]())
    for row in rows {
        for (j, value) in row.enumerated() where value != 0 {
            columns.append(UInt32(j))
            values.append(value)
        }
        offsets.append(columns.count)
    }
    return SparseRows(columnCount: rows.count, offsets: offsets, columns: columns, values: values)
}
