extension Parameters {
    static let evaluate: [Parameter] = [
        Parameter(
            "evaluate.window", .structured(windowProblem), .text("label_window"),
            "What after T counts: label_window, a duration such as 28d, the next share of all relevant watches such as 10%, until a moment (UTC, or seconds since 1970), or all."
        ),
        Parameter(
            "evaluate.cuts", .structured(cutsProblem), .list([.number(0.7), .number(0.8), .number(0.9)]),
            "Where make backtest looks from, unless CUTS says otherwise: dates, or quantiles of the relevant watches in time."
        ),
        Parameter(
            "evaluate.cutoffs", .integers(1...1_000), .list([5, 10, 20, 50].map { .integer($0) }),
            "Metrics are computed at these list lengths, ascending."),
        Parameter(
            "evaluate.table_cutoff", .integer(1...1_000), .integer(20),
            "The list length shown in the table; one of evaluate.cutoffs."),
        Parameter(
            "evaluate.baselines", .structured(baselineProblem),
            .list(["popular", "recent", "cowatch", "wide", "wide+recent"].map { .text($0) }),
            "Baselines in the table (docs/evaluation.md): popular, recent, trending, recent-by-profile, cowatch, ease, ease-recency, ease+recent, markov, markov+recent, als, wide (the matrix of cowatch.wide, called by its name), wide+recent."
        ),
        Parameter(
            "evaluate.recent_window", .duration(orAuto: false), .text("28d"),
            "What recent counts: the moments so long before T."),
        Parameter(
            "evaluate.history_buckets", .integers(1...1_000_000), .list([1, 5, 20].map { .integer($0) }),
            "First history lengths (courses before T) of the buckets in metrics.json, ascending."),
        Parameter(
            "evaluate.resamples", .integer(100...100_000), .integer(1_000),
            "Bootstrap resamples behind each 95 % interval."),
    ]

    @Sendable private static func windowProblem(_ value: Value) -> String? {
        let expected =
            "expected label_window, all, a duration such as 28d, a share of the events such as 10%, or a moment"
        if case .integer(let seconds) = value { return seconds > 0 ? nil : expected }
        guard case .text(let text) = value else { return expected }
        if ["label_window", "all"].contains(text) || Duration.seconds(text) ?? 0 > 0 { return nil }
        if text.hasSuffix("%"), let share = Double(text.dropLast()), share > 0, share <= 100 { return nil }
        if Moment.parse(text) != nil { return nil }
        return expected
    }

    @Sendable private static func cutsProblem(_ value: Value) -> String? {
        guard case .list(let items) = value else { return "expected a list of dates or quantiles" }
        for item in items {
            switch item {
            case .number(let quantile) where quantile > 0 && quantile < 1: continue
            case .text(let text) where Moment.parse(text) != nil: continue
            default: return "\(item.yaml) is neither a quantile between 0 and 1 nor a date"
            }
        }
        return nil
    }

    @Sendable private static func baselineProblem(_ value: Value) -> String? {
        guard case .list(let items) = value else { return "expected a list" }
        let known = [
            "popular", "recent", "trending", "recent-by-profile", "cowatch", "ease", "ease-recency", "ease+recent",
            "markov", "markov+recent", "als", "wide", "wide+recent",
        ]
        for item in items {
            guard case .text(let name) = item, known.contains(name) else {
                return "\(item.yaml) is none of \(known.joined(separator: ", "))"
            }
        }
        return nil
    }
}
