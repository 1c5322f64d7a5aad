import Logs
import Platform
import Shards
import StageKit

/// What no parameter tells by itself: values that must agree with each other or with the dataset's columns, so that a
/// mistake shows now, not in a stage that runs hours later. What only the files know (columns taken by their headers,
/// which values occur) is checked by the stage that reads them.
struct CrossChecks {
    private let configuration: Configuration
    private let learners: StatedColumns
    private let courses: StatedColumns

    init(_ configuration: Configuration, _ mapping: DatasetMapping, dataset: String) {
        self.configuration = configuration
        learners = StatedColumns(mapping, .learners, dataset)
        courses = StatedColumns(mapping, .courses, dataset)
    }

    /// - Parameter forExamples: GLMix learns from examples with groupings of their own.
    /// - Throws: `.configuration` naming the parameter.
    func check(forExamples: Bool) throws {
        try checkLists()
        try checkEvaluation()
        try checkRules()
        try checkFeatures()
        try checkTuning()
        if !forExamples { try checkCoordinates() }
    }

    private func checkLists() throws {
        let (blend, export) = (configuration.slice(.blend), configuration.slice(.exportTopK))
        let prior = blend.value("blend.prior")
        if blend.numbers("blend.prior").count != 3 {
            throw LecternError.configuration("blend.prior: found \(prior.yaml), expected 3 weights: ncf, glmix, recent")
        }
        let (k, candidates) = (export.integer("export.k"), blend.integer("blend.candidates"))
        if k > candidates {
            throw LecternError.configuration(
                "export.k: \(k), but lists are taken from \(candidates) candidates: raise blend.candidates, or lower export.k"
            )
        }
    }

    private func checkEvaluation() throws {
        let slice = configuration.slice(.evaluate)
        let shown = slice.integer("evaluate.table_cutoff")
        if !slice.integers("evaluate.cutoffs").contains(shown) {
            throw LecternError.configuration(
                "evaluate.table_cutoff: \(shown) is none of evaluate.cutoffs \(slice.value("evaluate.cutoffs").yaml)")
        }
        let window = slice.value("evaluate.window")
        if let end = Self.moment(window), let asOf = configuration.values["run.as_of"].flatMap(Self.moment), end <= asOf
        {
            throw LecternError.configuration(
                "evaluate.window: \(Moment.text(end)) is not after run.as_of, \(Moment.text(asOf)): take a later moment, or a "
                    + "duration")
        }
    }

    private static func moment(_ value: Value) -> Int64? {
        switch value {
        case .integer(let seconds): Int64(seconds)
        case .text(let text): Moment.parse(text)
        default: nil
        }
    }

    private func checkRules() throws {
        let slice = configuration.slice(.exportTopK)
        for parameter in ["export.require", "export.bar", "export.max_per"] {
            guard case .map(let columns) = slice.value(parameter) else { continue }
            for column in columns.keys.sorted() { try courses.require(column, [.category, .list], parameter) }
        }
        let languages = slice.text("export.languages")
        if languages != "any" { try courses.require("language", [.category], "export.languages=\(languages)") }
        if languages == "learner" { try learners.require("language", [.category, .list], "export.languages=learner") }
    }

    private func checkFeatures() throws {
        let slice = configuration.slice(.trainGLMix)
        guard case .list = slice.value("glmix.features") else { return }
        let courses = courses.withTitleAndDuration
        let values: [StatedColumns.Kind] = [.category, .list, .number]
        for line in slice.texts("glmix.features") {
            let parameter = "glmix.features: \"\(line)\""
            func require(_ side: FeatureDeclaration.Side, _ name: String, _ kinds: [StatedColumns.Kind]) throws {
                try (side == .learner ? learners : courses).require(name, kinds, parameter)
            }
            switch try FeatureDeclaration(line) {
            case .column(let side, let name): try require(side, name, values)
            case .buckets(let side, let name, _): try require(side, name, [.number])
            case .text(let side, let name, _): try require(side, name, [.text])
            case .cross(let a, let b):
                try require(.learner, a, values)
                try require(.course, b, values)
            case .match(let a, let b):
                try require(.learner, a, [.category, .list])
                try require(.course, b, [.category, .list])
            case .courseNow, .learnerNow: break
            }
        }
    }

    private func checkTuning() throws {
        let slice = configuration.slice(.trainGLMix)
        if slice.integer("glmix.tune") > 0, slice.text("glmix.prior") != "none" {
            throw LecternError.configuration("glmix.tune and glmix.prior exclude each other: tune the run of the prior")
        }
    }

    private func checkCoordinates() throws {
        guard case .list(let items) = configuration.slice(.trainGLMix).value("glmix.coordinates") else { return }
        for case .map(let fields) in items {
            guard case .text(let by)? = fields["by"], !["none", "learner", "course"].contains(by) else { continue }
            try learners.require(by, [.category], "glmix.coordinates: \(fields["name"]?.yaml ?? "") by \(by)")
        }
    }
}

/// The profile or metadata columns that a dataset file states of a table.
struct StatedColumns {
    enum Kind: String { case category, list, number, text }

    private let table: LogTable
    private let dataset: String
    private var kinds: [String: Kind] = [:]
    /// Files may have more columns, by their headers.
    private var isOpen = false
    private var hasDuration = false

    init(_ mapping: DatasetMapping, _ table: LogTable, _ dataset: String) {
        (self.table, self.dataset) = (table, dataset)
        for source in mapping.sources(table) {
            if case .byHeader = source.others { isOpen = true }
            for column in source.columns {
                if column.isAttribute { kinds[column.target] = Self.kind(column.conversion) }
                if column.target == "duration_seconds" { hasDuration = true }
            }
        }
    }

    private static func kind(_ conversion: Conversion) -> Kind {
        switch conversion {
        case .category: .category
        case .list: .list
        case .number: .number
        default: .text
        }
    }

    /// What GLMix's features have of courses beside metadata.
    var withTitleAndDuration: StatedColumns {
        var more = self
        more.kinds["title"] = kinds["title"] ?? .text
        if hasDuration { more.kinds["duration_seconds"] = kinds["duration_seconds"] ?? .number }
        return more
    }

    /// - Throws: `.configuration` for a column that is not there, or of none of these kinds.
    func require(_ name: String, _ allowed: [Kind], _ parameter: String) throws {
        guard let kind = kinds[name] else {
            if isOpen { return }
            let known = kinds.keys.sorted().joined(separator: ", ")
            throw LecternError.configuration(
                "\(parameter): \(table.rawValue) have no column \"\(name)\" in \(dataset), but "
                    + (known.isEmpty ? "none" : known))
        }
        if !allowed.contains(kind) {
            throw LecternError.configuration(
                "\(parameter): column \"\(name)\" of \(table.rawValue) is of kind \(kind.rawValue) in \(dataset), expected "
                    + allowed.map(\.rawValue).joined(separator: " or "))
        }
    }
}
