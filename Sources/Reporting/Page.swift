/// The whole page: a title, the questions with one-line answers, and a section for each.
package struct Page: Sendable {
    package struct Section: Sendable {
        package var id: String
        package var question: String
        /// One or two sentences.
        package var answer: String
        package var body: HTML

        package init(id: String, question: String, answer: String, _ body: [HTML]) {
            (self.id, self.question, self.answer, self.body) = (id, question, answer, body.joined())
        }
    }

    package var title: String
    /// Small facts under the title.
    package var facts: [String]
    package var sections: [Section]
    /// The last line.
    package var colophon: String

    package init(title: String, facts: [String], sections: [Section], colophon: String) {
        (self.title, self.facts, self.sections, self.colophon) = (title, facts, sections, colophon)
    }

    /// One self-contained file: nothing is loaded from elsewhere, and a policy in the page forbids it.
    package var bytes: [UInt8] {
        let glance = sections.map {
            HTML("<li><a href=\"#\($0.id)\">\($0.question)</a> <span>\($0.answer)</span></li>")
        }
        let parts = sections.map {
            HTML(
                "<section id=\"\($0.id)\"><h2>\($0.question)</h2><p class=\"answer\">\($0.answer)</p>\($0.body)</section>\n"
            )
        }
        let page: HTML = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';img-src data:">
            <meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>\(title)</title>
            <style>\(HTML(markup: Style.sheet))</style></head><body><header><h1>\(title)</h1><p class="facts">\
            \(facts.map { HTML("<span>\($0)</span> ") })</p></header>
            <nav aria-label="The run at a glance"><ol>\(glance)</ol></nav>
            <main>\(parts)</main><footer><p>\(colophon)</p></footer></body></html>

            """
        return Array(page.text.utf8)
    }
}

/// Pieces that all sections are made of.
package enum Piece {
    /// A figure with its title, what can be seen in it, and its numbers as a table (none for tables drawn to scale, which
    /// are their own).
    package static func figure(
        _ id: String, _ title: String, _ says: String = "", key: HTML = "", table: HTML = "", _ drawing: HTML
    ) -> HTML {
        let numbers: HTML = table.isEmpty ? "" : "<details><summary>The numbers</summary>\(table)</details>"
        return """
            <figure id="figure-\(id)"><figcaption><b>\(title)</b> \(says)</figcaption>\(key)\
            <div class="drawing">\(drawing)</div>\(numbers)</figure>

            """
    }

    package static func figure(_ id: String, _ plot: Plot, _ title: String, _ says: String = "") -> HTML {
        figure(id, title, says, key: plot.key, table: plot.table, plot.svg)
    }

    package static func figure(_ id: String, _ table: GlyphTable, _ title: String, _ says: String = "") -> HTML {
        figure(id, title, says, table.html)
    }

    /// Small figures beside each other where there is room.
    package static func row(_ figures: [HTML]) -> HTML { "<div class=\"row\">\(figures)</div>" }

    package static func paragraph(_ text: String) -> HTML { "<p>\(text)</p>" }

    /// What takes the place of a figure without data; with the figure's name where other runs have that figure.
    package static func absent(_ text: String, figure: String? = nil) -> HTML {
        "<p class=\"absent\"\(figure.map { HTML(" id=\"figure-\($0)\"") } ?? "")>\(text)</p>"
    }

    /// A plain table, the first column naming the row.
    package static func table(_ heads: [String], _ rows: [[String]], texts: Bool = false) -> HTML {
        let head = heads.map { HTML("<th scope=\"col\">\($0)</th>") }
        let lines = rows.map { row in
            HTML("<tr><th scope=\"row\">\(row[0])</th>\(row.dropFirst().map { HTML("<td>\($0)</td>") })</tr>")
        }
        let kind: HTML = texts ? " class=\"texts\"" : ""
        return "<table\(kind)><thead><tr>\(head)</tr></thead><tbody>\(lines)</tbody></table>"
    }
}
