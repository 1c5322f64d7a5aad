import LinearAlgebra

/// The n best courses of one learner's score row, in the order of `TopSelection.precedes`, without those that are
/// barred: barred courses are removed, never given a low score. One per thread.
///
/// A threshold guessed from 256 of the scores lets a vector kernel skip nearly all courses; what passes is sorted. If
/// the guess was too high, everything is sorted: the guess decides the time, never the result.
final class RowSelector {
    let courseCount: Int
    /// 1: may not be selected.
    let barred: UnsafeMutablePointer<UInt8>
    private let passed: UnsafeMutablePointer<Int32>
    private let keys: UnsafeMutablePointer<UInt64>
    private var sample: [Float] = []

    static let sampleSize = 256

    init(courseCount: Int, ineligible: [UInt32]) {
        self.courseCount = courseCount
        barred = .allocate(capacity: max(courseCount, 1))
        barred.initialize(repeating: 0, count: max(courseCount, 1))
        for course in ineligible { barred[Int(course)] = 1 }
        passed = .allocate(capacity: max(courseCount, 1))
        keys = .allocate(capacity: max(courseCount, 1))
        sample.reserveCapacity(Self.sampleSize + 1)
    }

    deinit {
        barred.deallocate()
        passed.deallocate()
        keys.deallocate()
    }

    /// - Parameters:
    ///   - row: finite scores of all courses.
    ///   - n: at most so many; fewer if fewer are allowed.
    func best(_ n: Int, of row: UnsafePointer<Float>) -> (courses: [UInt32], scores: [Float]) {
        var found = collect(row, atLeast: threshold(n, row))
        if found < n { found = collect(row, atLeast: -.infinity) }
        var sorted = UnsafeMutableBufferPointer(start: keys, count: found)
        sorted.sort()
        let count = min(n, found)
        var courses = [UInt32](repeating: 0, count: count)
        var scores = [Float](repeating: 0, count: count)
        for i in 0..<count {
            courses[i] = UInt32(truncatingIfNeeded: keys[i])
            scores[i] = row[Int(courses[i])]
        }
        return (courses, scores)
    }

    /// A score that, judging by the sample, somewhat more than n courses reach: three standard deviations of the
    /// number of sampled ones above its mean.
    private func threshold(_ n: Int, _ row: UnsafePointer<Float>) -> Float {
        let step = courseCount / Self.sampleSize
        if step < 4 || n * 4 > courseCount { return -.infinity }
        sample.removeAll(keepingCapacity: true)
        var course = step / 2
        while course < courseCount {
            if barred[course] == 0 { sample.append(row[course]) }
            course += step
        }
        let expected = Double(n) / Double(step)
        let rank = Int(expected + 3 * expected.squareRoot()) + 1
        if rank >= sample.count { return -.infinity }
        sample.sort(by: >)
        return sample[rank]
    }

    /// Keys of the allowed courses that reach a threshold; ascending keys are the ranked order.
    private func collect(_ row: UnsafePointer<Float>, atLeast threshold: Float) -> Int {
        let count = Vector.select(courseCount, row, atLeast: threshold, base: 0, into: passed)
        var found = 0
        for i in 0..<count where barred[Int(passed[i])] == 0 {
            keys[found] = RowSelector.key(row[Int(passed[i])], passed[i])
            found += 1
        }
        return found
    }

    /// Orders as `TopSelection.precedes`: IEEE 754 bits made monotone, inverted, then the course number.
    @inline(__always)
    static func key(_ score: Float, _ course: Int32) -> UInt64 {
        let bits = (score + 0).bitPattern  // −0 becomes 0
        let ascending = bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000
        return UInt64(~ascending) << 32 | UInt64(UInt32(bitPattern: course))
    }

    /// The score of a key.
    @inline(__always)
    static func score(_ key: UInt64) -> Float {
        let ascending = ~UInt32(truncatingIfNeeded: key >> 32)
        return Float(bitPattern: ascending & 0x8000_0000 != 0 ? ascending & 0x7fff_ffff : ~ascending)
    }
}
