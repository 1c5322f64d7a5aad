/// The stages of the DAG: their folders under a run, what they read, and which parameters concern them.
package enum StageName: String, CaseIterable, Sendable {
    case prepareRun = "prepare-run"
    case importLogs = "import-logs"
    case filterWatches = "filter-watches"
    case buildCooccurrence = "build-cooccurrence"
    case trainNCF = "train-ncf"
    case trainGLMix = "train-glmix"
    case blend = "blend"
    case exportTopK = "export-topk"
    case evaluate = "evaluate"
    case renderReport = "render-report"
    case publishRun = "publish-run"

    package var folder: String {
        switch self {
        case .prepareRun: "config"
        case .importLogs: "logs"
        case .filterWatches: "watched"
        case .buildCooccurrence: "cowatch"
        case .trainNCF: "ncf"
        case .trainGLMix: "glmix"
        case .blend: "blended"
        case .exportTopK: "topk"
        case .evaluate: "metrics"
        case .renderReport: "report"
        case .publishRun: "published"
        }
    }

    /// Stages whose manifests this one reads (the Makefile's prerequisites).
    package var inputs: [StageName] {
        switch self {
        case .prepareRun, .importLogs: []
        case .filterWatches: [.importLogs]
        case .buildCooccurrence: [.importLogs, .filterWatches]
        case .trainNCF: [.importLogs, .filterWatches, .buildCooccurrence]
        case .trainGLMix: [.importLogs, .filterWatches]
        case .blend: [.importLogs, .filterWatches, .buildCooccurrence, .trainNCF, .trainGLMix]
        case .exportTopK: [.importLogs, .filterWatches, .buildCooccurrence, .trainNCF, .trainGLMix, .blend]
        case .evaluate: [.importLogs, .filterWatches, .buildCooccurrence, .trainNCF, .trainGLMix, .blend, .exportTopK]
        case .renderReport, .publishRun:
            [
                .importLogs, .filterWatches, .buildCooccurrence, .trainNCF, .trainGLMix, .blend, .exportTopK, .evaluate,
            ]
        }
    }

    /// Sections (`ncf`) and single parameters (`run.seed`) in the stage's slice. Threads, memory budgets and paths
    /// are in none.
    package var parameters: [String] {
        switch self {
        case .prepareRun: []
        case .importLogs: ["run.as_of", "run.max_gap", "run.shards", "import"]
        case .filterWatches: ["filter"]
        case .buildCooccurrence: ["cowatch"]
        case .trainNCF: ["run.seed", "ncf"]
        case .trainGLMix: ["run.seed", "glmix"]
        case .blend: ["run.seed", "blend", "export.exclude", "export.completed_fraction"]
        case .exportTopK: ["export"]
        case .evaluate: ["run.seed", "evaluate", "export.exclude", "export.completed_fraction"]
        case .renderReport: ["run.seed", "report"]
        case .publishRun: ["publish"]
        }
    }

    /// Whether ranks share the work of the stage; of the others rank 0 does all, while the rest sleep.
    package var isDealt: Bool {
        switch self {
        case .importLogs, .filterWatches, .buildCooccurrence, .trainNCF, .trainGLMix, .blend, .exportTopK, .evaluate:
            true
        case .prepareRun, .renderReport, .publishRun: false
        }
    }

    package func concerns(_ parameter: Parameter) -> Bool {
        parameters.contains(parameter.section) || parameters.contains(parameter.path)
    }

    /// The stage whose output lies in a folder.
    package init?(folder: String) {
        guard let stage = Self.allCases.first(where: { $0.folder == folder }) else { return nil }
        self = stage
    }
}
