// Proves the join of watches on both sides of T: order, new learners, renumbered courses. Expected rows by hand.
import Platform
import Testing

@Suite struct WatchesAcrossCutTests {
    func watches(_ rows: [(UInt32, UInt32, Int64)]) -> Watches {
        Watches(
            learner: rows.map(\.0), course: rows.map(\.1), time: rows.map(\.2), seconds: rows.map { Float($0.2) })
    }

    @Test func rowsOfALearnerStandTogether() {
        // After T learner row 0 is our 2 (new), row 1 our 0; its course 0 is our 7, its course 1 our 3.
        let joined = WatchesAcrossCut(
            before: watches([(0, 3, 10), (1, 4, 11)]), learnersBefore: 2,
            after: watches([(0, 0, 20), (1, 0, 21), (1, 1, 22)]), learnerOf: [2, 0], courseOf: [7, 3])
        #expect(joined.learnerCount == 3)
        #expect(joined.watches == watches([(0, 3, 10), (0, 7, 21), (0, 3, 22), (1, 4, 11), (2, 7, 20)]))
    }

    @Test func nothingAfter() {
        let before = watches([(0, 3, 10)])
        let joined = WatchesAcrossCut(
            before: before, learnersBefore: 4, after: watches([]), learnerOf: [0, 1, 2, 3], courseOf: nil)
        #expect(joined.learnerCount == 4 && joined.watches == before)
    }
}
