extension Parameters {
    static let cowatch: [Parameter] = [
        Parameter(
            "cowatch.measure", .choice(["cosine", "jaccard", "lift", "pmi"]), .text("cosine"),
            "How the similarity of two courses follows from who watched them; pmi keeps only positive associations."),
        Parameter(
            "cowatch.shrinkage", .number(0...1e6), .number(10), unit: "learners",
            "Added to the cosine's denominator: pairs seen seldom count less."),
        Parameter(
            "cowatch.min_support", .integer(1...1_000_000), .integer(2), unit: "learners",
            "Pairs watched together by fewer are 0."),
        Parameter(
            "cowatch.neighbours", .integer(1...10_000), .integer(100),
            "Similar courses kept per course, the best; ties go to the smaller course number."),
        Parameter(
            "cowatch.damp_heavy_learners", .boolean, .boolean(false),
            "A learner of n courses weighs 1/log(1 + n) instead of 1."),
        Parameter(
            "cowatch.wide", .choice(["auto", "ease", "markov", "cowatch", "none"]), .text("auto"),
            "NCF's wide matrix, written per snapshot; auto = ease, or cowatch beyond cowatch.ease_courses."),
        Parameter(
            "cowatch.ease_l2", .number(1e-3...1e9), .number(200), unit: "learners", "Ridge penalty λ of ease."),
        Parameter(
            "cowatch.ease_courses", .integer(1...16_000), .integer(4_000),
            "The most courses for ease: time grows with their cube, memory (12 bytes per thread) with their square."),
        Parameter(
            "cowatch.wide_neighbours", .integer(1...10_000), .integer(200),
            "Entries kept per course by markov and cowatch."),
        Parameter(
            "cowatch.markov_steps", .integer(1...1_000), .integer(10),
            "markov: the farthest following step that counts, with weight 1/distance."),
        Parameter(
            "cowatch.markov_shrinkage", .number(0...1e6), .number(10), unit: "transitions",
            "markov: added to a course's total, so that rare courses say less."),
    ]
}
