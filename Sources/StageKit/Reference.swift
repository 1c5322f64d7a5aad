/// The shipped `pipeline.yaml` and the reference page, written from the parameter declarations.
package enum Reference {
    package static func yaml() -> String {
        var text = """
            # Every parameter of Lectern, with unit, meaning and default. A dataset file may recommend other values in its
            # `pipeline:` section, and SET="section.name=value …" on make's command line overrides both.
            # Written by `bin/prepare-run defaults`; a test holds it against the declarations in the code.

            """
        for section in Parameters.sections {
            let parameters = Parameters.all.filter { $0.section == section.name }
            if parameters.isEmpty { continue }
            text += "\n# \(section.meaning)\n\(section.name):\n"
            for parameter in parameters {
                for line in wrapped(description(parameter), width: 112) { text += "  # \(line)\n" }
                text += "  \(parameter.name): \(parameter.standard.yaml)\n"
            }
        }
        return text
    }

    package static func markdown() -> String {
        var text = "# Parameters\n\nWritten by `bin/prepare-run defaults --markdown`.\n"
        for section in Parameters.sections {
            let parameters = Parameters.all.filter { $0.section == section.name }
            if parameters.isEmpty { continue }
            text +=
                "\n## \(section.name)\n\n\(section.meaning).\n\n| parameter | default | unit | allowed | meaning |\n"
            text += "| --- | --- | --- | --- | --- |\n"
            for p in parameters {
                let cells = ["`\(p.path)`", "`\(p.standard.yaml)`", p.unit, p.allowed, p.meaning]
                text +=
                    "| " + cells.map { $0.split(separator: "|").joined(separator: "\\|") }.joined(separator: " | ")
                    + " |\n"
            }
        }
        return text
    }

    private static func description(_ parameter: Parameter) -> String {
        let unit = parameter.unit.isEmpty ? "" : " [\(parameter.unit)]"
        return "\(parameter.meaning)\(unit) Allowed: \(parameter.allowed)."
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = [""]
        for word in text.split(separator: " ") {
            if !lines.last!.isEmpty && lines.last!.count + 1 + word.count > width { lines.append("") }
            lines[lines.count - 1] += (lines.last!.isEmpty ? "" : " ") + word
        }
        return lines
    }
}
