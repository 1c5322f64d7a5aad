import Platform

extension Parameters {
    static let glmix: [Parameter] = [
        Parameter(
            "glmix.features", .structured(GLMixSyntax.features), .text("auto"),
            "auto, or a list of declarations: learner.<column>, course.<column>, … buckets 8, … text 1024, cross learner.<a> course.<b>, match learner.<a> course.<b>, course-now, learner-now. auto: all columns with few enough values, small crosses, matches, and the numbers as of the row's day."
        ),
        Parameter(
            "glmix.coordinates", .structured(GLMixSyntax.coordinates), .text("auto"),
            "auto, or a list of {name, by: none | learner | course | <profile column>, features: [learner, course, learner-now, course-now, pair], l2, l1, min_rows, max_rows}; l1 > 0 makes the fixed effect's penalty an elastic net. auto: global, per-learner, per-course, and per-segment where learners have one."
        ),
        Parameter(
            "glmix.l2", .number(1e-6...1e9), .number(10),
            "Penalty λ of every coordinate that does not state its own, for summed losses."),
        Parameter(
            "glmix.min_count", .integer(1...1_000_000), .integer(10), unit: "training rows",
            "Values of a column that are rarer share one feature, \"other\"."),
        Parameter(
            "glmix.half_life", .duration(orAuto: false), .text("30d"),
            "Half-life of the decayed engagements and impressions of course-now."),
        Parameter(
            "glmix.attribution", .duration(orAuto: false), .text("24h"),
            "An engagement within this time after an impression of the course belongs to it."),
        Parameter(
            "glmix.watch_weight", .number(0...100), .number(1),
            "κ: how much the watch time after a positive adds to its weight of 1; 0 is the unweighted model."),
        Parameter(
            "glmix.weight_window", .duration(orAuto: false), .text("28d"),
            "Watch time of the course this long after a positive counts for its weight."),
        Parameter(
            "glmix.negatives", .integer(0...100), .integer(4),
            "Courses drawn as negatives per positive, where a learner and channel have no impressions."),
        Parameter(
            "glmix.negative_mass", .number(0.01...1e6), .number(20), unit: "positives",
            "What the drawn negatives of one positive stand for, at most."),
        Parameter(
            "glmix.alpha", .number(0...2), .number(0.5),
            "Negatives are drawn by (1 + engagements)^alpha; offsets undo it."),
        Parameter("glmix.passes", .integer(1...100), .integer(2), "Passes of block descent before the joint finish."),
        Parameter(
            "glmix.tolerance", .number(1e-12...0.1), .number(1e-6),
            "The fit ends when F − F* is certified to be at most this share of F."),
        Parameter(
            "glmix.variances", .choice(["none", "diagonal", "full"]), .text("diagonal"),
            "Variances stored with the coefficients: 1/H_jj, or the diagonal of the inverse Hessian of the coefficient's block (an entity, or the fixed effect up to 8192 features)."
        ),
        Parameter(
            "glmix.tune", .integer(0...10_000), .integer(0), unit: "trials",
            "Searches the λ's of all coordinates within 1/32 to 32 times the stated ones: so many Sobol points, judged by log loss on validation half A."
        ),
        Parameter(
            "glmix.prior", .text, .text("none"),
            "Run (a name beside this one, or a path) whose means and variances are the prior: only rows since then are trained on. none: no prior. Not with glmix.tune."
        ),
        Parameter(
            "glmix.refit", .boolean, .boolean(true),
            "Fit once more with engagements up to T for the final scores; false takes the validation fit for both."),
        Parameter(
            "glmix.write_examples", .boolean, .boolean(true), "Keep the training rows as shards of kind examples."),
    ]
}

