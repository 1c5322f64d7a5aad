// Proves the join of watches on both sides of T: order, new learners. Expected rows by hand.
import Platform
import Testing

@Suite struct WatchesAcrossCutTests {
    func watches(_ rows: [(UInt32, UInt32, Int64)]) -> Watches {
        Watches(
            learner: rows.map(\.0), course: rows.map(\.1), time: rows.map(\.2), seconds: rows.map { Float($0.2) })
    }

    @Test func rowsOfALearnerStandTogether() {
        let joined = WatchesAcrossCut(
            before: watches([(0, 3, 10), (1, 4, 11)]), after: watches([(0, 7, 21), (0, 3, 22), (2, 7, 20)]),
            learnerCount: 4)
        #expect(joined.watches == watches([(0, 3, 10), (0, 7, 21), (0, 3, 22), (1, 4, 11), (2, 7, 20)]))
    }

    @Test func oneSideOnly() {
        let rows = watches([(1, 3, 10)])
        #expect(WatchesAcrossCut(before: rows, after: watches([]), learnerCount: 2).watches == rows)
        #expect(WatchesAcrossCut(before: watches([]), after: rows, learnerCount: 2).watches == rows)
    }
}
