import LinearAlgebra
import Platform

/// One reason for a score: a term of the margin that is particular to a learner and a course, less its mean over the
/// catalogue. What nearly all courses share adds nearly nothing to where a course stands, and so is no reason.
package struct Contribution: Sendable, Equatable {
    package enum Kind: Sendable, Hashable {
        /// Common values of the learner column and the course column of a match.
        case match(Int)
        /// A value of the learner's together with one of the course's; features of the blocks of a cross.
        case cross(Int, learner: Int, course: Int)
        /// The liking of the learner and of its groups for a course feature.
        case liking(Int)
        /// What the course's responders have in common with the learner: a learner feature.
        case responders(Int)
    }

    package let kind: Kind
    /// Summand of the margin over its mean over all courses, in log odds.
    package let amount: Float
}

/// Takes apart the part of z(l, c) that depends on both learner and course:
///
///     z(l, c) − z̄(l) ⊇ Σ_f A(l, f)·(S(f, c) − S̄(f)) + Σ_f q(l, f)·(G(f, c) − Ḡ(f)) + matches(l, c) − matches(l, ·)
///
/// bars: means over all courses; constant(c) and what changes from day to day (course-now) say nothing of the learner
/// and are left out. One per thread: `load` a learner, then ask for courses. O(learner's coefficients) to load,
/// O(course's features · (1 + learner's features in crosses)) a course.
package final class ResponseExplainer {
    private let scorer: ResponseScorer
    private let means: CourseMeans
    private let rows: SparseRows
    private let own: SparseRows
    private let crosses: [Cross]
    private let parts: [(effects: Coefficients, entities: [Int32], side: [Int])]
    private var learner = 0
    /// Σ of the learner's and its groups' effects by static course feature; zero between learners.
    private var liking: [Double]
    private var loaded: [Int] = []
    /// What likings and crosses add to the average course.
    private var average = 0.0
    private var texts: [Contribution.Kind: String] = [:]

    /// A cross with the features of its blocks in their bags; coefficient of (u, v) at u·(course features) + v.
    private struct Cross {
        let learner: Range<Int>
        let course: Range<Int>
        let coefficients: [Double]
    }

    package init(_ scorer: ResponseScorer, _ means: CourseMeans) {
        (self.scorer, self.means) = (scorer, means)
        let space = scorer.predictor.definition.space
        (rows, own) = (scorer.predictor.courseRows, scorer.learnerRows)
        parts = scorer.bound.map { ($0.effects, $0.entities, $0.side) }
        liking = [Double](repeating: 0, count: space.courseCount)
        let b = scorer.predictor.fixed[FeatureSpace.pairBag]
        crosses = (b == nil ? [] : space.crosses).map { cross in
            let (u, v) = (space.learner[cross.learner], space.course[cross.course])
            let first = b!.startIndex + cross.base
            return Cross(
                learner: u.base..<u.base + u.count, course: v.base..<v.base + v.count,
                coefficients: Array(b![first..<first + cross.count]))
        }
    }

    package func load(_ learner: Int) {
        for feature in loaded { liking[feature] = 0 }
        loaded.removeAll(keepingCapacity: true)
        (self.learner, average) = (learner, 0)
        for part in parts where part.entities[learner] >= 0 {
            for at in part.effects.range(Int(part.entities[learner])) {
                let feature = part.side[Int(part.effects.features[at])]
                if feature < 0 || feature >= liking.count { continue }
                liking[feature] += part.effects.values[at]
                average += part.effects.values[at] * means.course[feature]
                loaded.append(feature)
            }
        }
        forEachCross { k, left, q in
            let cross = crosses[k]
            let first = (left - cross.learner.lowerBound) * cross.course.count
            for (right, feature) in cross.course.enumerated() {
                average += q * cross.coefficients[first + right] * means.course[feature]
            }
        }
    }

    /// Calls `body(cross, learner feature, its value)`.
    @inline(__always)
    private func forEachCross(_ body: (Int, Int, Double) -> Void) {
        for k in crosses.indices {
            for at in own.range(learner) where crosses[k].learner.contains(Int(own.columns[at])) {
                body(k, Int(own.columns[at]), Double(own.values[at]))
            }
        }
    }

    /// The terms of one course that people can be told (values and ranges of numbers, no hashed words, no plain
    /// numbers) and that are positive, in a fixed order, and the sum of all terms.
    package func terms(_ course: Int) -> (terms: [Contribution], total: Float) {
        var found: [Contribution] = []
        var total = -average
        func add(_ kind: Contribution.Kind, _ amount: Double, isNameable: Bool) {
            if amount > 0 && isNameable { found.append(Contribution(kind: kind, amount: Float(amount))) }
        }
        for at in rows.range(course) {
            let (feature, x) = (Int(rows.columns[at]), Double(rows.values[at]))
            if liking[feature] == 0 { continue }
            total += liking[feature] * x
            add(
                .liking(feature), liking[feature] * (x - means.course[feature]),
                isNameable: means.courseNameable[feature])
        }
        forEachCross { k, left, q in
            let block = crosses[k].course
            let first = (left - crosses[k].learner.lowerBound) * block.count - block.lowerBound
            for at in rows.range(course) where block.contains(Int(rows.columns[at])) {
                let (feature, x) = (Int(rows.columns[at]), Double(rows.values[at]))
                let weight = q * crosses[k].coefficients[first + feature]
                if weight == 0 { continue }
                total += weight * x
                add(
                    .cross(k, learner: left, course: feature), weight * (x - means.course[feature]),
                    isNameable: means.learnerNameable[left] && means.courseNameable[feature])
            }
        }
        func addWhole(_ kind: Contribution.Kind, _ amount: Double, _ isNameable: Bool) {
            total += amount
            add(kind, amount, isNameable: isNameable)
        }
        addResponders(course, addWhole)
        addMatches(course, addWhole)
        return (found, Float(total))
    }

    private func addResponders(_ c: Int, _ add: (Contribution.Kind, Double, Bool) -> Void) {
        let g = scorer.predictor.responders
        var to = g.offsets[c]
        for at in own.range(learner) {
            let feature = Int(own.columns[at])
            if feature >= means.learnerNameable.count { break }
            while to < g.offsets[c + 1], Int(g.columns[to]) < feature { to += 1 }
            let isThere = to < g.offsets[c + 1] && Int(g.columns[to]) == feature
            let away = (isThere ? g.values[to] : 0) - means.responders[feature]
            if away != 0 {
                add(.responders(feature), Double(own.values[at] * away), means.learnerNameable[feature])
            }
        }
    }

    private func addMatches(_ c: Int, _ add: (Contribution.Kind, Double, Bool) -> Void) {
        guard let b = scorer.predictor.fixed[FeatureSpace.pairBag] else { return }
        for (k, match) in scorer.predictor.definition.space.matches.enumerated() {
            let (left, right) = (scorer.learnerCodes[k], scorer.predictor.matchCodes[k])
            if left.range(learner).isEmpty { continue }
            let count = b[b.startIndex + match.base]
            let cosine = b[b.startIndex + match.base + 1]
            var (amount, common) = (0.0, 0)
            var to = right.offsets[c]
            for at in left.range(learner) {
                let code = left.columns[at]
                while to < right.offsets[c + 1], right.columns[to] < code { to += 1 }
                let mean = means.match(k, Int(code))
                amount -= count * mean.share + cosine * Double(left.values[at]) * mean.value
                if to < right.offsets[c + 1], right.columns[to] == code {
                    amount += count + cosine * Double(left.values[at] * right.values[to])
                    common += 1
                }
            }
            add(.match(k), amount, common > 0)
        }
    }

    /// A term as people should read it: "skills: Python, SQL", "topic: Health".
    package func text(_ term: Contribution, course: Int) -> String {
        if case .match(let k) = term.kind { return matchText(k, course) }
        if let known = texts[term.kind] { return known }
        let made = text(term.kind)
        texts[term.kind] = made
        return made
    }

    private func text(_ kind: Contribution.Kind) -> String {
        let space = scorer.predictor.definition.space
        switch kind {
        case .liking(let feature): return Self.text(space.course, feature)
        case .responders(let feature): return Self.text(space.learner, feature)
        case .cross(_, let left, let right):
            let (u, v) = (Self.named(space.learner, left), Self.named(space.course, right))
            return "\(u.column) × \(v.column): \(u.value), \(v.value)"
        case .match: preconditionFailure("the text of a match depends on the course")
        }
    }

    /// The common values, those that fewest courses have first.
    private func matchText(_ k: Int, _ course: Int) -> String {
        let match = scorer.predictor.definition.space.matches[k]
        let (left, right) = (scorer.learnerCodes[k], scorer.predictor.matchCodes[k])
        let names = scorer.predictor.dictionaries.course[match.courseColumn]?.values ?? []
        let codes = left.columns[left.range(learner)]
        let common = right.columns[right.range(course)].filter { codes.contains($0) }
            .sorted { (means.match(k, Int($0)).share, $0) < (means.match(k, Int($1)).share, $1) }
        let texts = common.prefix(Self.mostValues).map { Int($0) < names.count ? names[Int($0)] : "#\($0)" }
        return "\(match.learnerColumn): \(texts.joined(separator: ", "))"
    }

    /// So many common values are named.
    private static let mostValues = 3

    private static func text(_ blocks: [FeatureBlock], _ feature: Int) -> String {
        let (column, value) = named(blocks, feature)
        return "\(column): \(value)"
    }

    private static func named(_ blocks: [FeatureBlock], _ feature: Int) -> (column: String, value: String) {
        let block = blocks.last { $0.base <= feature }!
        let name = block.names[feature - block.base]
        // What follows "=" in a feature's name; the whole name of a range.
        return (block.column, name.firstIndex(of: "=").map { String(name[name.index(after: $0)...]) } ?? name)
    }
}

