import Platform
import Synchronization

/// What everybody watched and when, as trends count it.
package final class WatchHistory: Sendable {
    package let shards: [Moments]
    package let activity: CourseActivity
    private let counts = Mutex<LearnerCounts?>(nil)

    package init(courseCount: Int, shards: [Moments]) {
        self.shards = shards
        activity = CourseActivity(courseCount: courseCount, shards: shards)
    }

    /// Made when it is first asked for: it takes 4 bytes for each learner and day on which he watched.
    var learnerCounts: LearnerCounts {
        counts.withLock {
            let found = $0 ?? LearnerCounts(activity, shards)
            $0 = found
            return found
        }
    }
}
