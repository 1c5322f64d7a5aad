import Metrics

/// Models against each other on the same learners: what stands in `metrics.json` under `ranking`.
package struct Comparison: Sendable, Decodable {
    package struct Slice: Sendable, Decodable {
        package var name: String
        package var learners: Int
        /// Model → `ndcg@20` → mean with interval.
        package var metrics: [String: [String: Interval]]
        /// The reference's metric minus the model's, paired by learner.
        package var differences: [String: [String: Interval]]

        package init(
            name: String, learners: Int, metrics: [String: [String: Interval]],
            differences: [String: [String: Interval]]
        ) {
            (self.name, self.learners, self.metrics, self.differences) = (name, learners, metrics, differences)
        }
    }

    package var reference: String
    package var models: [String]
    package var slices: [Slice]

    package init(reference: String, models: [String], slices: [Slice]) {
        (self.reference, self.models, self.slices) = (reference, models, slices)
    }

    subscript(slice: String) -> Slice? { slices.first { $0.name == slice } }

    private static let own: Set = ["ncf", "glmix", "mixture", "blend", "export"]

    /// Neither NCF nor GLMix has a part in it.
    static func isBaseline(_ model: String) -> Bool { !own.contains(model) }

    /// Of the simple baselines the best for all learners.
    func bestBaseline(_ metric: String) -> String? {
        models.filter(Self.isBaseline).max {
            self["all"]?.metrics[$0]?[metric]?.mean ?? -1 < self["all"]?.metrics[$1]?[metric]?.mean ?? -1
        }
    }
}

