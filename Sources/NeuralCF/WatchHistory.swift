import Platform

/// What everybody watched and when, as trends count it.
package struct WatchHistory: Sendable {
    package let shards: [Moments]
    package let activity: CourseActivity

    package init(courseCount: Int, shards: [Moments]) {
        self.shards = shards
        activity = CourseActivity(courseCount: courseCount, shards: shards)
    }
}
