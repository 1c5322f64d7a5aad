extension Parameters {
    static let publish: [Parameter] = [
        Parameter(
            "publish.min_lift_over_popular", .number(-1...1), .number(0), unit: "NDCG@20",
            "Gate: the lower end of the paired 95 % interval of blend − popular on the validation table must reach this."
        ),
        Parameter(
            "publish.max_churn", .number(0...1), .number(0.9),
            "Gate: 1 − the mean overlap of each learner's list with the one published before must not exceed this."),
        Parameter(
            "publish.min_coverage", .number(0...1), .number(0.01), unit: "of eligible courses",
            "Gate: the share of eligible courses that stand in some list must reach this."),
        Parameter(
            "publish.min_volume_ratio", .number(0...10), .number(0.1),
            "Gate: watch events of the last 7 days before T over the median week of the four before must reach this; 0 switches it off."
        ),
        Parameter(
            "publish.scale_ratio", .number(1...1_000), .number(2),
            "Gate: after the refit each model's scores may spread at most so many times wider or narrower than when the blend was fitted, among learners active of late."
        ),
        Parameter(
            "publish.keep", .integer(1...1_000), .integer(7), "Published runs that stay; older ones are removed."),
    ]
}
