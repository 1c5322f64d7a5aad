import LinearAlgebra

/// Everything that all learners share: read-only while learners are simulated.
package final class SyntheticPlatform: Sendable {
    package let options: GeneratorOptions
    package let catalogue: SyntheticCatalogue
    package let truth: ResponseTruth
    let heat: CourseHeat
    let season: Seasonality
    let times: TimeText
    /// Expected visits of a learner of mean activity who is a member throughout.
    let sessionRate: Double
    let shelfRate: Double
    /// Seconds since 1970 of the first second of the logs, and of the first after them.
    let start: Int
    let end: Int
    private let idWidth: Int

    package init(options: GeneratorOptions) {
        self.options = options
        truth = ResponseTruth(options: options)
        catalogue = SyntheticCatalogue(options: options)
        heat = CourseHeat(options: options, catalogue: catalogue)
        let season = Seasonality(options: options)
        self.season = season
        times = TimeText(firstDay: options.start, days: options.days)
        (start, end) = (options.start * 86_400, options.end * 86_400)
        idWidth = max(7, String(options.learners - 1).count)
        let presence = Self.meanPresence(options: options, season: season)
        sessionRate = options.watchesPerLearner / (presence * Self.watchesPerSession)
        shelfRate = options.impressionsPerLearner / (presence * Self.impressionsPerShelf)
    }

    // Measured, at the default size: rows of watches per session (clicks on shelves lead to some, too), and
    // impressions per shelf once courses already watched are left out.
    private static let watchesPerSession = 1.95
    private static let impressionsPerShelf = 3.3

    /// The mean share of all learning during which a learner is a member, from 4,096 draws.
    private static func meanPresence(options: GeneratorOptions, season: Seasonality) -> Double {
        let key = RandomKey(seed: options.seed, purpose: "generate.presence")
        var sum = 0.0
        for draw in 0..<4_096 {
            var random = key.stream(draw)
            let member = SyntheticLearner.membership(options: options, using: &random)
            sum += season.share(from: member.joins, to: member.leaves)
        }
        return max(sum / 4_096, 0.01)
    }

    /// `u` and the number.
    @inline(__always)
    func appendID(ofLearner number: Int, to bytes: inout RowBytes) {
        bytes.append(byte: UInt8(ascii: "u"))
        bytes.append(number, width: idWidth)
    }
}

/// What was generated: sums that do not depend on the order of blocks.
package struct GeneratorCounts: Sendable, Equatable {
    package var learners = 0
    package var profiles = 0
    package var watches = 0
    package var impressions = 0
    package var clicks = 0
    package var bookmarks = 0
    package var dismissals = 0
    package var activeLearners = 0
    /// Of the planted logit: what no model can beat but by chance.
    package var planted = LogitHistogram()
    /// Of its fixed effects alone.
    package var fixed = LogitHistogram()

    package init() {}

    mutating func add(_ other: GeneratorCounts) {
        learners += other.learners
        profiles += other.profiles
        watches += other.watches
        impressions += other.impressions
        clicks += other.clicks
        bookmarks += other.bookmarks
        dismissals += other.dismissals
        activeLearners += other.activeLearners
        planted.add(other.planted)
        fixed.add(other.fixed)
    }
}
