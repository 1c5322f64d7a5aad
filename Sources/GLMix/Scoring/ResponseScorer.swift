import LinearAlgebra
import Platform

/// A response predictor bound to the learners of one shard: margins z(l, c) of every course.
package struct ResponseScorer: CourseScorer {
    let predictor: ResponsePredictor
    let effects: LearnerEffects
    let learners: AttributeTable
    /// Learners × (bag `learner`, then `learner-now`).
    let learnerRows: SparseRows
    /// constant(l)
    let learnerConstant: [Float]
    /// By match: the learners' values as course codes, ascending, with their 1/√n.
    let learnerCodes: [SparseRows]
    /// Coordinates by learner or profile column with the entity of each learner, −1: none.
    let bound: [(coordinate: Coordinate, effects: Coefficients, entities: [Int32], side: [Int])]

    init(_ predictor: ResponsePredictor, learners: AttributeTable, effects: LearnerEffects) {
        (self.predictor, self.effects, self.learners) = (predictor, effects, learners)
        let space = predictor.definition.space
        let own = BagBuilder.rows(space.learner, learners)
        var now = SparseBuilder()
        for l in 0..<learners.rows {
            for (j, feature) in space.learnerNow.enumerated() {
                now.add(j, feature.standardised(NowQuantities.learner(feature.quantity, Int(effects.engagements[l]))))
            }
            now.endRow()
        }
        learnerRows = ResponsePredictor.beside(own, now.rows(space.learnerNow.count))
        learnerCodes = space.matches.map { match in
            PairFeatures.codes([(learners.columns[match.learnerColumn], learners.rows)]) { code in
                Int(code) < match.courseCodeOf.count ? match.courseCodeOf[Int(code)] : -1
            }
        }
        bound = predictor.definition.coordinates.compactMap { coordinate in
            guard let by = coordinate.by, by != "course" else { return nil }
            let side = ResponsePredictor.sideFeatures(coordinate, space)
            if by == "learner" {
                guard let own = effects.coefficients[coordinate.name] else { return nil }
                return (coordinate, own, (0..<Int32(learners.rows)).map { $0 }, side)
            }
            guard let shared = predictor.model.coefficients[coordinate.name],
                case .categorical(let codes, let valid)? = learners.columns[by]
            else { return nil }
            let entities = zip(codes, valid).map { $1 && Int($0) < shared.entityCount ? Int32($0) : -1 }
            return (coordinate, shared, entities, side)
        }
        learnerConstant = Self.constants(predictor, learnerRows, bound)
    }

    private static func constants(
        _ predictor: ResponsePredictor, _ rows: SparseRows,
        _ bound: [(coordinate: Coordinate, effects: Coefficients, entities: [Int32], side: [Int])]
    ) -> [Float] {
        let space = predictor.definition.space
        let own = [Double](predictor.fixed[FeatureSpace.learnerBag] ?? [])
        let now = [Double](predictor.fixed[FeatureSpace.learnerNowBag] ?? [])
        let b =
            (own.isEmpty ? [Double](repeating: 0, count: space.learnerCount) : own)
            + (now.isEmpty ? [Double](repeating: 0, count: space.learnerNow.count) : now)
        return (0..<rows.rowCount).map { l in
            var total = 0.0
            for at in rows.range(l) { total += b[Int(rows.columns[at])] * Double(rows.values[at]) }
            for part in bound where part.entities[l] >= 0 {
                // the intercept is an entity's last coefficient
                if let last = part.effects.range(Int(part.entities[l])).last { total += part.effects.values[last] }
            }
            return Float(total)
        }
    }

    package var courseCount: Int { predictor.courseCount }
    package var learnerCount: Int { learners.rows }

    /// Which learners have a personal effect of their own.
    package func hasLearnerEffect(_ learner: Int) -> Bool {
        effects.coefficients.values.contains { !$0.range(learner).isEmpty }
    }

    package func score(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        ResponseScoreBlock(self, range).scores(learners: range.count, courseCount: courseCount, into: out)
    }

    package func block(_ learners: Range<Int>) -> any ScoreBlock { ResponseScoreBlock(self, learners) }

    /// A(l, ·): what multiplies each course feature for this learner.
    func forEachCourseSide(_ l: Int, _ body: (Int, Float) -> Void) {
        for k in bound.indices where bound[k].entities[l] >= 0 {
            // Not `bound[k]` itself: each use of it would copy all that it holds.
            let own = bound[k].effects.range(Int(bound[k].entities[l]))
            let (features, values, side) = (bound[k].effects.features, bound[k].effects.values, bound[k].side)
            for at in own {
                let feature = side[Int(features[at])]
                if feature >= 0 { body(feature, Float(values[at])) }
            }
        }
        guard let b = predictor.fixed[FeatureSpace.pairBag] else { return }
        let space = predictor.definition.space
        for cross in space.crosses {
            let (u, v) = (space.learner[cross.learner], space.course[cross.course])
            for at in learnerRows.range(l) {
                let left = Int(learnerRows.columns[at]) - u.base
                if left < 0 || left >= u.count { continue }
                let first = b.startIndex + cross.base + left * v.count
                let x = Double(learnerRows.values[at])
                for right in 0..<v.count where b[first + right] != 0 {
                    body(v.base + right, Float(x * b[first + right]))
                }
            }
        }
    }
}
