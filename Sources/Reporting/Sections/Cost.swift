/// What did it cost?
package struct Cost: Sendable {
    package struct Stage: Sendable {
        package var name: String
        package var seconds: Double
        package var peak: Int
        package var rows: Int
        package init(name: String, seconds: Double, peak: Int, rows: Int) {
            (self.name, self.seconds, self.peak, self.rows) = (name, seconds, peak, rows)
        }
    }

    package var stages: [Stage]
    /// Threads and kernels, as the stages say.
    package var machine: String

    package init(stages: [Stage], machine: String) { (self.stages, self.machine) = (stages, machine) }

    package var section: Page.Section {
        let total = stages.reduce(0) { $0 + $1.seconds }
        let peak = stages.map(\.peak).max() ?? 0
        let slowest = stages.max { $0.seconds < $1.seconds }
        let answer =
            stages.isEmpty
            ? "Not known: the stages left no statistics."
            : "\(Format.seconds(total)) in \(stages.count) stages, "
                + (slowest.map { "\(Format.percent($0.seconds / max(total, 1e-9))) of it in \($0.name); " } ?? "")
                + "at most \(Format.bytes(peak)) of memory."
        return Page.Section(id: "cost", question: "What did it cost?", answer: answer, stages.isEmpty ? [] : [figure])
    }

    private var figure: HTML {
        let longest = stages.map(\.seconds).max() ?? 1
        let table = GlyphTable(
            Scale(covering: [longest], including: [0]), heads: ["stage", "seconds", "time", "memory", "rows written"],
            stages.map { stage in
                .init(
                    HTML(stage.name), .bar(stage.seconds, colour: 1),
                    [
                        HTML(Format.seconds(stage.seconds)), HTML(Format.bytes(stage.peak)),
                        HTML(Format.count(stage.rows)),
                    ])
            })
        return Piece.figure("cost", table, "Seconds and peak memory by stage.", machine)
    }
}
