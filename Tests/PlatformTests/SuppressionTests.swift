// What may not be learnt from: by hand.
import Platform
import Testing

@Suite struct SuppressionTests {
    @Test func bansAreOfCoursesLearnersAndPairs() {
        let all = UInt32.max
        // Course 4 for all; learner 1 whole; learner 2's course 5. What only forbids recommending bans nothing.
        let general = Suppressions(learner: [all, all], course: [4, 7], scope: [1, 2])
        let own = Suppressions(learner: [0, 1, 2], course: [all, all, 5], scope: [2, 3, 1])
        let bans = TrainingBans(general: general, own: own)
        let watches = Watches(
            learner: [0, 0, 1, 2, 2, 3], course: [4, 7, 6, 5, 6, 5], time: [10, 11, 12, 13, 14, 15],
            seconds: [1, 2, 3, 4, 5, 6], channel: [0, 1, 2, 3, 4, 5])
        let rest = bans.rest(of: watches)
        #expect(rest.learner == [0, 2, 3] && rest.course == [7, 6, 5] && rest.time == [11, 14, 15])
        #expect(rest.seconds == [2, 5, 6] && rest.channel == [1, 4, 5])
        let rows = Engagements(
            learner: [1, 2, 2], course: [9, 5, 9], time: [1, 2, 3], label: [0, 1, 2], kind: [3, 4, 5],
            channel: [6, 7, 8])
        let kept = bans.rest(of: rows)
        #expect(kept == Engagements(learner: [2], course: [9], time: [3], label: [2], kind: [5], channel: [8]))
        #expect(TrainingBans(general: .none, own: .none).isEmpty)
    }
}
