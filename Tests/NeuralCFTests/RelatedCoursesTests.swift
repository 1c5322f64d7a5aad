// Related courses and neighbour shares on four vectors whose cosines are known by hand.
import LinearAlgebra
import NeuralCF
import Testing

@Suite struct RelatedCoursesTests {
    // 0 and 1 point almost alike, 2 at a right angle to 0, 3 nowhere.
    let vectors = Matrix(rows: 4, columns: 2, values: [3, 0, 4, 3, 0, 2, 0, 0])

    @Test func cosineDescendingSelfExcluded() {
        let related = RelatedCourses(vectors: vectors, best: 2, workers: Workers(count: 2)).rows
        #expect(Array(related.columns[related.range(0)]) == [1, 2])
        #expect(abs(related.values[0] - 0.8) < 1e-6 && abs(related.values[1]) < 1e-6)
        #expect(Array(related.columns[related.range(1)]) == [0, 2])  // .8 before .6
        #expect(related.range(3).isEmpty, "no direction, no neighbours")
    }

    @Test func onlyEligibleAreNamed() {
        let related = RelatedCourses(
            vectors: vectors, eligible: [true, false, true, true], workers: Workers(count: 1)
        ).rows
        #expect(Array(related.columns[related.range(0)]) == [2, 3])
    }

    @Test func sharesBesideTheBaseRate() {
        let related = RelatedCourses(vectors: vectors, best: 1, workers: Workers(count: 1))
        // Nearest: 0 → 1, 1 → 0, 2 → 1. Values: 0 {a}, 1 {a, b}, 2 {b}, 3 none.
        let share = related.share(of: [[1], [1, 2], [2], []])
        #expect(share.courses == 3)
        #expect(abs(share.neighbours - 1) < 1e-12)
        #expect(abs(share.baseRate - (1.0 + 2 + 1) / 9) < 1e-12)
    }
}
