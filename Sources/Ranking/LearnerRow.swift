import LinearAlgebra
import Platform

/// The scores of one learner for every course, standardised on demand: what a thread holds of the learner × course
/// matrix at any moment is one block of it. Reused from learner to learner.
package final class LearnerRow {
    package let courses: CourseTraits
    /// Row in its group of learners.
    package fileprivate(set) var learner = 0
    /// Eligible courses that are not excluded.
    package private(set) var allowedCount = 0
    /// Raw model scores, one per course.
    package fileprivate(set) var ncf: UnsafePointer<Float>
    package fileprivate(set) var glmix: UnsafePointer<Float>
    private var means = (ncf: Float(0), glmix: Float(0), recent: Float(0))
    private var excluded: ArraySlice<UInt32> = []
    private let selector: RowSelector
    private let blended: UnsafeMutablePointer<Float>
    fileprivate let blocks: UnsafeMutablePointer<Float>

    init(_ courses: CourseTraits) {
        self.courses = courses
        selector = RowSelector(courseCount: courses.count, ineligible: courses.ineligible)
        blended = .allocate(capacity: max(courses.count, 1))
        blocks = .allocate(capacity: max(2 * ModelScores.block * courses.count, 1))
        (ncf, glmix) = (UnsafePointer(blocks), UnsafePointer(blocks))
    }

    deinit {
        blended.deallocate()
        blocks.deallocate()
    }

    fileprivate func load(_ learner: Int, ncf: UnsafePointer<Float>, glmix: UnsafePointer<Float>, _ x: CourseSets) {
        for course in excluded where courses.eligible[Int(course)] { selector.barred[Int(course)] = 0 }
        excluded = x[learner]
        (self.learner, self.ncf, self.glmix) = (learner, ncf, glmix)
        allowedCount = courses.eligibleCount
        for course in excluded where courses.eligible[Int(course)] {
            selector.barred[Int(course)] = 1
            allowedCount -= 1
        }
        means = (mean(ncf), mean(glmix), courses.recent.withUnsafeBufferPointer { mean($0.baseAddress!) })
        precondition(means.ncf.isFinite && means.glmix.isFinite, "a model's scores are not finite")
    }

    package func isAllowed(_ course: UInt32) -> Bool { selector.barred[Int(course)] == 0 }

    /// Over the learner's allowed courses.
    private func mean(_ row: UnsafePointer<Float>) -> Float {
        if allowedCount == 0 { return 0 }
        var sum = courses.mask.withUnsafeBufferPointer { Vector.dot(courses.count, row, $0.baseAddress!) }
        for course in excluded where courses.eligible[Int(course)] { sum -= row[Int(course)] }
        return sum / Float(allowedCount)
    }

    /// Mean square of a centred score over the learner's allowed courses.
    private func variance(_ row: UnsafePointer<Float>, _ mean: Float) -> Double {
        var sum = 0.0
        for course in 0..<courses.count where selector.barred[course] == 0 {
            let away = Double(row[course] - mean)
            sum += away * away
        }
        return allowedCount == 0 ? 0 : sum / Double(allowedCount)
    }

    /// Mean squares of the three centred scores.
    package var variances: (ncf: Double, glmix: Double, recent: Double) {
        (
            variance(ncf, means.ncf), variance(glmix, means.glmix),
            courses.recent.withUnsafeBufferPointer { variance($0.baseAddress!, means.recent) }
        )
    }

    /// A course's centred scores, not yet divided by scales.
    package func centred(_ course: UInt32) -> (ncf: Float, glmix: Float, recent: Float) {
        let c = Int(course)
        return (ncf[c] - means.ncf, glmix[c] - means.glmix, courses.recent[c] - means.recent)
    }

    /// The n best allowed courses by a row of scores of all courses.
    package func best(_ n: Int, of row: UnsafePointer<Float>) -> (courses: [UInt32], scores: [Float]) {
        selector.best(n, of: row)
    }

    /// The first n allowed courses of an order that is the same for everybody.
    package func first(_ n: Int, of order: [UInt32]) -> [UInt32] {
        var found: [UInt32] = []
        found.reserveCapacity(n)
        for course in order where isAllowed(course) {
            if found.count == n { break }
            found.append(course)
        }
        return found
    }

    /// Blended logits of every course; valid until the next call.
    package func blend(_ weights: ScoreWeights, _ scales: ScoreScales) -> UnsafePointer<Float> {
        let count = courses.count
        let (a, b, r) = (weights.ncf / scales.ncf, weights.glmix / scales.glmix, weights.recent / scales.recent)
        // The constant goes in first: added after selection, it could round two scores into a tie.
        blended.update(
            repeating: weights.intercept - a * means.ncf - b * means.glmix - r * means.recent, count: count)
        Vector.addScaled(count, a, ncf, to: blended)
        Vector.addScaled(count, b, glmix, to: blended)
        func add(_ weight: Float, _ column: [Float]) {
            column.withUnsafeBufferPointer { Vector.addScaled(count, weight, $0.baseAddress!, to: blended) }
        }
        add(r, courses.recent)
        if courses.anyIsolated { add(weights.isolated, courses.isolated) }
        if courses.anyUnengaged { add(weights.unengaged, courses.unengaged) }
        return UnsafePointer(blended)
    }
}

/// Two models bound to the same learners at the same time, and what may be recommended then.
package struct ModelScores: Sendable {
    package let ncf: any CourseScorer
    package let glmix: any CourseScorer
    package let courses: CourseTraits
    package let exclusions: CourseSets

    /// Learners that are scored together: a constant, so that no result depends on threads.
    package static let block = 64

    package init(ncf: any CourseScorer, glmix: any CourseScorer, courses: CourseTraits, exclusions: CourseSets) {
        precondition(ncf.courseCount == courses.count && glmix.courseCount == courses.count)
        precondition(ncf.learnerCount == exclusions.learnerCount && glmix.learnerCount == exclusions.learnerCount)
        (self.ncf, self.glmix, self.courses, self.exclusions) = (ncf, glmix, courses, exclusions)
    }

    package var learnerCount: Int { exclusions.learnerCount }

    /// `[body(row of learner 0), body(row of learner 1), …]`. Memory per thread: 2 × `block` × courses floats.
    package func map<Result>(workers: Workers, _ body: (LearnerRow) -> Result) -> [Result] {
        let blocks = (learnerCount + Self.block - 1) / Self.block
        var results = [[Result]](repeating: [], count: blocks)
        results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = slots
            workers.forEach(blocks, scratch: { LearnerRow(courses) }) { row, block in
                slots[block] = score(block, row, body)
            }
        }
        return results.flatMap { $0 }
    }

    private func score<Result>(_ block: Int, _ row: LearnerRow, _ body: (LearnerRow) -> Result) -> [Result] {
        let learners = block * Self.block..<min(learnerCount, (block + 1) * Self.block)
        let (left, right) = (row.blocks, row.blocks + Self.block * courses.count)
        ncf.score(learners, into: left)
        glmix.score(learners, into: right)
        return learners.enumerated().map { k, learner in
            row.load(
                learner, ncf: UnsafePointer(left + k * courses.count), glmix: UnsafePointer(right + k * courses.count),
                exclusions)
            return body(row)
        }
    }
}