/// What is wrong with the structured parameters; nil: nothing.
package enum GLMixSyntax {
    @Sendable static func features(_ value: Value) -> String? {
        if value == .text("auto") { return nil }
        guard case .list(let items) = value else { return "expected auto or a list of texts" }
        var declarations: [FeatureDeclaration] = []
        for item in items {
            guard case .text(let line) = item else { return "expected a text, found \(item.yaml)" }
            do { declarations.append(try FeatureDeclaration(line)) } catch { return "\(error)" }
        }
        return conflict(declarations)
    }

    /// A column has one form, in crosses too: the first that is declared.
    private static func conflict(_ declarations: [FeatureDeclaration]) -> String? {
        var forms: [String: (form: FeatureDeclaration, line: String)] = [:]
        for declaration in declarations {
            switch declaration {
            case .column(let side, let name), .buckets(let side, let name, _), .text(let side, let name, _):
                let column = "\(side.rawValue).\(name)"
                if let first = forms[column], first.form != declaration {
                    return "\"\(first.line)\" and \"\(declaration.line)\" are two forms of one column: keep one"
                        + (first.line == first.form.line ? "" : ", or declare the column before the cross")
                }
                forms[column] = (declaration, declaration.line)
            case .cross(let a, let b):
                for form in [FeatureDeclaration.column(.learner, a), .column(.course, b)] where forms[form.line] == nil
                {
                    forms[form.line] = (form, declaration.line)
                }
            case .match, .courseNow, .learnerNow: break
            }
        }
        return nil
    }

    @Sendable static func coordinates(_ value: Value) -> String? {
        if value == .text("auto") { return nil }
        guard case .list(let items) = value, !items.isEmpty else { return "expected auto or a list of coordinates" }
        var (names, fixed) = (Set<String>(), String?.none)
        for item in items {
            guard case .map(let fields) = item else { return "expected {name: …, by: …}, found \(item.yaml)" }
            let known = ["name", "by", "features", "l2", "l1", "min_rows", "max_rows"]
            if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
                return "unknown key \(unknown); known are \(known.joined(separator: ", "))"
            }
            guard case .text(let name)? = fields["name"],
                name.allSatisfy({ $0.isLetter || $0.isNumber || "-_".contains($0) }),
                !name.isEmpty, names.insert(name).inserted
            else { return "each coordinate needs a name of its own (letters, digits, - and _)" }
            if let problem = problem(fields) { return "\(name): \(problem)" }
            if isFixed(fields) {
                if let fixed { return "\(fixed) and \(name): only one coordinate may be by: none, the fixed effect" }
                fixed = name
            }
        }
        return nil
    }

    private static func isFixed(_ fields: [String: Value]) -> Bool {
        [nil, .null, .text("none")].contains(fields["by"])
    }

    private static func problem(_ fields: [String: Value]) -> String? {
        switch fields["by"] {
        case nil, .null?, .text?: break
        default: return "by: expected none, learner, course or a profile column"
        }
        if let features = fields["features"] {
            guard case .list(let items) = features, items.allSatisfy({ if case .text = $0 { true } else { false } })
            else {
                return "features: expected a list of texts"
            }
        }
        switch fields["l2"] {
        case nil: break
        case .integer(let v)?: if v <= 0 { return "l2: \(v), must be > 0" }
        case .number(let v)?: if !(v > 0) { return "l2: \(v), must be > 0" }
        default: return "l2: expected a number > 0"
        }
        let isFixed = isFixed(fields)
        switch fields["l1"] {
        case nil: break
        case .integer(let v)?: if v < 0 || v > 0 && !isFixed { return "l1: \(v), must be ≥ 0, and by: none" }
        case .number(let v)?: if !(v >= 0) || v > 0 && !isFixed { return "l1: \(v), must be ≥ 0, and by: none" }
        default: return "l1: expected a number ≥ 0"
        }
        for (key, least) in [("min_rows", 1), ("max_rows", 0)] {
            switch fields[key] {
            case nil: break
            case .integer(let v)?: if v < least { return "\(key): \(v), must be at least \(least)" }
            default: return "\(key): expected a whole number"
            }
        }
        return nil
    }
}
