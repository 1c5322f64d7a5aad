import LinearAlgebra
import Platform

/// The weights of one learner's blended score
///
///     logit p = intercept + ncf·s_ncf + glmix·s_glmix + recent·s_recent + isolated·[no co-watches] + unengaged·[no engagements]
///
/// s are standardised: centred by their mean over the learner's allowed courses, divided by a fixed scale.
package struct ScoreWeights: Sendable, Equatable {
    package var intercept: Float = 0
    package var ncf: Float = 0
    package var glmix: Float = 0
    package var recent: Float = 0
    package var isolated: Float = 0
    package var unengaged: Float = 0

    package init(
        intercept: Float = 0, ncf: Float = 0, glmix: Float = 0, recent: Float = 0, isolated: Float = 0,
        unengaged: Float = 0
    ) {
        (self.intercept, self.ncf, self.glmix, self.recent) = (intercept, ncf, glmix, recent)
        (self.isolated, self.unengaged) = (isolated, unengaged)
    }
}

/// What the scores are divided by: the root mean square, over validation learners and their allowed courses, of the
/// centred scores of the models that fitted the blend.
package struct ScoreScales: Sendable, Equatable, Codable {
    package var ncf: Float
    package var glmix: Float
    package var recent: Float

    /// Below it scores are constant but for rounding, and their scale is 1.
    static let leastMeanSquare = 1e-12

    package init(ncf: Float, glmix: Float, recent: Float) {
        (self.ncf, self.glmix, self.recent) = (ncf, glmix, recent)
    }
}

/// Where the parameters of one group of learners (with or without a context) stand in their vector θ:
///
///     a₀, a_segment …;  per score j ∈ {ncf, glmix, recent}:  η_j = b₀ + b_length·φ_length + b_idle·φ_idle + b_segment;
///     two flags.  The weight of score j is softplus(η_j), so no score ever counts negatively.
package struct BlendLayout: Sendable, Equatable, Codable {
    package let segments: Int
    package static let scoreCount = 3
    package static let scoreNames = ["ncf", "glmix", "recent"]

    package init(segments: Int) { self.segments = segments }

    package var intercept: Int { 0 }
    package func interceptOf(segment: Int) -> Int { 1 + segment }
    package func base(_ score: Int) -> Int { 1 + segments + score * (3 + segments) }
    package func length(_ score: Int) -> Int { base(score) + 1 }
    package func idle(_ score: Int) -> Int { base(score) + 2 }
    package func segment(_ score: Int, _ segment: Int) -> Int { base(score) + 3 + segment }
    package var isolated: Int { base(Self.scoreCount) }
    package var unengaged: Int { isolated + 1 }
    package var count: Int { unengaged + 1 }

    /// Names of all parameters, for shards and reports.
    package func names(segments names: [String]) -> [String] {
        let scores = Self.scoreNames.flatMap { score in
            ["\(score)", "\(score)·length", "\(score)·idle"] + names.map { "\(score)·segment \($0)" }
        }
        return ["intercept"] + names.map { "intercept·segment \($0)" } + scores + ["isolated", "unengaged"]
    }
}

/// How φ is made from traits: log(1 + context length) and log(1 + days since the last watch), standardised over the
/// validation learners with a context. Both are 0 for the others.
package struct TraitScale: Sendable, Equatable, Codable {
    package var lengthMean: Double
    package var lengthDeviation: Double
    package var idleMean: Double
    package var idleDeviation: Double

    package init(lengthMean: Double, lengthDeviation: Double, idleMean: Double, idleDeviation: Double) {
        (self.lengthMean, self.lengthDeviation) = (lengthMean, lengthDeviation)
        (self.idleMean, self.idleDeviation) = (idleMean, idleDeviation)
    }

    package init(_ learners: [LearnerTraits]) {
        let warm = learners.filter { !$0.isCold }
        (lengthMean, lengthDeviation) = Self.moments(warm.map(Self.logLength))
        (idleMean, idleDeviation) = Self.moments(warm.map(Self.logIdle))
    }

    private static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
        if values.isEmpty { return (0, 1) }
        let mean = values.reduce(0, +) / Double(values.count)
        let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        return (mean, square > 1e-12 ? square.squareRoot() : 1)
    }

    private static func logLength(_ traits: LearnerTraits) -> Double { Scalar.log(1 + Double(traits.contextLength)) }
    private static func logIdle(_ traits: LearnerTraits) -> Double {
        Scalar.log(1 + Double(max(0, traits.idle)) / 86_400)
    }

    package func features(_ traits: LearnerTraits) -> (length: Double, idle: Double) {
        if traits.isCold { return (0, 0) }
        return (
            (Self.logLength(traits) - lengthMean) / lengthDeviation, (Self.logIdle(traits) - idleMean) / idleDeviation
        )
    }
}

/// Which score a group of learners is ranked by.
package enum BlendChoice: String, Sendable, Equatable, Codable {
    case blend
    /// That model alone: the blend was worse than it.
    case ncf
    case glmix
}

