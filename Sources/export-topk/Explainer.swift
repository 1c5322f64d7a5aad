import GLMix
import LinearAlgebra
import NeuralCF
import Platform
import Ranking
import ShardKinds
import Shards
import StoredModels

/// What explanations need that is the same for all learners.
struct ExplanationMeans {
    let ncf: NCFCourseMeans
    let glmix: CourseMeans

    init(_ models: StoredModels) { (ncf, glmix) = (NCFCourseMeans(models.ncf), CourseMeans(models.glmix)) }
}

/// Says why entries stand in lists, and on which rung a list is: for the learners of one shard, only for what is
/// exported.
struct Explainer {
    let blend: StoredBlend
    let ncf: NCFScorer
    let glmix: ResponseScorer
    let weights: [ScoreWeights]
    let hasSegment: [Bool]
    let hasProfile: [Bool]
    let hasSegmentEffects: Bool
    private let means: ExplanationMeans
    private let shares: ContextShares
    private let response: ResponseExplainer
    /// Texts of what entries fit, and their codes.
    private(set) var fits: [String] = []
    private var fitCodes: [[UInt8]: UInt32] = [:]

    init(_ inputs: ExportInputs, shard: Int, learners: Learners) throws {
        let windows = inputs.windows
        let moments = try WatchedShards.moments(
            inputs.watched.shard(WatchedShards.moments(shard, of: inputs.shards)))
        (ncf, glmix) = inputs.models.bind(
            moments, learners.attributes,
            try GLMixShards.learnerEffects(inputs.glmix, .refit, shard, of: inputs.shards),
            vectors: try NCFShards.learnerVectors(inputs.ncf, .refit, shard, of: inputs.shards),
            workers: Workers(count: 1))
        means = inputs.means
        shares = ContextShares(ncf)
        response = ResponseExplainer(glmix, inputs.means.glmix)
        blend = inputs.blend
        let segments = inputs.blend.segments(learners.attributes)
        weights = (0..<learners.count).map { row in
            let context = moments.range(row, from: windows.asOf - windows.history, to: windows.asOf)
            return inputs.blend.model.weights(
                LearnerTraits(moments, context: context, at: windows.asOf, segment: segments[row]))
        }
        hasSegment = learners.attributes.hasValue(BlendSegments.column)
        hasProfile = learners.attributes.names.map { learners.attributes.hasValue($0) }
            .reduce([Bool](repeating: false, count: learners.count)) { zip($0, $1).map { $0 || $1 } }
        hasSegmentEffects = inputs.models.groupedBy.contains(BlendSegments.column)
    }

    func rung(_ learner: Int) -> Rung {
        let weight = weights[learner]
        var parts: ScoreParts = []
        if weight.ncf > 0 {
            parts.insert(.trend)
            if !ncf.context(learner).isEmpty {
                if ncf.model.model.alpha != 0 {
                    parts.insert(.towers)
                } else if shares.hasWide(learner) {
                    parts.insert(.wide)
                }
            }
        }
        if weight.glmix > 0 {
            if glmix.hasLearnerEffect(learner) { parts.insert(.learnerEffect) }
            if hasSegment[learner] && hasSegmentEffects { parts.insert(.segment) }
            if hasProfile[learner] { parts.insert(.fixedEffect) }
        }
        return parts.rung
    }

    mutating func reasons(_ learner: Int, _ courses: [UInt32]) -> [(reason: Reason, because: UInt32)] {
        if courses.isEmpty { return [] }
        let weight = weights[learner]
        let context = ncf.context(learner)
        let watchedScale = weight.ncf / blend.scales.ncf
        let amounts =
            watchedScale > 0 && !context.isEmpty
            ? shares.contributions(learner, to: courses, over: means.ncf) : Matrix(rows: courses.count, columns: 0)
        let responseScale = weight.glmix / blend.scales.glmix
        if responseScale > 0 { response.load(learner) }
        let terms: [(terms: [Contribution], total: Float)] = courses.map {
            responseScale > 0 ? response.terms(Int($0)) : ([], 0)
        }
        let evidence = courses.indices.map { k in
            EntryEvidence(
                watched: (0..<amounts.columns).map { entry in
                    (ncf.moments.courses[context.lowerBound + entry], watchedScale * amounts[k, entry])
                },
                response: responseScale * terms[k].total,
                features: terms[k].terms.map { (feature: $0.kind, amount: responseScale * $0.amount) })
        }
        return zip(courses.indices, ListReasons.choose(evidence)).map { k, reason in
            switch reason {
            case .watched(let watched): return (.watched, watched)
            case .fits(let at): return (.fits, code(response.text(terms[k].terms[at], course: Int(courses[k]))))
            case .popular: return (hasSegment[learner] ? .popularInSegment : .popular, 0)
            }
        }
    }

    private mutating func code(_ text: String) -> UInt32 {
        // By bytes: Swift's strings are equal if they look alike.
        let bytes = Array(text.utf8)
        if let code = fitCodes[bytes] { return code }
        let code = UInt32(fits.count)
        fits.append(text)
        fitCodes[bytes] = code
        return code
    }
}

extension AttributeTable {
    /// By row, whether a column has a value.
    func hasValue(_ name: String) -> [Bool] {
        switch columns[name] {
        case .categorical(_, let valid)?, .numeric(_, let valid)?: return valid
        case .list(let offsets, _)?, .text(let offsets, _)?: return zip(offsets, offsets.dropFirst()).map { $0 < $1 }
        case nil: return [Bool](repeating: false, count: rows)
        }
    }
}
