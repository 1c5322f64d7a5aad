import LinearAlgebra
import Platform

/// One reason for a score: a term of the margin that is particular to a learner and a course.
package struct Contribution: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// Common values of a learner column and a course column.
        case match
        /// A value of the learner's together with one of the course's.
        case cross
        /// The learner's own liking for a feature of the course.
        case learner
        /// What the course's responders have in common with the learner.
        case course
        /// The liking of the learner's segment (or another profile column) for a feature of the course.
        case group
    }

    package let kind: Kind
    package let coordinate: String
    /// Column and value as people should read them: "skills: Python, SQL", "topic: Health".
    package let column: String
    package let values: [String]
    /// Summand of the margin, in log odds.
    package let amount: Double
}

extension ResponseScorer {
    /// The terms of z(l, c) that depend on both learner and course, largest first; ties by coordinate and column.
    /// - Parameter limit: at most so many, only positive ones.
    package func contributions(learner l: Int, course c: Int, limit: Int = 5) -> [Contribution] {
        let found = matchContributions(l, c) + crossContributions(l, c) + sideContributions(l, c) + perCourse(l, c)
        let sorted = found.filter { $0.amount > 0 }.sorted {
            ($1.amount, $0.coordinate, $0.column, $0.values.joined()) < (
                $0.amount, $1.coordinate, $1.column, $1.values.joined()
            )
        }
        return Array(sorted.prefix(limit))
    }

    private var fixedName: String { predictor.definition.coordinates.first { $0.by == nil }?.name ?? "" }

    private func matchContributions(_ l: Int, _ c: Int) -> [Contribution] {
        guard let b = predictor.fixed[FeatureSpace.pairBag] else { return [] }
        return zip(predictor.definition.space.matches, pairs.matches).compactMap { match, codes in
            let (common, cosine) = PairFeatures.overlap(codes.left, l, codes.right, c)
            if common == 0 { return nil }
            let amount =
                Double(common) * b[b.startIndex + match.base] + Double(cosine) * b[b.startIndex + match.base + 1]
            let right = Set(codes.right.range(c).map { codes.right.columns[$0] })
            let names = predictor.dictionaries.course[match.courseColumn]?.values ?? []
            let values = codes.left.range(l).map { codes.left.columns[$0] }.filter(right.contains)
                .map { Int($0) < names.count ? names[Int($0)] : "#\($0)" }
            return Contribution(
                kind: .match, coordinate: fixedName, column: match.learnerColumn, values: values, amount: amount)
        }
    }

    private func crossContributions(_ l: Int, _ c: Int) -> [Contribution] {
        guard let b = predictor.fixed[FeatureSpace.pairBag] else { return [] }
        let space = predictor.definition.space
        var found: [Contribution] = []
        for cross in space.crosses {
            let (u, v) = (space.learner[cross.learner], space.course[cross.course])
            for (left, x) in Self.features(learnerRows, l, u) {
                for (right, y) in Self.features(predictor.courseRows, c, v) {
                    let amount = x * y * b[b.startIndex + cross.base + left * v.count + right]
                    found.append(
                        Contribution(
                            kind: .cross, coordinate: fixedName, column: "\(u.column) × \(v.column)",
                            values: [Self.value(u, left), Self.value(v, right)], amount: amount))
                }
            }
        }
        return found
    }

    private static func features(_ rows: SparseRows, _ row: Int, _ block: FeatureBlock) -> [(Int, Double)] {
        rows.range(row).compactMap {
            let local = Int(rows.columns[$0]) - block.base
            return local >= 0 && local < block.count ? (local, Double(rows.values[$0])) : nil
        }
    }

    /// What follows "=" in a feature's name; the whole name of a number.
    private static func value(_ block: FeatureBlock, _ local: Int) -> String {
        let name = block.names[local]
        return name.firstIndex(of: "=").map { String(name[name.index(after: $0)...]) } ?? name
    }

    /// Effects by learner and by profile column on the features of the course's own columns.
    private func sideContributions(_ l: Int, _ c: Int) -> [Contribution] {
        var found: [Contribution] = []
        for part in bound where part.entities[l] >= 0 {
            var theta: [Int: Double] = [:]
            for at in part.effects.range(Int(part.entities[l])) {
                theta[part.side[Int(part.effects.features[at])]] = part.effects.values[at]
            }
            for block in predictor.definition.space.course {
                for (local, x) in Self.features(predictor.courseRows, c, block) {
                    guard let weight = theta[block.base + local] else { continue }
                    found.append(
                        Contribution(
                            kind: part.coordinate.by == "learner" ? .learner : .group, coordinate: part.coordinate.name,
                            column: block.column, values: [Self.value(block, local)], amount: weight * x))
                }
            }
        }
        return found
    }

    private func perCourse(_ l: Int, _ c: Int) -> [Contribution] {
        let name = predictor.definition.coordinates.first { $0.by == "course" }?.name ?? ""
        let side = predictor.learnerSide.all
        var found: [Contribution] = []
        for block in predictor.definition.space.learner {
            for (local, x) in Self.features(learnerRows, l, block) {
                let row = side.range(block.base + local)
                guard let at = row.first(where: { side.columns[$0] == UInt32(c) }) else { continue }
                found.append(
                    Contribution(
                        kind: .course, coordinate: name, column: block.column, values: [Self.value(block, local)],
                        amount: Double(side.values[at]) * x))
            }
        }
        return found
    }
}
