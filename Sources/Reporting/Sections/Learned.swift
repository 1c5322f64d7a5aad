/// What did it learn?
package struct Learned: Sendable {
    package struct NeighbourShare: Sendable {
        package var column: String
        package var neighbours: Double
        package var chance: Double
        package init(column: String, neighbours: Double, chance: Double) {
            (self.column, self.neighbours, self.chance) = (column, neighbours, chance)
        }
    }

    /// A chosen course and the ones closest to it, best first.
    package struct Neighbours: Sendable {
        package var course: String
        package var closest: [(title: String, cosine: Double)]
        package init(course: String, closest: [(title: String, cosine: Double)]) {
            (self.course, self.closest) = (course, closest)
        }
    }

    /// An epoch of NCF's training.
    package struct Epoch: Sendable {
        /// The fit before t_v, or the refit before T.
        package var isRefit: Bool
        package var epoch: Int
        package var loss: Double
        /// NDCG@20 on validation half A, with and without history; nil: not measured.
        package var warm: Double?
        package var cold: Double?
        package init(isRefit: Bool, epoch: Int, loss: Double, warm: Double?, cold: Double?) {
            (self.isRefit, self.epoch, self.loss, self.warm, self.cold) = (isRefit, epoch, loss, warm, cold)
        }
    }

    package struct Coefficient: Sendable {
        package var name: String
        package var value: Double
        /// Posterior standard deviation; nil: the run does not say.
        package var deviation: Double?
        package init(name: String, value: Double, deviation: Double?) {
            (self.name, self.value, self.deviation) = (name, value, deviation)
        }
    }

    package struct CalibrationBucket: Sendable {
        package var predicted: Double
        package var observed: Double
        package var rows: Int
        package init(predicted: Double, observed: Double, rows: Int) {
            (self.predicted, self.observed, self.rows) = (predicted, observed, rows)
        }
    }

    package struct BlendWeight: Sendable {
        package var length: Int
        package var ncf: Double
        package var glmix: Double
        package var recent: Double
        package init(length: Int, ncf: Double, glmix: Double, recent: Double) {
            (self.length, self.ncf, self.glmix, self.recent) = (length, ncf, glmix, recent)
        }
    }

    package var map: CourseMapFigure?
    package var colourings: [CourseMapFigure.Colouring] = []
    package var shares: [NeighbourShare] = []
    package var neighbours: [Neighbours] = []
    package var epochs: [Epoch] = []
    package var coefficients: [Coefficient] = []
    package var calibration: [CalibrationBucket] = []
    package var weights: [BlendWeight] = []
    /// Where a single model is used instead of the blend.
    package var choices: [String] = []
    /// Entries of all lists by their reason.
    package var reasons: [(name: String, entries: Int)] = []

    package init() {}

    package var section: Page.Section {
        Page.Section(
            id: "learned", question: "What did it learn?", answer: answer,
            [
                courseMap, shareFigure, neighbourFigure, Piece.row(curves), coefficientFigure,
                Piece.row([calibrationFigure, weightFigure]), reasonFigure,
            ])
    }

    private var answer: String {
        var parts: [String] = []
        if let strongest = shares.max(by: {
            $0.neighbours / max($0.chance, 0.01) < $1.neighbours / max($1.chance, 0.01)
        }) {
            parts.append(
                "A course's nearest courses share its \(strongest.column) in \(Format.percent(strongest.neighbours)) of cases "
                    + "(by chance \(Format.percent(strongest.chance))).")
        }
        if let first = coefficients.first {
            parts.append("The strongest effect on responses is \(first.name) (\(Format.signedNumber(first.value))).")
        }
        let entries = reasons.reduce(0) { $0 + $1.entries }
        if let most = reasons.max(by: { $0.entries < $1.entries }), entries > 0 {
            parts.append(
                "\(Format.percent(Double(most.entries) / Double(entries))) of list entries say “\(most.name)”.")
        }
        return parts.isEmpty ? "The run left no summary of it." : parts.joined(separator: " ")
    }

    // MARK: Courses

    private var courseMap: HTML {
        guard let map else { return Piece.absent("No course map: there are no course embeddings.", figure: "map") }
        return Piece.figure(
            "map", "Map of the courses.",
            "Near in the map: near by embedding (t-SNE), so watched by the same learners or alike in metadata. Clusters mean "
                + "something; their sizes and the distances between them do not. Hover for the title.",
            table: shares.isEmpty ? "" : shareTable, map.html(colourings))
    }

    private var shareTable: HTML {
        Piece.table(
            ["column", "shared by nearest courses", "by chance"],
            shares.map { [$0.column, Format.percent($0.neighbours), Format.percent($0.chance)] })
    }

    private var shareFigure: HTML {
        if shares.isEmpty { return "" }
        let rows = shares.sorted { $0.neighbours > $1.neighbours }.flatMap { share -> [GlyphTable.Row] in
            [
                .init(
                    HTML(share.column), .bar(share.neighbours, colour: 1),
                    [HTML(Format.percent(share.neighbours))]),
                .init(
                    "<span class=\"soft\">by chance</span>", .bar(share.chance, colour: 8),
                    [HTML(Format.percent(share.chance))]),
            ]
        }
        let table = GlyphTable(
            Scale(0, 1), heads: ["shared", "share of a course's nearest courses", ""], rows,
            ticks: [(0, "0"), (0.5, "50 %"), (1, "100 %")])
        return Piece.figure("shares", table, "How much of the metadata the map has found.")
    }

    private var neighbourFigure: HTML {
        if neighbours.isEmpty { return "" }
        let lines = neighbours.map { chosen in
            [
                chosen.course,
                chosen.closest.map { "\($0.title) (\(Format.metric($0.cosine)))" }.joined(separator: " · "),
            ]
        }
        return Piece.figure(
            "neighbours", "Nearest courses.",
            "Of much watched courses of the largest categories; cosine of the embeddings.",
            Piece.table(["course", "nearest, best first"], lines, texts: true))
    }

    // MARK: Curves

    private var curves: [HTML] {
        if epochs.isEmpty { return [Piece.absent("No learning curves: NCF left no history.", figure: "loss")] }
        let x = Plot.Axis("epoch", Scale(0, Double(max(1, epochs.map(\.epoch).max() ?? 1))), ticks: nil) {
            Format.decimal($0, 0)
        }
        func line(_ name: String, _ colour: Int, _ refit: Bool, _ value: (Epoch) -> Double?) -> Plot.Series {
            let points = epochs.filter { $0.isRefit == refit }.compactMap { epoch in
                value(epoch).map { (x: Double(epoch.epoch), y: $0) }
            }
            return Plot.Series(name, colour: colour, .line, points)
        }
        // Epoch 0 is the linear part alone; its loss is not that of a step.
        func loss(_ epoch: Epoch) -> Double? { epoch.epoch == 0 ? nil : epoch.loss }
        let losses = [line("fit, before t_v", 1, false, loss), line("refit, before T", 2, true, loss)]
        let quality = line("", 1, false, \.warm)
        let cold = Set(epochs.compactMap(\.cold))
        let measured = quality.points
        var figures = [
            Piece.figure(
                "loss",
                Plot(
                    "Training loss by epoch", x: x,
                    y: .init("loss", Scale(covering: losses.flatMap { $0.points.map(\.y) })), losses),
                "Learning curves of NCF.", "Mean training loss; the refit takes the steps that the fit chose.")
        ]
        if measured.isEmpty {
            figures.append(Piece.absent("No validation curve: there was nobody to validate on.", figure: "validation"))
        } else {
            let best = epochs.filter { $0.warm != nil }.max { $0.warm! < $1.warm! }
            figures.append(
                Piece.figure(
                    "validation",
                    Plot(
                        "NDCG on validation half A by epoch", x: x,
                        y: .init("NDCG@20", Scale(covering: measured.map(\.y))), [quality]),
                    "NDCG@20 of learners with history, on validation half A.",
                    "Epoch 0 is trend and co-watches alone; the axis does not start at 0."
                        + (cold.count == 1 ? " Without history it stays at \(Format.metric(cold.first!))." : "")
                        + (best.map {
                            " The best is epoch \($0.epoch): \(Format.metric($0.warm!))."
                        } ?? "")))
        }
        return figures
    }

    // MARK: Responses

    private var coefficientFigure: HTML {
        if coefficients.isEmpty {
            return Piece.absent("No coefficients: GLMix left no summary of its fixed effect.", figure: "coefficients")
        }
        func ends(_ c: Coefficient) -> (Double, Double) {
            let reach = 1.96 * (c.deviation ?? 0)
            return (c.value - reach, c.value + reach)
        }
        let known = coefficients.contains { $0.deviation != nil }
        var table = GlyphTable(
            Scale(covering: coefficients.flatMap { [ends($0).0, ends($0).1] }, including: [0]),
            heads: ["feature", "effect on the logit of a response", "effect", known ? "± deviation" : ""],
            coefficients.map { c in
                .init(
                    HTML(c.name),
                    .interval(low: ends(c).0, mean: c.value, high: ends(c).1, colour: c.value < 0 ? 2 : 1),
                    [HTML(Format.signedNumber(c.value)), HTML(c.deviation.map { Format.decimal($0, 2) } ?? "")])
            })
        table.rules = [0]
        return Piece.figure(
            "coefficients", table, "GLMix's strongest coefficients.",
            known
                ? "Of the fixed effect, with twice their posterior deviation on either side: what reaches zero may be nothing."
                : "Of the fixed effect; the run does not say their deviations.")
    }

    private var calibrationFigure: HTML {
        if calibration.isEmpty {
            return Piece.absent("No calibration: GLMix was not validated.", figure: "calibration")
        }
        let top = Scale(covering: calibration.flatMap { [$0.predicted, $0.observed] }, including: [0])
        var plot = Plot(
            "Observed response rate by predicted probability", x: .init("predicted", top), y: .init("observed", top),
            [Plot.Series("", colour: 1, .dots, calibration.map { (x: $0.predicted, y: $0.observed) })])
        plot.hasDiagonal = true
        let rows = calibration.reduce(0) { $0 + $1.rows }
        let error =
            calibration.reduce(0) { $0 + Double($1.rows) * abs($1.predicted - $1.observed) } / Double(max(rows, 1))
        return Piece.figure(
            "calibration", plot, "Are predicted probabilities frequencies?",
            "On the diagonal they are. Mean distance \(Format.percent(error)) over \(Format.count(rows)) validation rows in equal buckets."
        )
    }

    private var weightFigure: HTML {
        guard let last = weights.last else { return Piece.absent("No blend weights.", figure: "weights") }
        let ticks = [0, 1, 3, 10, 30, 100, 300].filter { $0 <= last.length }
        func series(_ name: String, _ colour: Int, _ value: (BlendWeight) -> Double) -> Plot.Series {
            Plot.Series(name, colour: colour, .line, weights.map { (x: Double($0.length + 1), y: value($0)) })
        }
        let lines = [series("NCF", 1, \.ncf), series("GLMix", 2, \.glmix), series("recent", 3, \.recent)]
        let plot = Plot(
            "Blend weights by history length",
            x: .init(
                "courses watched", Scale(1, Double(max(2, last.length + 1)), logarithmic: true),
                ticks: ticks.map { Double($0 + 1) }
            ) { Format.decimal($0 - 1, 0) },
            y: .init("weight", Scale(covering: lines.flatMap { $0.points.map(\.y) }, including: [0])), lines)
        return Piece.figure(
            "weights", plot, "What the blend trusts.",
            "Weight of each standardised score by history length, other traits at their mean."
                + choices.map { " " + $0 }.joined())
    }

    private var reasonFigure: HTML {
        let entries = reasons.reduce(0) { $0 + $1.entries }
        if entries == 0 { return "" }
        return Piece.figure(
            "reasons", .shares(reasons, total: entries, of: "entries"), "Reasons given in the lists.",
            "Of \(Format.count(entries)) entries.")
    }
}

extension Format {
    static func signedNumber(_ value: Double) -> String { (value < 0 ? "−" : "+") + decimal(abs(value), 2) }
}

extension GlyphTable {
    /// Counts as bars of their share.
    static func shares(_ counts: [(name: String, entries: Int)], total: Int, of unit: String) -> GlyphTable {
        GlyphTable(
            Scale(0, 1), heads: ["", "share of \(unit)", "share", unit],
            counts.map { name, count in
                let share = Double(count) / Double(max(total, 1))
                return .init(
                    HTML(name), .bar(share, colour: 1), [HTML(Format.percent(share)), HTML(Format.count(count))])
            }, ticks: [(0, "0"), (0.5, "50 %"), (1, "100 %")])
    }
}