/// Is it better than what we had, and than simple baselines; for whom not?
package struct Quality: Sendable {
    /// What lists are as a whole.
    package struct Lists: Sendable, Decodable {
        package var coverage: Double
        package var gini: Double
        package var novelty: Double
        package var diversity: Double?
        package var overlap: Double
    }

    package var comparison: Comparison?
    /// The name of the protocol, and the window.
    package var protocolName: String
    /// Model → k → numbers.
    package var lists: [String: [String: Lists]] = [:]
    package var k: Int
    /// What was published before: its T, and its own evaluation.
    package var before: (name: String, comparison: Comparison)?

    package init(_ comparison: Comparison?, protocolName: String, k: Int) {
        (self.comparison, self.protocolName, self.k) = (comparison, protocolName, k)
    }

    private var metric: String { "ndcg@\(k)" }

    package var section: Page.Section {
        let question = "Is it better than what we had, and than simple baselines? For whom not?"
        guard let comparison, let all = comparison["all"], all.learners > 0 else {
            return Page.Section(
                id: "quality", question: question, answer: "Not known: no learner could be evaluated.",
                [Piece.absent(protocolName)])
        }
        return Page.Section(
            id: "quality", question: question, answer: answer(comparison, all),
            [
                Piece.paragraph("How it was measured: \(protocolName)."), models(comparison),
                differences(comparison, all), slices(comparison), served(comparison, all), wholes(comparison),
                earlier(comparison),
            ])
    }

    // MARK: In words

    private func answer(_ comparison: Comparison, _ all: Comparison.Slice) -> String {
        guard let best = comparison.bestBaseline(metric), let own = all.metrics[comparison.reference]?[metric],
            let other = all.metrics[best]?[metric], let difference = all.differences[best]?[metric]
        else { return "There is no baseline to compare with." }
        let relative = other.mean > 0 ? " (\(Format.signedPercent(own.mean / other.mean - 1)))" : ""
        var text =
            "NDCG@\(k) \(Format.metric(own.mean)) against \(Format.metric(other.mean))\(relative) of \(best), the best "
            + "simple baseline: \(Self.word(difference)) (difference \(Self.text(difference)))."
        let doubtful = names(comparison, best) { $0.low <= 0 && $0.high >= 0 }
        let worse = names(comparison, best) { $0.high < 0 }
        if !worse.isEmpty { text += " Worse for \(Format.list(worse))." }
        if !doubtful.isEmpty { text += " Not shown to differ for \(Format.list(doubtful))." }
        return text
    }

    private func names(_ comparison: Comparison, _ baseline: String, _ holds: (Interval) -> Bool) -> [String] {
        comparison.slices.filter { slice in
            slice.name != "all" && slice.learners > 0 && slice.differences[baseline]?[metric].map(holds) == true
        }.map { Self.plain($0.name) }
    }

    private static func word(_ difference: Interval) -> String {
        difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "not shown to differ"
    }

    private static func plain(_ slice: String) -> String {
        switch slice {
        case "warm": "learners with history"
        case "cold": "learners without history"
        case "all": "all learners"
        default: slice
        }
    }

    private static func text(_ interval: Interval) -> String {
        "\(Format.signed(interval.mean)), \(Format.signed(interval.low)) to \(Format.signed(interval.high))"
    }

    // MARK: Figures

    private func models(_ comparison: Comparison) -> HTML {
        let groups = ["warm", "cold"].compactMap { comparison[$0] }.filter { $0.learners > 0 }
        let highs = groups.flatMap { $0.metrics.values.compactMap { $0[metric]?.high } }
        var rows: [GlyphTable.Row] = []
        for slice in groups {
            rows.append(.init("\(Self.plain(slice.name)): \(Format.count(slice.learners))", heading: true))
            let measured = comparison.models.filter { slice.metrics[$0]?[metric] != nil }
            for model in measured.sorted(by: { slice.metrics[$0]![metric]!.mean > slice.metrics[$1]![metric]!.mean }) {
                let found = slice.metrics[model]![metric]!
                let colour = model == comparison.reference ? 2 : Comparison.isBaseline(model) ? 8 : 1
                rows.append(
                    .init(
                        HTML(model), .interval(low: found.low, mean: found.mean, high: found.high, colour: colour),
                        [
                            HTML(Format.metric(found.mean)),
                            HTML("\(Format.metric(found.low))–\(Format.metric(found.high))"),
                            HTML(slice.metrics[model]?["recall@\(k)"].map { Format.metric($0.mean) } ?? "–"),
                        ], strong: model == comparison.reference))
            }
        }
        let table = GlyphTable(
            Scale(covering: highs, including: [0]),
            heads: ["", "NDCG@\(k) with its 95 % interval", "NDCG", "interval", "Recall"], rows)
        return Piece.figure(
            "models", "Every list, on the same learners.",
            key: """
                <p class="key"><span class="k2">the blend</span> <span class="k1">our models and what is served</span> \
                <span class="k8">simple baselines</span></p>
                """, table.html)
    }

    private func row(_ name: HTML, _ difference: Interval, _ more: [HTML]) -> GlyphTable.Row {
        let colour = difference.low > 0 ? 3 : difference.high < 0 ? 2 : 8
        return .init(
            name, .interval(low: difference.low, mean: difference.mean, high: difference.high, colour: colour),
            [
                HTML(Format.signed(difference.mean)),
                HTML("\(Format.signed(difference.low)) to \(Format.signed(difference.high))"),
            ]
                + more)
    }

    private static let differenceKey: HTML = """
        <p class="key"><span class="k3">better</span> <span class="k8">not shown to differ</span> \
        <span class="k2">worse</span></p>
        """

    private func differences(_ comparison: Comparison, _ all: Comparison.Slice) -> HTML {
        let found = comparison.models.compactMap { model in all.differences[model]?[metric].map { (model, $0) } }
        if found.isEmpty { return "" }
        var table = GlyphTable(
            Scale(covering: found.flatMap { [$0.1.low, $0.1.high] }, including: [0]),
            heads: ["\(comparison.reference) minus", "difference of NDCG@\(k)", "mean", "95 % interval"],
            found.sorted { $0.1.mean > $1.1.mean }.map { row(HTML($0), $1, []) })
        table.rules = [0]
        return Piece.figure(
            "differences", "The blend minus each other list, learner by learner.",
            "Paired: the same learners, the same resamples. All \(Format.count(all.learners)) learners.",
            key: Self.differenceKey, table.html)
    }

    private func slices(_ comparison: Comparison) -> HTML {
        guard let best = comparison.bestBaseline(metric) else { return "" }
        let shown = comparison.slices.filter { $0.learners > 0 && $0.differences[best]?[metric] != nil }
        var rows: [GlyphTable.Row] = []
        var kind = ""
        for slice in shown {
            let words = slice.name.split(separator: " ", maxSplits: 1).map(String.init)
            let own = words.count > 1 ? words[0] : ""
            if own != kind {
                rows.append(.init(HTML("by \(own == "history" ? "courses watched before T" : own)"), heading: true))
            }
            kind = own
            rows.append(
                row(
                    HTML(words.count > 1 ? words[1] : Self.plain(slice.name)), slice.differences[best]![metric]!,
                    [HTML(Format.count(slice.learners))]))
        }
        var table = GlyphTable(
            Scale(
                covering: shown.flatMap { slice in slice.differences[best]![metric].map { [$0.low, $0.high] } ?? [] },
                including: [0]),
            heads: ["learners", "blend minus \(best), NDCG@\(k)", "mean", "95 % interval", "number"], rows)
        table.rules = [0]
        return Piece.figure(
            "slices", "For whom it is better, for whom not.",
            "Against \(best), the best simple baseline for all. Of twenty slices about one lies outside its interval by chance.",
            key: Self.differenceKey, table.html)
    }

    /// What is served, at every cut-off.
    private func served(_ comparison: Comparison, _ all: Comparison.Slice) -> HTML {
        let model = all.metrics["export"] == nil ? comparison.reference : "export"
        guard let found = all.metrics[model] else { return "" }
        let cutoffs = Set(found.keys.compactMap { $0.split(separator: "@").last.flatMap { Int($0) } }).sorted()
        let names = ["ndcg", "recall", "precision", "f1", "map", "mrr", "hit_rate"]
        let lines = names.filter { name in cutoffs.contains { found["\(name)@\($0)"] != nil } }.map { name in
            [name]
                + cutoffs.map { k in
                    found["\(name)@\(k)"].map {
                        "\(Format.metric($0.mean)) (\(Format.metric($0.low))–\(Format.metric($0.high)))"
                    } ?? "–"
                }
        }
        return Piece.figure(
            "metrics", "Every metric of \(model == "export" ? "the served lists" : "the blend").",
            "Mean over all evaluated learners with its 95 % interval; definitions in docs/evaluation.md.",
            Piece.table(["metric"] + cutoffs.map { "at \($0)" }, lines))
    }

    private func wholes(_ comparison: Comparison) -> HTML {
        let lines = comparison.models.compactMap { model -> [String]? in
            guard let found = lists[model]?[String(k)] else { return nil }
            return [
                model, Format.percent(found.coverage), Format.metric(found.gini), Format.decimal(found.novelty, 2),
                found.diversity.map(Format.metric) ?? "–", Format.metric(found.overlap),
            ]
        }
        if lines.isEmpty {
            return Piece.absent(
                "Coverage, novelty and the like of whole lists are known once something follows T.", figure: "wholes")
        }
        return Piece.figure(
            "wholes", "Lists as a whole, \(k) courses each.",
            "Coverage: courses that stand in some list. Gini: 0 all alike often, 1 one course takes all. Novelty: surprise "
                + "in bits. Diversity: mean distance within lists. Overlap: shared by two learners' lists.",
            Piece.table(["list", "coverage", "Gini", "novelty", "diversity", "overlap"], lines))
    }

    private func earlier(_ comparison: Comparison) -> HTML {
        guard let before, let then = before.comparison["all"], let now = comparison["all"] else {
            return Piece.absent("Nothing was published before: there is nothing that we had to compare with.")
        }
        func cell(_ slice: Comparison.Slice, _ model: String, _ metric: String) -> String {
            guard let found = slice.metrics[model]?[metric] else { return "–" }
            return "\(Format.metric(found.mean)) (\(Format.metric(found.low))–\(Format.metric(found.high)))"
        }
        let lines = ["ndcg@\(k)", "recall@\(k)", "hit_rate@\(k)"].flatMap { metric in
            [comparison.reference, "popular"].map { model in
                ["\(model), \(metric)", cell(now, model, metric), cell(then, model, metric)]
            }
        }
        return Piece.figure(
            "before", "What was published before.",
            "Each at its own T, on the learners who came back after it: compare the distance to popular, not the numbers alone.",
            Piece.table(["", "this run", before.name], lines))
    }
}

extension Format {
    /// `+34 %`
    static func signedPercent(_ share: Double) -> String { (share < 0 ? "−" : "+") + percent(abs(share)) }
}
