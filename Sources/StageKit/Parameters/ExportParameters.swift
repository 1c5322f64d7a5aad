extension Parameters {
    static let export: [Parameter] = [
        Parameter(
            "export.k", .integer(1...1_000), .integer(20), unit: "courses",
            "Length of the final lists; at most blend.candidates."),
        Parameter(
            "export.exclude", .choice(["watched", "completed", "none"]), .text("watched"),
            "Courses of the raw history that are not recommended again, whatever the threshold of the watch filter. Also decides what blend ranks, and what competes in evaluate."
        ),
        Parameter(
            "export.completed_fraction", .number(0.01...1), .number(0.9), unit: "of the course's duration",
            "With exclude: completed, the total watch time from which a course counts as completed; without a known duration or watch time any watch does."
        ),
        Parameter(
            "export.exclude_dismissed", .boolean, .boolean(true), "Courses that the learner dismissed are left out …"),
        Parameter(
            "export.dismissed_days", .integer(0...36_500), .integer(0), unit: "days",
            "… for so long after the dismissal; 0 is for ever."),
        Parameter(
            "export.languages", .choice(["any", "learner", "history"]), .text("any"),
            "Languages of the courses recommended: any, the learner's (profile column language), or those of its history. Courses and learners without a language are not restricted."
        ),
        Parameter(
            "export.require", .structured(ExportSyntax.columnValues), .map([:]),
            "Only courses whose column has one of the values, for example {level: [beginner, advanced]}."),
        Parameter(
            "export.bar", .structured(ExportSyntax.columnValues), .map([:]),
            "No courses whose column has one of the values, for example {category: [internal]}."),
        Parameter(
            "export.max_per", .structured(ExportSyntax.caps), .map([:]),
            "At most so many courses of a list share a value of a column, for example {category: 4}."),
        Parameter(
            "export.relevance_share", .number(0...1), .number(1),
            "θ of maximal marginal relevance, θ·r − (1 − θ)·max(0, cosines to the courses before); 1 is no diversity."),
        Parameter(
            "export.related", .integer(0...50), .integer(50), unit: "courses",
            "Related courses per course, of the 50 closest by cosine of NCF's course embeddings."),
        Parameter(
            "export.formats", .structured(ExportSyntax.formats),
            .list([.text("shards"), .text("jsonl"), .text("tsv")]),
            "Serving formats beside the shards, which are always written: jsonl, tsv, redis, sqlite, trec."),
        Parameter(
            "export.redis_days", .integer(1...3_650), .integer(14), unit: "days",
            "Lists loaded into Redis expire after so long; longer than the time between two publications."),
    ]
}

/// What is wrong with the structured parameters; nil: nothing.
enum ExportSyntax {
    @Sendable static func columnValues(_ value: Value) -> String? {
        guard case .map(let columns) = value else { return "expected {column: [value, …], …}" }
        for (column, values) in columns.sorted(by: { $0.key < $1.key }) {
            guard case .list(let items) = values, !items.isEmpty else { return "\(column): expected a list of values" }
            for item in items {
                switch item {
                case .text, .integer, .number, .boolean: continue
                default: return "\(column): expected texts, found \(item.yaml)"
                }
            }
        }
        return nil
    }

    @Sendable static func caps(_ value: Value) -> String? {
        guard case .map(let columns) = value else { return "expected {column: number, …}" }
        for (column, cap) in columns.sorted(by: { $0.key < $1.key }) {
            guard case .integer(let most) = cap, most >= 1 else { return "\(column): expected a whole number from 1" }
        }
        return nil
    }

    @Sendable static func formats(_ value: Value) -> String? {
        guard case .list(let items) = value else { return "expected a list" }
        let known = ["shards", "jsonl", "tsv", "redis", "sqlite", "trec"]
        for item in items {
            guard case .text(let name) = item, known.contains(name) else {
                return "\(item.yaml) is none of \(known.joined(separator: ", "))"
            }
        }
        return nil
    }
}
