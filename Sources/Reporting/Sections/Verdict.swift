/// May I publish this run?
package struct Verdict: Sendable {
    /// A gate of publish-run.
    package struct Gate: Sendable {
        package var name: String
        /// nil: it could not be measured, which is no failure.
        package var value: Double?
        package var passes: Bool
        /// Value and limit, or why it could not be measured.
        package var line: String

        package init(name: String, value: Double?, passes: Bool, line: String) {
            (self.name, self.value, self.passes, self.line) = (name, value, passes, line)
        }
    }

    /// nil: the gates were not evaluated.
    package var gates: [Gate]?

    package init(gates: [Gate]?) { self.gates = gates }

    package var section: Page.Section {
        Page.Section(id: "publish", question: "May I publish this run?", answer: answer, [body])
    }

    private var answer: String {
        guard let gates else { return "Not known: the gates were not evaluated." }
        let failed = gates.filter { !$0.passes }.map(\.name)
        let unknown = gates.filter { $0.value == nil }.map(\.name)
        let open = unknown.isEmpty ? "" : " Not measurable: \(Format.list(unknown))."
        if !failed.isEmpty { return "No: \(Format.list(failed)) failed." + open }
        return "Yes: no gate fails; \(gates.count - unknown.count) of \(gates.count) were measured and passed." + open
    }

    private var body: HTML {
        guard let gates else {
            return Piece.absent(
                "make report evaluates the gates before it renders; publish-run --gates-only does so alone.",
                figure: "gates")
        }
        let lines = gates.map { gate in
            let state: HTML =
                gate.value == nil
                ? "<span class=\"soft\">– not measured</span>"
                : gate.passes ? "<span class=\"good\">✓ passes</span>" : "<span class=\"bad\">✗ fails</span>"
            return HTML("<tr><th scope=\"row\">\(gate.name)</th><td>\(state)</td><td>\(gate.line)</td></tr>")
        }
        return Piece.figure(
            "gates", "Gates.",
            "Each must hold before out/current moves. A gate that cannot be measured does not stop a run.",
            """
            <table class="texts"><thead><tr><th scope="col">gate</th><th scope="col">state</th>\
            <th scope="col">value and limit</th></tr></thead><tbody>\(lines)</tbody></table>
            """)
    }
}
