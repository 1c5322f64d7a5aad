import LinearAlgebra
import Platform

/// What neural collaborative filtering learns from: nothing but moments, and what was derived from them.
package struct NCFData: Sendable {
    package var courseCount: Int
    /// Moments of every shard, in shard order, and what is counted from them.
    package let watched: WatchHistory
    package var shards: [Moments] { watched.shards }
    package var activity: CourseActivity { watched.activity }
    /// `LearnerHash` of each shard's learners: who validates, and who in which half.
    package var hashes: [[UInt64]]
    /// Seconds since 1970; `Int64.min`: always there.
    package var publishedAt: [Int64]
    /// Ascending in time.
    package var snapshots: [CoWatchSnapshot]

    package init(
        courseCount: Int, shards: [Moments], hashes: [[UInt64]], publishedAt: [Int64]? = nil,
        snapshots: [CoWatchSnapshot]
    ) {
        let published = publishedAt ?? [Int64](repeating: .min, count: courseCount)
        precondition(published.count == courseCount && hashes.count == shards.count)
        precondition(zip(shards, hashes).allSatisfy { $0.learnerCount == $1.count })
        precondition(snapshots.allSatisfy { $0.similarity.rowCount == courseCount })
        self.courseCount = courseCount
        self.hashes = hashes
        self.publishedAt = published
        self.snapshots = snapshots.sorted { $0.time < $1.time }
        watched = WatchHistory(courseCount: courseCount, shards: shards)
    }

    /// Index of the newest snapshot at or before a time.
    package func snapshot(at time: Int64) -> Int? { snapshots.lastIndex { $0.time <= time } }
}

/// A span of one learner's moments, oldest first, read in place.
struct MomentSpan {
    let courses: UnsafeBufferPointer<UInt32>
    let times: UnsafeBufferPointer<Int64>

    @inline(__always) var count: Int { courses.count }
}

extension Moments {
    /// - Parameter body: must not keep the span.
    @inline(__always)
    func withSpan<Result>(_ range: Range<Int>, _ body: (MomentSpan) throws -> Result) rethrows -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= courses.count)
        return try courses.withUnsafeBufferPointer { c in
            try times.withUnsafeBufferPointer { t in
                try body(
                    MomentSpan(
                        courses: UnsafeBufferPointer(rebasing: c[range]),
                        times: UnsafeBufferPointer(rebasing: t[range])))
            }
        }
    }
}

/// A zeroed block of memory that threads share by disjoint ranges; begins with a cache line.
final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    let start: UnsafeMutablePointer<Element>
    let count: Int

    init(_ count: Int, zero: Element) {
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Element>.stride
        start = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64).bindMemory(
            to: Element.self, capacity: count)
        start.initialize(repeating: zero, count: count)
    }

    deinit { start.deallocate() }
}

typealias FloatBuffer = Buffer<Float>
extension Buffer where Element == Float {
    convenience init(_ count: Int) { self.init(count, zero: 0) }

    var array: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
}

/// Makes room for `count` values: a zeroed buffer if there was less, else the same one as it is.
func reserve(_ buffer: inout FloatBuffer, _ count: Int) {
    if buffer.count < count { buffer = FloatBuffer(count) }
}