/// A fitted blend: what makes one score of the models' for any learner.
package struct BlendModel: Sendable, Equatable, Codable {
    /// The parameters of learners with (`warm`) or without (`cold`) a context.
    package struct Group: Sendable, Equatable, Codable {
        package var parameters: [Double]
        package var choice: BlendChoice
        package init(parameters: [Double], choice: BlendChoice = .blend) {
            (self.parameters, self.choice) = (parameters, choice)
        }
    }

    package var layout: BlendLayout
    package var traitScale: TraitScale
    package var warm: Group
    package var cold: Group

    package init(layout: BlendLayout, traitScale: TraitScale, warm: Group, cold: Group) {
        precondition(warm.parameters.count == layout.count && cold.parameters.count == layout.count)
        (self.layout, self.traitScale, self.warm, self.cold) = (layout, traitScale, warm, cold)
    }

    package func weights(_ traits: LearnerTraits) -> ScoreWeights {
        let group = traits.isCold ? cold : warm
        switch group.choice {
        case .ncf: return ScoreWeights(ncf: 1)
        case .glmix: return ScoreWeights(glmix: 1)
        case .blend: return BlendModel.weights(group.parameters, layout, traits, traitScale)
        }
    }

    package static func weights(
        _ theta: [Double], _ layout: BlendLayout, _ traits: LearnerTraits, _ scale: TraitScale
    ) -> ScoreWeights {
        let map = LearnerMap(layout, traits, scale)
        let eta = (0..<BlendLayout.scoreCount).map { map.eta($0, theta) }
        return ScoreWeights(
            intercept: Float(map.intercept(theta)), ncf: Float(Scalar.log1pExp(eta[0])),
            glmix: Float(Scalar.log1pExp(eta[1])), recent: Float(Scalar.log1pExp(eta[2])),
            isolated: Float(theta[layout.isolated]), unengaged: Float(theta[layout.unengaged]))
    }
}

/// The linear map from θ to one learner's (a, η₁, η₂, η₃): which parameters count, and by how much.
struct LearnerMap {
    let layout: BlendLayout
    let length: Double
    let idle: Double
    let segment: Int

    init(_ layout: BlendLayout, _ traits: LearnerTraits, _ scale: TraitScale) {
        self.layout = layout
        (length, idle) = scale.features(traits)
        segment = traits.segment < layout.segments ? traits.segment : -1
    }

    @inline(__always)
    func intercept(_ theta: [Double]) -> Double {
        theta[0] + (segment >= 0 ? theta[layout.interceptOf(segment: segment)] : 0)
    }

    @inline(__always)
    func eta(_ score: Int, _ theta: [Double]) -> Double {
        theta[layout.base(score)] + length * theta[layout.length(score)] + idle * theta[layout.idle(score)]
            + (segment >= 0 ? theta[layout.segment(score, segment)] : 0)
    }

    /// (parameter, factor) of the intercept (`component` 0), η_j (1 + j) and the flags (4, 5).
    func terms(_ component: Int) -> [(parameter: Int, factor: Double)] {
        switch component {
        case 0:
            return [(0, 1)] + (segment >= 0 ? [(layout.interceptOf(segment: segment), 1)] : [])
        case 1...BlendLayout.scoreCount:
            let score = component - 1
            return [(layout.base(score), 1), (layout.length(score), length), (layout.idle(score), idle)]
                + (segment >= 0 ? [(layout.segment(score, segment), 1)] : [])
        case 4: return [(layout.isolated, 1)]
        default: return [(layout.unengaged, 1)]
        }
    }
}

/// A blend as it is stored: everything that scores need beside the models'.
package struct StoredBlend: Sendable, Equatable, Codable {
    package var model: BlendModel
    package var scales: ScoreScales
    /// Segment number of the blend → code of the learners' `segment` column.
    package var segmentCodes: [UInt32]
    /// Courses per learner it was asked for.
    package var candidates: Int

    package init(model: BlendModel, scales: ScoreScales, segmentCodes: [UInt32], candidates: Int) {
        (self.model, self.scales) = (model, scales)
        (self.segmentCodes, self.candidates) = (segmentCodes, candidates)
    }

    /// The blend's segment number of each learner; −1: none that it knows.
    package func segments(_ learners: AttributeTable) -> [Int] {
        BlendSegments.numbers(learners, codes: segmentCodes)
    }
}

/// Segments as the blend numbers them.
package enum BlendSegments {
    package static let column = "segment"
    /// So many of the most frequent segments have parameters of their own.
    package static let most = 32

    /// - Parameter codes: of the segments that have a number.
    package static func numbers(_ learners: AttributeTable, codes: [UInt32]) -> [Int] {
        guard case .categorical(let values, let valid)? = learners.columns[column] else {
            return [Int](repeating: -1, count: learners.rows)
        }
        let numbers = Dictionary(uniqueKeysWithValues: codes.enumerated().map { ($1, $0) })
        return zip(values, valid).map { $1 ? numbers[$0] ?? -1 : -1 }
    }

    /// The most frequent codes, ascending.
    package static func codes(_ learners: AttributeTable) -> [UInt32] {
        guard case .categorical(let values, let valid)? = learners.columns[column] else { return [] }
        var counts: [UInt32: Int] = [:]
        for (code, isValid) in zip(values, valid) where isValid { counts[code, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(most).map(\.key).sorted()
    }
}
