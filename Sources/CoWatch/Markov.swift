import LinearAlgebra
import Platform

extension CoWatch {
    /// What follows a course: first-order transition weights with the 1/distance decay of sequential rules
    /// (Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms", SR,
    /// doi:10.1007/s11257-018-9209-6).
    ///
    /// A learner's distinct times in the window are numbered 0, 1, 2 …; a moment of course i at step p and one of
    /// course j at step q with 0 < q − p ≤ `markovSteps` add 1/(q − p) to T_ij (so moments of one second follow
    /// none of each other, in whatever order they are stored). Then
    ///
    ///     B_ij = T_ij / (Σ_k T_ik + shrinkage),   the best `neighbours` of each row, ties to the smaller number.
    ///
    /// Weights are counted in units of 2⁻²⁰, each rounded once.
    /// - Complexity: O(moments · moments within `markovSteps` steps).
    package static func markov(_ matrix: WatchMatrix, options: WideOptions, workers: Workers) -> SparseRows {
        precondition(options.markovSteps >= 1 && options.markovShrinkage >= 0)
        let transitions = Transitions(matrix, steps: options.markovSteps)
        return RowBlocks.build(
            rows: matrix.courseCount, columns: matrix.courseCount, workers: workers,
            scratch: {
                (
                    sums: [Int64](repeating: 0, count: matrix.courseCount), touched: [UInt32](),
                    best: NeighbourSelection(k: options.neighbours)
                )
            },
            row: { scratch, i, output in
                let total = transitions.add(i, &scratch.sums, &scratch.touched)
                let denominator = Double(total) + options.markovShrinkage * unit
                for j in scratch.touched {
                    scratch.best.offer(Float(Double(scratch.sums[Int(j)]) / denominator), j)
                    scratch.sums[Int(j)] = 0
                }
                scratch.touched.removeAll(keepingCapacity: true)
                output.append(&scratch.best)
            })
    }
}

private struct Transitions {
    let matrix: WatchMatrix
    let steps: Int
    /// 1/distance in units of 2⁻²⁰.
    let weights: [Int64]

    init(_ matrix: WatchMatrix, steps: Int) {
        (self.matrix, self.steps) = (matrix, steps)
        weights = [0] + (1...steps).map { Int64((CoWatch.unit / Double($0)).rounded()) }
    }

    /// Adds T_i· to `sums`, lists its columns in `touched` (unordered) and returns Σ_k T_ik.
    func add(_ course: Int, _ sums: inout [Int64], _ touched: inout [UInt32]) -> Int64 {
        var total: Int64 = 0
        for at in matrix.courseOffsets[course]..<matrix.courseOffsets[course + 1] {
            let learner = Int(matrix.learners[at])
            let row = Int(matrix.learnerOffsets[learner])..<Int(matrix.learnerOffsets[learner + 1])
            guard let own = row.first(where: { matrix.courses[$0] == UInt32(course) }) else { continue }
            var (step, time) = (0, matrix.times[own])
            for next in own + 1..<row.upperBound {
                if matrix.times[next] != time {
                    step += 1
                    time = matrix.times[next]
                    if step > steps { break }
                }
                if step == 0 { continue }
                let column = Int(matrix.courses[next])
                if sums[column] == 0 { touched.append(UInt32(column)) }
                sums[column] += weights[step]
                total += weights[step]
            }
        }
        return total
    }
}
