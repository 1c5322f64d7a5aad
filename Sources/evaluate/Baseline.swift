import Baselines
import CoWatch
import StageKit

/// A baseline with its parameters. docs/evaluation.md says what each is, and which parameters are tried.
indirect enum Baseline: Hashable, Sendable {
    /// An item-to-item matrix.
    enum Weights: String, Sendable {
        case cowatch, ease, markov
        case dampedCoWatch = "wide-cowatch"
    }

    case popular
    /// Moments within so many days.
    case recent(days: Double)
    /// Moments decayed with a half-life in days.
    case trending(halfLife: Double)
    case profile(column: String, smoothing: Double)
    case items(Weights, RecencyWeights)
    case als(ImplicitALS.Options)
    case mixed(Baseline, Baseline, share: Float)

    var text: String {
        switch self {
        case .popular: "popular"
        case .recent(let days): "\(days.short) days"
        case .trending(let halfLife): "half-life \(halfLife.short) days"
        case .profile(let column, let smoothing): "\(column), smoothing \(smoothing.short)"
        case .items(let weights, let recency):
            "\(weights.rawValue), age \(recency.age.short), position \(recency.position.short)"
        case .als(let options): "\(options.factors) factors, λ \(options.l2.short), α \(options.confidence.short)"
        case .mixed(let a, let b, let share): "\(a.text); \(b.text); share \(Double(share).short)"
        }
    }
}

extension Double {
    fileprivate var short: String {
        let rounded = (self * 1_000).rounded() / 1_000
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}

/// The names that `evaluate.baselines` knows, and what may stand behind each.
struct BaselineFamily {
    /// As tables call it.
    let name: String
    /// Tried in this order on validation half A; a later one must be better. One: nothing is chosen.
    let candidates: [Baseline]
    /// Popularity lists are chosen for all learners, the others for warm ones.
    let isForColdToo: Bool

    private static let recencies = [
        RecencyWeights.uniform, RecencyWeights(position: 0.5), RecencyWeights(position: 1), RecencyWeights(age: 0.5),
        RecencyWeights(age: 0.25, position: 0.25), RecencyWeights(age: 0.5, position: 0.5),
    ]
    /// As the literature has it: position exponent 1, the last ten.
    private static let markovRecencies = [
        RecencyWeights(position: 1, last: 10), RecencyWeights(position: 0.5, last: 10),
    ]
    private static let halfLives: [Double] = [7, 15, 30, 90]
    private static let shares: [Float] = [0.3, 0.5, 0.7]
    private static let smoothings: [Double] = [10, 100, 1_000]

    /// - Parameters:
    ///   - name: one of `Parameters`' baselines.
    ///   - wide: what the matrix of `cowatch/` is; nil: there is none.
    ///   - columns: profile columns.
    ///   - hasEase: false if there are too many courses for it.
    /// - Returns: nil where there is nothing to show.
    init?(_ name: String, recentDays: Double, wide: Baseline.Weights?, columns: [String], hasEase: Bool) {
        let resolved = name.hasPrefix("wide") ? wide.map { $0.rawValue + name.dropFirst(4) } : name
        guard let resolved else { return nil }
        if resolved.hasPrefix("ease") && !hasEase { return nil }
        let recents = [.recent(days: recentDays)] + Self.halfLives.map { Baseline.trending(halfLife: $0) }
        let parts = resolved.split(separator: "+", maxSplits: 1).map(String.init)
        var candidates: [Baseline]
        switch parts[0] {
        case "popular": candidates = [.popular]
        case "recent": candidates = [.recent(days: recentDays)]
        case "trending": candidates = Self.halfLives.map { .trending(halfLife: $0) }
        case "recent-by-profile":
            candidates = columns.flatMap { column in
                Self.smoothings.map { .profile(column: column, smoothing: $0) }
            }
        case "als": candidates = [1.0, 10, 100].map { .als(.init(l2: 10, confidence: $0)) }
        case "markov": candidates = Self.markovRecencies.map { .items(.markov, $0) }
        case "ease-recency": candidates = Self.recencies.dropFirst().map { .items(.ease, $0) }
        default:
            guard let weights = Baseline.Weights(rawValue: parts[0]) else { return nil }
            candidates = parts.count == 1 ? [.items(weights, .uniform)] : Self.recencies.map { .items(weights, $0) }
        }
        if parts.count == 2 {
            candidates = candidates.flatMap { base in
                recents.flatMap { recent in Self.shares.map { .mixed(base, recent, share: $0) } }
            }
        }
        if candidates.isEmpty { return nil }
        (self.name, self.candidates) = (resolved, candidates)
        isForColdToo = ["popular", "recent", "trending", "recent-by-profile"].contains(resolved)
    }
}
