import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit
import StoredModels

/// What the stage reads, and what of it is the same for all learners.
struct ExportInputs {
    let stage: StageRun
    let settings: ExportSettings
    let logs: StageInput
    let watched: StageInput
    let ncf: StageInput
    let glmix: StageInput
    let blended: StageInput
    let windows: TimeWindows
    let catalogue: Catalogue
    let learnerDictionaries: [String: ValueDictionary]
    let blend: StoredBlend
    let models: StoredModels
    let means: ExplanationMeans
    let rules: ListRules
    /// By course: published before T, not retired.
    let eligible: [Bool]
    let shards: Int

    init(_ stage: StageRun) throws {
        self.stage = stage
        settings = ExportSettings(stage.slice)
        logs = try stage.input(.importLogs)
        watched = try stage.input(.filterWatches)
        ncf = try stage.input(.trainNCF)
        glmix = try stage.input(.trainGLMix)
        blended = try stage.input(.blend)
        windows = try TimeWindows(watched.manifest)
        let catalogue = try LogsShards.catalogue(logs)
        self.catalogue = catalogue
        learnerDictionaries = try LogsShards.learnerDictionaries(logs)
        if settings.languages == .learner, learnerDictionaries["language"]?.values.isEmpty ?? true {
            throw LecternError.configuration(
                "export.languages: learner, but no learner has a column language of categories or lists; use any")
        }
        blend = try BlendedShards.definition(blended, as: StoredBlend.self)
        shards = logs.names("learners").count
        models = try StoredModels(
            .refit, at: windows.asOf, ncf: ncf, glmix: glmix, cowatch: stage.input(.buildCooccurrence),
            catalogue: catalogue, learnerDictionaries: learnerDictionaries, workers: stage.workers)
        means = ExplanationMeans(models)
        let asOf = windows.asOf
        eligible = (0..<catalogue.count).map { catalogue.isEligible($0, at: asOf) }
        rules = try Self.rules(settings, catalogue, eligible, logs.generalSuppressions(), models)
    }

    private static func rules(
        _ settings: ExportSettings, _ catalogue: Catalogue, _ eligible: [Bool], _ general: Suppressions,
        _ models: StoredModels
    ) throws -> ListRules {
        var barred = eligible.map { !$0 }
        for row in 0..<general.count where general.coversRecommending(row) && Int(general.course[row]) < barred.count {
            barred[Int(general.course[row])] = true
        }
        for (column, values) in settings.require {
            let has = try catalogue.has(column, values, for: "export.require")
            for course in barred.indices where !has[course] { barred[course] = true }
        }
        for (column, values) in settings.bar {
            let has = try catalogue.has(column, values, for: "export.bar")
            for course in barred.indices where has[course] { barred[course] = true }
        }
        let caps = try settings.maxPer.map { column, most in
            let (offsets, values) = try catalogue.codes(column, for: "export.max_per")
            return ColumnCap(most: most, offsets: offsets, values: values)
        }
        let walk = GreedyWalk(
            k: settings.k, relevanceShare: settings.relevanceShare, caps: caps,
            vectors: settings.relevanceShare < 1 ? unit(models.ncf.towers.courseVectors) : nil)
        return ListRules(barredCourses: barred, courseLanguage: try languages(settings, catalogue), walk: walk)
    }

    private static func languages(_ settings: ExportSettings, _ catalogue: Catalogue) throws -> [Int32] {
        if settings.languages == .any { return [] }
        guard case .categorical(let codes, let valid)? = catalogue.attributes.columns["language"] else {
            throw LecternError.configuration(
                "export.languages: \(settings.languages.rawValue), but the catalogue has no column language; use any")
        }
        return zip(codes, valid).map { $1 ? Int32($0) : -1 }
    }

    /// Rows of length 1; rows of zeros stay.
    private static func unit(_ vectors: Matrix) -> Matrix {
        var unit = vectors
        for row in 0..<vectors.rows {
            let range = row * vectors.columns..<(row + 1) * vectors.columns
            let norm = vectors.values[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
            if norm > 0 { for at in range { unit.values[at] /= norm } }
        }
        return unit
    }
}
