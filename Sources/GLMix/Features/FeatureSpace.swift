import LinearAlgebra
import Platform

/// All features of a model: how learners, courses, pairs and moments of time become numbers, and what each feature
/// is called. Fitted once, on training rows before t_v; it holds for the whole run.
///
/// Bags, by name: `learner` and `course` (from columns), `learner-now` and `course-now` (as of the row's own day),
/// `pair` (crosses and matches of a learner and a course).
package struct FeatureSpace: Sendable, Equatable, Codable {
    package static let learnerBag = "learner"
    package static let courseBag = "course"
    package static let learnerNowBag = "learner-now"
    package static let courseNowBag = "course-now"
    package static let pairBag = "pair"
    package static let bagNames = [learnerBag, courseBag, learnerNowBag, courseNowBag, pairBag]

    package var learner: [FeatureBlock]
    package var course: [FeatureBlock]
    package var crosses: [CrossBlock]
    package var matches: [MatchBlock]
    /// Empty where not declared.
    package var learnerNow: [NowFeature]
    package var courseNow: [NowFeature]
    /// Half-life in days of decayed engagements.
    package var halfLife: Double
    /// Whether the pair bag has a last feature that marks rows with drawn negatives, 0 when courses are scored: it
    /// takes up their other base rate where logs have both kinds of row.
    package var marksDrawn: Bool

    /// Products of all features of a learner block and a course block: feature u·(course count) + v of the block.
    package struct CrossBlock: Sendable, Equatable, Codable {
        /// Numbers of the blocks in `learner` and `course`.
        package var learner: Int
        package var course: Int
        package var base: Int
        package var count: Int
    }

    /// Common values of a learner column and a course column (list or categorical): their number, and its cosine.
    package struct MatchBlock: Sendable, Equatable, Codable {
        package var learnerColumn: String
        package var courseColumn: String
        /// Code of the learner's column → code of the course's column with the same text, −1: none.
        package var courseCodeOf: [Int32]
        package var base: Int
        package static let count = 2
    }

    /// A number as of a day, standardised on the training rows.
    package struct NowFeature: Sendable, Equatable, Codable {
        package enum Quantity: String, Sendable, Codable, CaseIterable {
            /// log(1 + days since publication); missing for courses that always were.
            case age
            /// log(1 + decayed engagements).
            case engagements
            /// log of decayed engagements per decayed impression, smoothed by 1 in 20.
            case rate
            /// log(1 + the learner's engagements on earlier days).
            case learnerEngagements = "learner engagements"
        }
        package var quantity: Quantity
        package var mean: Double
        package var scale: Double
    }

    /// Takes over how an earlier space standardises the numbers that both have, so that their coefficients mean the same.
    package mutating func takeNumbers(of earlier: FeatureSpace) {
        func adopt(_ blocks: inout [FeatureBlock], _ known: [FeatureBlock]) {
            for i in blocks.indices {
                guard case .number(_, _, let indicator) = blocks[i].kind,
                    let other = known.first(where: { $0.column == blocks[i].column }),
                    case .number(let mean, let scale, _) = other.kind
                else { continue }
                blocks[i].kind = .number(mean: mean, scale: scale, indicator: indicator)
            }
        }
        func adopt(_ numbers: inout [NowFeature], _ known: [NowFeature]) {
            for i in numbers.indices {
                if let other = known.first(where: { $0.quantity == numbers[i].quantity }) { numbers[i] = other }
            }
        }
        adopt(&learner, earlier.learner)
        adopt(&course, earlier.course)
        adopt(&learnerNow, earlier.learnerNow)
        adopt(&courseNow, earlier.courseNow)
    }

    package var learnerCount: Int { learner.last.map { $0.base + $0.count } ?? 0 }
    package var courseCount: Int { course.last.map { $0.base + $0.count } ?? 0 }
    package var pairCount: Int {
        let crossed = crosses.last.map { $0.base + $0.count } ?? 0
        return (matches.last.map { $0.base + MatchBlock.count } ?? crossed) + (marksDrawn ? 1 : 0)
    }

    package func count(_ bag: String) -> Int {
        switch bag {
        case Self.learnerBag: learnerCount
        case Self.courseBag: courseCount
        case Self.learnerNowBag: learnerNow.count
        case Self.courseNowBag: courseNow.count
        default: pairCount
        }
    }

    /// What every feature of a bag is called.
    package func names(_ bag: String) -> [String] {
        switch bag {
        case Self.learnerBag: return learner.flatMap(\.names)
        case Self.courseBag: return course.flatMap(\.names)
        case Self.learnerNowBag: return learnerNow.map { "now: \($0.quantity.rawValue)" }
        case Self.courseNowBag: return courseNow.map { "now: \($0.quantity.rawValue)" }
        default:
            var names: [String] = []
            for cross in crosses {
                for u in learner[cross.learner].names {
                    for v in course[cross.course].names { names.append("\(u) × \(v)") }
                }
            }
            for match in matches {
                let label = "learner.\(match.learnerColumn) ~ course.\(match.courseColumn)"
                names += ["common values \(label)", "cosine \(label)"]
            }
            return names + (marksDrawn ? ["(drawn negatives)"] : [])
        }
    }
}
