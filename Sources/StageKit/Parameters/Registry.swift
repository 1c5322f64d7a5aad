/// Every parameter of `pipeline.yaml`, in the order of the file. Each section has a file beside this one.
package enum Parameters {
    package static let all: [Parameter] =
        run + importing + filter + cowatch + ncf + glmix + blend + export + evaluate + report + publish

    /// What each section is about, for the shipped file and the reference page.
    package static let sections: [(name: String, meaning: String)] = [
        ("run", "Time and partition of the whole run"),
        ("import", "import-logs: reading CSV"),
        ("filter", "filter-watches: when a course counts as relevant, and the run's time windows"),
        ("cowatch", "build-cooccurrence: similarity of courses, and NCF's wide matrix"),
        ("ncf", "train-ncf: neural collaborative filtering"),
        ("glmix", "train-glmix: response prediction"),
        ("blend", "blend: one list from two models"),
        ("export", "export-topk: the final lists"),
        ("evaluate", "evaluate: metrics against what came after T"),
        ("report", "render-report: the page that explains a run"),
        ("publish", "publish-run: gates before a run goes live"),
    ]

    package static let byPath: [String: Parameter] = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })
}
