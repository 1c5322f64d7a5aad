extension Parameters {
    static let filter: [Parameter] = [
        Parameter(
            "filter.min_seconds", .number(0...1e7), .number(30), unit: "s",
            "A course counts once its watch time, totalled over sessions, passes this."),
        Parameter(
            "filter.min_fraction", .number(0...1), .number(0.1), unit: "of the course's duration",
            "… and this share of its duration (where known)."),
        Parameter(
            "filter.quantile", .number(0...0.99), .number(0.25),
            "… and this quantile of the log watch times of its duration bucket, measured before t_v."),
        Parameter(
            "filter.unknown_watch_time", .choice(["keep", "drop"]), .text("keep"),
            "What a watch without watch time counts as: relevant at once, or nothing."),
        Parameter(
            "filter.max_courses_per_learner", .integer(1...1_000_000), .integer(5_000),
            "Learners with more relevant courses are taken for bots and dropped (counted, listed)."),
        Parameter(
            "filter.history", .duration(orAuto: false), .text("730d"),
            "How far a context reaches back."),
        Parameter(
            "filter.stride", .duration(orAuto: false), .text("28d"), "Distance between training snapshots."),
        Parameter(
            "filter.snapshots", .integer(1...500), .integer(13),
            "Training snapshots; those before the first moment are dropped."),
        Parameter(
            "filter.label_window", .duration(orAuto: true), .text("auto"),
            "Length of the window after a time from which its labels come; auto = 28d, doubled while fewer than 300 learners have a moment in the last window, within a fifth of the span."
        ),
    ]
}
