/// Whom does it reach, with what, and what do lists look like?
package struct Reach: Sendable {
    /// A learner's list.
    package struct List: Sendable {
        package var learner: String
        /// Segment, history, rung.
        package var about: String
        /// Titles, the newest first.
        package var watched: [String]
        package var entries: [(title: String, reason: String)]
        package init(learner: String, about: String, watched: [String], entries: [(title: String, reason: String)]) {
            (self.learner, self.about, self.watched, self.entries) = (learner, about, watched, entries)
        }
    }

    /// Share of the eligible courses that stand in some list; nil: not known.
    package var coverage: Double?
    /// 1 − mean overlap with the lists published before; nil: there are none.
    package var churn: Double?
    package var rungs: [(name: String, entries: Int)] = []
    /// Lists that are shorter than asked for, by reason.
    package var short: [(name: String, entries: Int)] = []
    package var lists: [List] = []

    package init() {}

    package var section: Page.Section {
        let total = rungs.reduce(0) { $0 + $1.entries }
        var answer = "\(Format.count(total)) learners have a list."
        if let coverage { answer += " \(Format.percent(coverage)) of the eligible courses stand in some list." }
        answer +=
            churn.map { " \(Format.percent($0)) of what was served before changes." }
            ?? " Nothing was served before, so there is no churn."
        return Page.Section(
            id: "reach", question: "Whom does it reach, and with what?", answer: answer,
            [rungFigure(total), shortFigure(total), listFigure])
    }

    private func rungFigure(_ total: Int) -> HTML {
        if total == 0 { return "" }
        return Piece.figure(
            "rungs", .shares(rungs, total: total, of: "lists"), "What lists rest on.",
            "The most personal part of the score that is not zero: the towers where there is history, else whatever is known."
        )
    }

    private func shortFigure(_ total: Int) -> HTML {
        if short.isEmpty { return Piece.absent("Every list is as long as asked for.") }
        return Piece.figure("short", .shares(short, total: total, of: "lists"), "Short lists, and why.")
    }

    private var listFigure: HTML {
        if lists.isEmpty { return "" }
        let shown = lists.map { list -> HTML in
            let watched: HTML =
                list.watched.isEmpty
                ? "" : HTML("<p class=\"key\">Watched last: \(list.watched.joined(separator: " · "))</p>")
            let lines = list.entries.enumerated().map { [String($0 + 1), $1.title, $1.reason] }
            return
                "<div><h3>\(list.learner) <span class=\"soft\">\(list.about)</span></h3>\(watched)\(Piece.table(["", "course", "reason"], lines, texts: true))</div>"
        }
        return Piece.figure(
            "lists", "Some learners' lists.", "The first of each rung, then the next ones.",
            "<div class=\"lists\">\(shown)</div>")
    }
}
