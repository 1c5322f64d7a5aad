import DenseAlgebra
import LinearAlgebra
import Platform

/// `als`: matrix factorisation of implicit feedback by alternating least squares (Hu, Koren & Volinsky 2008,
/// doi:10.1109/ICDM.2008.22).
///
///     minimise Σ_{u,i} c_ui·(p_ui − x_uᵀy_i)² + λ·(Σ_u ‖x_u‖² + Σ_i ‖y_i‖²),   p_ui = 1 and c_ui = 1 + α where u
///     watched i, else p_ui = 0 and c_ui = 1
///
/// Given the other side a row is the solution of (YᵀY + α·Σ_i y_i·y_iᵀ + λI)·x = (1 + α)·Σ_i y_i, sums over what the row
/// watched (equation 4): LAPACK's Cholesky in Float64. Learners are folded in by the same equation when they are scored.
/// - Complexity: O(iterations · (moments·factors² + (learners + courses)·factors³)).
package struct ImplicitALS: Sendable {
    package struct Options: Sendable, Hashable {
        package var factors: Int
        /// λ.
        package var l2: Double
        /// α.
        package var confidence: Double
        package var iterations: Int

        package init(factors: Int = 64, l2: Double = 10, confidence: Double = 10, iterations: Int = 10) {
            precondition(factors >= 1 && l2 > 0 && confidence >= 0 && iterations >= 1)
            (self.factors, self.l2, self.confidence) = (factors, l2, confidence)
            self.iterations = iterations
        }
    }

    package let options: Options
    /// Y: courses × factors.
    package private(set) var courses: [Double]
    package let courseCount: Int
    /// YᵀY + λI, lower triangle.
    private var gram: [Double] = []

    private static let block = 128

    /// Fits moments in `[from, to)`.
    package init(
        _ shards: [Moments], courseCount: Int, from: Int64, to: Int64, options: Options, seed: UInt64, workers: Workers
    ) {
        (self.options, self.courseCount) = (options, courseCount)
        let watched = shards.flatMap { shard in
            (0..<shard.learnerCount).map { Array(shard.courses[shard.range($0, from: from, to: to)]) }
        }.filter { !$0.isEmpty }
        var watchers = [[UInt32]](repeating: [], count: courseCount)
        for (learner, list) in watched.enumerated() {
            for course in list { watchers[Int(course)].append(UInt32(learner)) }
        }
        let key = RandomKey(seed: seed, purpose: "als")
        courses = (0..<courseCount).flatMap { course -> [Double] in
            var random = key.stream(course)
            return (0..<options.factors).map { _ in 0.1 * random.normal() }
        }
        for _ in 0..<options.iterations {
            let learners = Self.solve(watched, against: courses, options, workers)
            courses = Self.solve(watchers, against: learners, options, workers)
        }
        gram = Self.gram(courses, options)
    }

    /// x of a learner who watched these courses.
    package func learner(_ watched: some Collection<UInt32>) -> [Double] {
        Self.solve(Array(watched), against: courses, gram, options)
    }

    private static func solve(
        _ rows: [[UInt32]], against other: [Double], _ options: Options, _ workers: Workers
    ) -> [Double] {
        let gram = gram(other, options)
        return workers.map((rows.count + block - 1) / block) { index in
            rows[index * block..<min((index + 1) * block, rows.count)].flatMap {
                solve($0, against: other, gram, options)
            }
        }.flatMap { $0 }
    }

    /// YᵀY + λI.
    private static func gram(_ y: [Double], _ options: Options) -> [Double] {
        let f = options.factors
        var result = [Double](repeating: 0, count: f * f)
        result.withUnsafeMutableBufferPointer { out in
            y.withUnsafeBufferPointer {
                guard let start = $0.baseAddress else { return }
                BLAS.multiply(
                    m: f, n: f, k: y.count / f, start, lda: f, transposeA: true, start, ldb: f, out.baseAddress!,
                    ldc: f)
            }
        }
        for i in 0..<f { result[i * f + i] += options.l2 }
        return result
    }

    private static func solve(
        _ entries: [UInt32], against y: [Double], _ gram: [Double], _ options: Options
    ) -> [Double] {
        let f = options.factors
        var x = [Double](repeating: 0, count: f)
        if entries.isEmpty { return x }
        var system = gram
        system.withUnsafeMutableBufferPointer { a in
            y.withUnsafeBufferPointer { y in
                x.withUnsafeMutableBufferPointer { x in
                    for entry in entries {
                        let row = y.baseAddress! + Int(entry) * f
                        for i in 0..<f {
                            let scaled = options.confidence * row[i]
                            x[i] += row[i] * (1 + options.confidence)
                            for j in 0...i { a[i * f + j] += scaled * row[j] }
                        }
                    }
                    do { try Cholesky.factor(f, a.baseAddress!) } catch {
                        preconditionFailure("YᵀY + λI is positive definite for λ > 0: \(error)")
                    }
                    Cholesky.solve(f, factor: a.baseAddress!, x.baseAddress!)
                }
            }
        }
        return x
    }
}

/// ALS scores x_uᵀy_i of a group of learners, folded in from their contexts; empty contexts get the fallback's scores.
package struct ALSScorer: CourseScorer {
    let model: ImplicitALS
    let moments: Moments
    let time: Int64
    let history: Int64
    let fallback: [Float]

    package var courseCount: Int { fallback.count }
    package var learnerCount: Int { moments.learnerCount }

    package init(_ model: ImplicitALS, moments: Moments, time: Int64, history: Int64, fallback: [Float]) {
        precondition(model.courseCount == fallback.count)
        (self.model, self.moments, self.time, self.history, self.fallback) = (model, moments, time, history, fallback)
    }

    package func score(_ learners: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        let factors = model.options.factors
        for (row, learner) in learners.enumerated() {
            let scores = out + row * courseCount
            let context = moments.range(learner, from: time - history, to: time)
            if context.isEmpty {
                for course in 0..<courseCount { scores[course] = fallback[course] }
                continue
            }
            let x = model.learner(moments.courses[context])
            model.courses.withUnsafeBufferPointer { y in
                for course in 0..<courseCount {
                    var dot = 0.0
                    for f in 0..<factors { dot += x[f] * y[course * factors + f] }
                    scores[course] = Float(dot)
                }
            }
        }
    }
}