/// Means over all courses of what a response model multiplies, and which features have names for people. Made once,
/// for the explainers of all threads.
package struct CourseMeans: Sendable {
    /// By static course feature: mean value.
    let course: [Double]
    /// By learner feature: mean per-course coefficient.
    let responders: [Float]
    let courseNameable: [Bool]
    let learnerNameable: [Bool]
    /// By match and code: share of the courses that have it, mean of its 1/√n.
    private let matches: [[(share: Double, value: Double)]]

    package init(_ predictor: ResponsePredictor) {
        let space = predictor.definition.space
        let courses = Double(max(1, predictor.courseCount))
        var sums = [Double](repeating: 0, count: space.courseCount)
        let rows = predictor.courseRows
        for at in rows.columns.indices { sums[Int(rows.columns[at])] += Double(rows.values[at]) }
        course = sums.map { $0 / courses }
        let g = predictor.responders
        var responders = [Double](repeating: 0, count: g.columnCount)
        for at in g.columns.indices { responders[Int(g.columns[at])] += Double(g.values[at]) }
        self.responders = responders.map { Float($0 / courses) }
        courseNameable = space.course.flatMap(Self.nameable)
        learnerNameable = space.learner.flatMap(Self.nameable)
        matches = predictor.matchCodes.map { codes in
            var found = [(share: Double, value: Double)](
                repeating: (0, 0), count: 1 + Int(codes.columns.max() ?? 0))
            for at in codes.columns.indices {
                found[Int(codes.columns[at])].share += 1 / courses
                found[Int(codes.columns[at])].value += Double(codes.values[at]) / courses
            }
            return found
        }
    }

    private static func nameable(_ block: FeatureBlock) -> [Bool] {
        switch block.kind {
        case .values: block.names.map { !$0.hasSuffix("=(other)") }
        case .buckets: [Bool](repeating: true, count: block.count)
        case .number, .text: [Bool](repeating: false, count: block.count)
        }
    }

    func match(_ k: Int, _ code: Int) -> (share: Double, value: Double) {
        code < matches[k].count ? matches[k][code] : (0, 0)
    }
}
