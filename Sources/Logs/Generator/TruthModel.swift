import Foundation
import LinearAlgebra

/// `truth/model.json`: what was asked for, what came out, and the coefficients of the planted response model.
struct TruthModel: Encodable {
    let options: [String: String]
    let languages = Taxonomy.languages
    let categories = Taxonomy.categories
    let topics = Taxonomy.topics
    let skills = Taxonomy.skills
    let channels = Taxonomy.channels
    let response: Response
    let counts: [String: Int]
    /// AUC of the planted probabilities: the ceiling for any model.
    let plantedAUC: Double?
    /// AUC of their fixed effects alone.
    let fixedAUC: Double?

    struct Response: Encodable {
        var intercept: Double
        var channel: [String: Double]
        var language: [String: Double]
        var skills: Double
        var difficulty: [String: Double]
        var duration: Double
        var meanLogDuration: Double
        var deviationLogDuration: Double
        var novelty: Double
        var noveltyDays: Double
        /// Industry → category → effect.
        var pull: [String: [String: Double]]
        var noInterest: Double
        var interest: Double
        var levelDistance: Double
        /// Segment → topic → effect, where segments have a taste of their own.
        var segmentTaste: [String: [String: Double]]?
    }

    init(platform: SyntheticPlatform, counts: GeneratorCounts) {
        let given = platform.options
        options = [
            "learners": "\(given.learners)", "courses": "\(given.courses)", "days": "\(given.days)",
            "end": CivilDate.text(given.end), "seed": "\(given.seed)", "files": "\(given.files)",
            "watchesPerLearner": "\(given.watchesPerLearner)",
            "impressionsPerLearner": "\(given.impressionsPerLearner)",
        ].merging(Self.departures(given)) { $1 }
        self.counts = [
            "learners": counts.learners, "profiles": counts.profiles, "activeLearners": counts.activeLearners,
            "watches": counts.watches, "impressions": counts.impressions, "clicks": counts.clicks,
            "bookmarks": counts.bookmarks, "dismissals": counts.dismissals,
        ]
        plantedAUC = counts.planted.auc
        fixedAUC = counts.fixed.auc
        response = Self.response(platform.truth)
    }

    /// Options that are named only where they were asked for: the bytes of the usual platform stay what they were.
    private static func departures(_ given: GeneratorOptions) -> [String: String] {
        let usual = GeneratorOptions()
        var named: [String: String] = [:]
        if given.titleAppeal != usual.titleAppeal { named["titleAppeal"] = "\(given.titleAppeal)" }
        if given.segmentTaste != usual.segmentTaste { named["segmentTaste"] = "\(given.segmentTaste)" }
        if given.watchedClicks != usual.watchedClicks { named["watchedClicks"] = "\(given.watchedClicks)" }
        return named
    }

    private static func response(_ truth: ResponseTruth) -> Response {
        func named(_ names: [String], _ values: [Double]) -> [String: Double] {
            Dictionary(uniqueKeysWithValues: zip(names, values))
        }
        let pull = Taxonomy.industries.indices.map { industry in
            let effects = Taxonomy.categories.indices.map {
                truth.pullEffect(industry: industry, category: $0)
            }
            return (Taxonomy.industries[industry], named(Taxonomy.categories, effects))
        }
        let taste = zip(Taxonomy.segments, truth.taste).map { ($0, named(Taxonomy.topics, $1)) }
        let hasTaste = truth.taste.contains { $0.contains { $0 != 0 } }
        return Response(
            intercept: truth.intercept, channel: named(Taxonomy.channels, truth.channel),
            language: [
                "first": truth.firstLanguage, "second": truth.secondLanguage, "other": truth.otherLanguage,
            ], skills: truth.skills, difficulty: named(Taxonomy.difficulties, truth.difficulty),
            duration: truth.duration, meanLogDuration: SyntheticCourse.meanLogDuration,
            deviationLogDuration: SyntheticCourse.deviationLogDuration, novelty: truth.novelty,
            noveltyDays: truth.noveltyDays, pull: Dictionary(uniqueKeysWithValues: pull),
            noInterest: truth.noInterest, interest: truth.interest, levelDistance: truth.levelDistance,
            segmentTaste: hasTaste ? Dictionary(uniqueKeysWithValues: taste) : nil)
    }

    /// Keys sorted, so that equal content is equal bytes.
    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try! encoder.encode(self), as: UTF8.self) + "\n"
    }
}
