extension Parameters {
    static let run: [Parameter] = [
        Parameter(
            "run.as_of", .moment, .text("latest"),
            "T: the moment from which the run looks; nothing at or after it influences anything. latest = the second after the newest event."
        ),
        Parameter(
            "run.max_gap", .duration(orAuto: false), .text("30d"),
            "With as_of latest: the longest gap allowed between the last 0.1 % of events and those before (one row dated 2099 must not empty every window)."
        ),
        Parameter(
            "run.shards", .automaticInteger(1...4096), .text("auto"),
            "Learner shards; auto = the smallest power of two from 16 with at most 16,384 learners a shard."),
        Parameter("run.seed", .integer(0...Int.max), .integer(1), "Seed of every random decision."),
    ]
}
