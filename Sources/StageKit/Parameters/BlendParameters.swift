extension Parameters {
    static let blend: [Parameter] = [
        Parameter(
            "blend.candidates", .integer(1...100_000), .integer(500), unit: "courses",
            "Each learner's best courses that are kept with all scores, and each model's best ones on which the blend is fitted."
        ),
        Parameter(
            "blend.most_recent", .integer(0...100_000), .integer(100), unit: "courses",
            "Courses most watched lately that are beside them when the blend is fitted."),
        Parameter(
            "blend.alone", .integer(1...10_000), .integer(50), unit: "courses",
            "Each learner's best courses by one model alone that are kept for evaluation."),
        Parameter(
            "blend.recent_half_life", .duration(orAuto: false), .text("14d"),
            "Half-life of the recent score, log(1 + decayed number of learners to whom the course became relevant)."),
        Parameter(
            "blend.l2", .number(1e-3...1e9), .number(10),
            "Penalty of the blend's personal weights towards the best fixed mixture, for summed losses."),
        Parameter("blend.folds", .integer(2...20), .integer(5), "Folds of learners; reported numbers are out of fold."),
        Parameter(
            "blend.prior", .numbers(0.001...100), .list([.number(1), .number(0.25), .number(0.25)]),
            "Weights of ncf, glmix and recent where too few learners validate to fit them."),
        Parameter(
            "blend.least_learners", .integer(2...1_000_000), .integer(30),
            "With fewer validation learners (with a context, or without) the prior weights are used."),
        Parameter(
            "blend.max_learners", .integer(100...10_000_000), .integer(8_000),
            "At most so many validation learners (those with the smallest hash) fit and judge the blend."),
    ]
}
