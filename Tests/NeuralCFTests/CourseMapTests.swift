// The map of courses: known principal axes, their signs, and courses without an embedding. Expected coordinates by hand.
import LinearAlgebra
import NeuralCF
import Testing

@Suite struct CourseMapTests {
    // Points (±3, 0, 0) and (0, ±2, 0) around (1, 1, 5): variances 4.5 and 2 along the first two axes (sums 18 and 8).
    private let rows: [[Float]] = [[4, 1, 5], [-2, 1, 5], [1, 3, 5], [1, -1, 5], [0, 0, 0]]

    private func map(_ rows: [[Float]]) throws -> CourseMap {
        try CourseMap(vectors: Matrix(rows: rows.count, columns: rows[0].count, values: rows.flatMap { $0 }))
    }

    @Test func principalAxesWithFixedSigns() throws {
        let found = try map(rows)
        let (x, y): ([Float], [Float]) = ([3, -3, 0, 0, 0], [0, 0, 2, -2, 0])
        for course in rows.indices {
            #expect(abs(found.x[course] - x[course]) < 1e-5 && abs(found.y[course] - y[course]) < 1e-5)
        }
        #expect(found.isPlaced == [true, true, true, true, false])
        #expect(abs(found.explained[0] - 18.0 / 26) < 1e-9 && abs(found.explained[1] - 8.0 / 26) < 1e-9)
        // Axes mirrored: the same map mirrored, whatever sign LAPACK gives.
        let mirrored = try map(rows.map { [-$0[0], $0[1], $0[2]] })
        for course in rows.indices { #expect(abs(mirrored.x[course] + found.x[course]) < 1e-5) }
    }

    @Test func nothingToPlace() throws {
        let none = try map([[0, 0], [0, 0]])
        #expect(none.x == [0, 0] && none.y == [0, 0] && none.isPlaced == [false, false] && none.explained == [0, 0])
        let one = try map([[2], [1]])
        #expect(one.x == [0.5, -0.5] && one.y == [0, 0])
    }
}
