/// The tables that logs are mapped to (docs/datasets.md), and the columns that mean something to the pipeline.
package enum LogTable: String, Sendable, CaseIterable {
    case watches
    case engagements
    case learners
    case courses
    case suppressions

    /// A column with a fixed meaning, and what may be written into it.
    struct Column: Sendable {
        enum Content: Sendable {
            case id
            case time
            case watchTime
            case duration
            case label
            case scope
            case text
            case category
        }
        let name: String
        let content: Content
        var required = false
    }

    var columns: [Column] {
        switch self {
        case .watches:
            [
                Column(name: "learner_id", content: .id, required: true),
                Column(name: "course_id", content: .id, required: true),
                Column(name: "started_at", content: .time, required: true),
                Column(name: "watched_seconds", content: .watchTime),
                Column(name: "channel", content: .category),
            ]
        case .engagements:
            [
                Column(name: "learner_id", content: .id, required: true),
                Column(name: "course_id", content: .id, required: true),
                Column(name: "time", content: .time, required: true),
                Column(name: "kind", content: .category, required: true),
                Column(name: "label", content: .label, required: true),
                Column(name: "channel", content: .category),
            ]
        case .learners:
            [
                Column(name: "learner_id", content: .id, required: true),
                Column(name: "valid_from", content: .time),
                Column(name: "segment", content: .category),
            ]
        case .courses:
            [
                Column(name: "course_id", content: .id, required: true),
                Column(name: "title", content: .text),
                Column(name: "language", content: .category),
                Column(name: "published_at", content: .time),
                Column(name: "retired_at", content: .time),
                Column(name: "duration_seconds", content: .duration),
                Column(name: "valid_from", content: .time),
            ]
        case .suppressions:
            [
                Column(name: "learner_id", content: .id),
                Column(name: "course_id", content: .id),
                Column(name: "scope", content: .scope, required: true),
            ]
        }
    }

    /// Whether any further column of the mapping becomes a profile or metadata column.
    var takesAttributes: Bool { self == .learners || self == .courses }
}
