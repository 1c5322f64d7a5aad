import GLMix
import LinearAlgebra
import NeuralCF
import Platform
import Ranking
import ShardKinds
import Shards

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
    /// Texts of what entries fit, and their codes.
    private(set) var fits: [String] = []
    private var fitCodes: [String: UInt32] = [:]

    init(_ inputs: ExportInputs, shard: Int, learners: Learners) throws {
        let windows = inputs.windows
        let moments = try WatchedShards.moments(
            inputs.watched.shard(WatchedShards.moments(shard, of: inputs.shards)))
        let scorers = inputs.models.bind(
            moments, learners.attributes,
            try GLMixShards.learnerEffects(inputs.glmix, .refit, shard, of: inputs.shards),
            vectors: try NCFShards.learnerVectors(inputs.ncf, .refit, shard, of: inputs.shards),
            workers: Workers(count: 1))
        (ncf, glmix) = scorers
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
                } else if ncf.parts(learner).contains(.wide) {
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

    /// - Parameter response: GLMix's standardised part of each course's score.
    mutating func reasons(
        _ learner: Int, _ courses: [UInt32], response: [Float]
    ) -> [(reason: Reason, because: UInt32)] {
        if courses.isEmpty { return [] }
        let weight = weights[learner]
        let context = ncf.context(learner)
        let amounts =
            weight.ncf > 0 && !context.isEmpty
            ? ncf.contributions(learner, to: courses) : Matrix(rows: courses.count, columns: 0)
        let evidence = courses.indices.map { k in
            let watched = (0..<amounts.columns).map { entry in
                (
                    course: ncf.moments.courses[context.lowerBound + entry],
                    amount: amounts[k, entry] * weight.ncf / blend.scales.ncf
                )
            }
            return EntryEvidence(watched: watched, response: weight.glmix * response[k])
        }
        let asked = evidence.indices.filter { evidence[$0].isResponse }
        let codes = Dictionary(uniqueKeysWithValues: zip(asked, fits(learner, asked.map { courses[$0] })))
        return evidence.indices.map {
            evidence[$0].reason(hasSegment: hasSegment[learner], fits: codes[$0] ?? nil)
        }
    }

    /// By course, the code of what it fits.
    private mutating func fits(_ learner: Int, _ courses: [UInt32]) -> [UInt32?] {
        let terms = courses.map { course in
            glmix.contributions(learner: learner, course: Int(course), limit: Self.termLimit).map {
                (feature: $0.column + ": " + $0.values.joined(separator: ", "), amount: $0.amount)
            }
        }
        // Two coordinates may say the same; the larger one stands for both.
        let distinct = terms.map { entry in
            entry.enumerated().filter { at, term in !entry[..<at].contains { $0.feature == term.feature } }
                .map(\.element)
        }
        return zip(distinct, DistinctiveFeature.choose(distinct)).map { entry, chosen in
            chosen.map { code(entry[$0].feature) }
        }
    }

    /// So many of the largest terms of a score are looked at.
    private static let termLimit = 8

    private mutating func code(_ text: String) -> UInt32 {
        if let code = fitCodes[text] { return code }
        let code = UInt32(fits.count)
        fits.append(text)
        fitCodes[text] = code
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
