/// What evaluation keeps of every learner with at least one relevant course in the window: enough to compute any
/// metric at any cut-off and to pool several cuts.
package struct EvaluatedLearners: Sendable, Equatable {
    /// Names of the lists, in the order of tables.
    package let models: [String]
    /// Up to which length each model's lists are known: metrics beyond that are not defined.
    package let depths: [Int]
    /// One row per learner (and cut). Equal ids are the same learner.
    package private(set) var ids: [String] = []
    /// Courses with a moment before T; 0 is a cold learner.
    package private(set) var history: [Int] = []
    /// Empty: none known.
    package private(set) var segments: [String] = []
    /// The learner's language; empty: none known.
    package private(set) var languages: [String] = []
    /// What the served list rests on (`Rung.label`); empty: not said.
    package private(set) var rungs: [String] = []
    /// By model, then row.
    package private(set) var hits: [[RankedHits]]

    package var count: Int { ids.count }

    package init(models: [String], depths: [Int]) {
        precondition(models.count == depths.count)
        (self.models, self.depths) = (models, depths)
        hits = models.map { _ in [] }
    }

    /// - Parameter hits: by model.
    package mutating func append(
        id: String, history: Int, segment: String, language: String = "", rung: String = "", hits: [RankedHits]
    ) {
        precondition(hits.count == models.count && Set(hits.map(\.relevantCount)).count <= 1)
        ids.append(id)
        self.history.append(history)
        segments.append(segment)
        languages.append(language)
        rungs.append(rung)
        for model in models.indices { self.hits[model].append(hits[model]) }
    }

    /// Rows of another part or cut with the same models.
    package mutating func append(_ other: EvaluatedLearners) {
        precondition(models == other.models && depths == other.depths)
        ids += other.ids
        history += other.history
        segments += other.segments
        languages += other.languages
        rungs += other.rungs
        for model in models.indices { hits[model] += other.hits[model] }
    }
}
