// Proves the rules of final lists: caps, diversity, exclusions, reasons, rungs, the last check. Expected: by hand.

import LinearAlgebra
import Platform
import Ranking
import Testing

@Suite struct GreedyWalkTests {
    @Test func bestFirstWithoutRules() {
        let (positions, scores) = GreedyWalk(k: 2).choose([7, 3, 5], [3, 2, 1])
        #expect(positions == [0, 1])
        #expect(scores == [3, 2])
    }

    @Test func capsPerColumn() {
        // Courses 0…4 with categories a, a, {a, b}, b, none: one of each.
        let cap = ColumnCap(most: 1, offsets: [0, 1, 2, 4, 5, 5], values: [0, 0, 0, 1, 1])
        let (positions, scores) = GreedyWalk(k: 4, caps: [cap]).choose([1, 0, 2, 3, 4], [5, 4, 3, 2, 1])
        #expect(positions == [0, 3, 4])
        #expect(scores == [5, 2, 1])
    }

    @Test func marginalRelevanceByHand() {
        // Courses 0 and 1 point the same way, 2 is orthogonal, 3 opposite. θ = ½, r = 1, ¾, ½, ¼.
        let vectors = Matrix(rows: 4, columns: 2, values: [1, 0, 1, 0, 0, 1, -1, 0])
        let walk = GreedyWalk(k: 4, relevanceShare: 0.5, vectors: vectors)
        let (positions, values) = walk.choose([0, 1, 2, 3], [9, 8, 7, 6])
        // First 0 (½·1). Then 1: ⅜ − ½ = −⅛, 2: ¼ − 0, 3: ⅛ − 0 (no reward for opposites): 2. Then 3: ⅛, then 1: −⅛.
        #expect(positions == [0, 2, 3, 1])
        #expect(values == [0.5, 0.25, 0.125, -0.125])
    }

    @Test func marginalRelevanceNeverRises() {
        let count = 60
        let raw = (0..<count).map { c in (0..<4).map { noise(9, c, $0) } }
        let unit = raw.flatMap { v in v.map { $0 / v.reduce(0) { $0 + $1 * $1 }.squareRoot() } }
        let vectors = Matrix(rows: count, columns: 4, values: unit)
        for share in [0, 0.3, 0.9] as [Float] {
            let (positions, values) = GreedyWalk(k: 30, relevanceShare: share, vectors: vectors)
                .choose((0..<60).map { UInt32($0) }, (0..<60).map { -Float($0) })
            #expect(Set(positions).count == 30)
            #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
        }
    }
}

@Suite struct ListRulesTests {
    private var rules: ListRules {
        ListRules(
            barredCourses: [false, true, false, false, false, false], courseLanguage: [0, 0, 1, -1, 0, 1],
            walk: GreedyWalk(k: 2))
    }

    private func learner(_ change: (inout ListRules.Learner) -> Void) -> ListRules.Learner {
        var learner = ListRules.Learner()
        change(&learner)
        return learner
    }

    @Test func removesWhatMayNotStand() {
        let all: [UInt32] = [1, 0, 2, 3, 4, 5]
        let scores: [Float] = [6, 5, 4, 3, 2, 1]
        func list(_ learner: ListRules.Learner, wanted: Int = 6) -> ListRules.List {
            rules.list(all[...], scores[...], wanted: wanted, learner: learner)
        }
        #expect(list(learner { _ in }).positions == [1, 2])
        #expect(list(learner { $0.excluded = [0, 2] }).positions == [3, 4])
        #expect(list(learner { $0.languages = [1] }).positions == [2, 3])
        let short = list(learner { $0.excluded = [0, 2, 3, 4] })
        #expect(short.positions == [5] && short.shortness == .rules)
        #expect(list(learner { $0.isSuppressed = true }) == ListRules.List(shortness: .suppressed))
        let few = rules.list([4], [1], wanted: 6, learner: learner { _ in })
        #expect(few.positions == [0] && few.shortness == .catalogue)
        let slice = rules.list(all[3...], scores[3...], wanted: 3, learner: learner { _ in })
        #expect(slice.positions == [0, 1] && slice.listScores == [3, 2])
    }

    /// Three courses of one category, one of them allowed: the catalogue has more, the cap keeps them out.
    @Test func aCapIsARule() {
        let cap = ColumnCap(most: 1, offsets: [0, 1, 2, 3], values: [0, 0, 0])
        let rules = ListRules(barredCourses: [false, false, false], walk: GreedyWalk(k: 2, caps: [cap]))
        let list = rules.list([2, 0, 1], [3, 2, 1], wanted: 9, learner: ListRules.Learner())
        #expect(list.positions == [0] && list.shortness == .rules)
    }

    private func top(_ courses: [UInt32], _ scores: [Float]) -> TopLists {
        var top = TopLists()
        top.lists = RankedLists(offsets: [0, courses.count], courses: courses, scores: scores)
        top.listScores = scores
        top.reasons = courses.map { _ in .popular }
        top.because = courses.map { _ in 0 }
        top.rungs = [.trend]
        top.shortness = [courses.count == 2 ? .full : .rules]
        return top
    }

    @Test func theLastCheckSeesEveryFault() {
        let anyone = ListRules.Learner()
        func problem(_ courses: [UInt32], _ scores: [Float], _ learner: ListRules.Learner? = nil) -> String? {
            rules.problem(top(courses, scores), list: 0, learner: learner ?? anyone)
        }
        #expect(problem([0, 2], [2, 1]) == nil)
        #expect(problem([0, 2], [1, 1]) == nil)
        #expect(problem([2, 0], [1, 1])?.contains("tie") == true)
        #expect(problem([0, 2], [1, 2])?.contains("rise") == true)
        #expect(problem([0, 0], [2, 1])?.contains("twice") == true)
        #expect(problem([0, 1], [2, 1])?.contains("not allowed") == true)
        #expect(problem([0, 2], [.infinity, 1])?.contains("finite") == true)
        #expect(problem([0, 2, 3], [3, 2, 1])?.contains("at most") == true)
        #expect(problem([0, 2], [2, 1], learner { $0.excluded = [2] })?.contains("not allowed") == true)
        #expect(problem([0], [2], learner { $0.isSuppressed = true })?.contains("suppressed") == true)
        var short = top([0], [1])
        short.shortness = [.full]
        #expect(rules.problem(short, list: 0, learner: anyone)?.contains("without a reason") == true)
    }
}

@Suite struct ReasonTests {
    private func choose(_ evidence: EntryEvidence<String>) -> EntryReason { ListReasons.choose([evidence])[0] }

    @Test func theModelThatAddsMoreSpeaks() {
        let watched: [(course: UInt32, amount: Float)] = [(7, 0.9), (3, 1.5), (9, -1.7)]
        // The context adds 0.7 in all, most of it through course 3.
        func with(_ response: Float, _ features: [(feature: String, amount: Float)]) -> EntryEvidence<String> {
            EntryEvidence(watched: watched, response: response, features: features)
        }
        #expect(choose(with(0.6, [("a", 0.6)])) == .watched(3))
        #expect(choose(with(0.8, [("a", 0.1)])) == .fits(0))
        #expect(choose(with(0.8, [])) == .watched(3), "nothing to name: the other model speaks")
        #expect(choose(EntryEvidence(watched: [(7, 1), (3, 1)])) == .watched(3), "ties: the smaller number")
        #expect(choose(EntryEvidence(watched: [(7, 1), (3, -2)], response: -3)) == .popular)
        #expect(
            choose(EntryEvidence(watched: [(7, -1)], response: -0.5, features: [("a", 1)])) == .popular,
            "a single feature is no reason where the model speaks against the course")
        #expect(choose(EntryEvidence()) == .popular)
    }

    private func list(_ entries: [[(feature: String, amount: Float)]]) -> [EntryReason] {
        ListReasons.choose(entries.map { EntryEvidence(response: 2, features: $0) })
    }

    @Test func whatTheWholeListSharesIsNoReason() {
        // "en" adds most to every entry but the same to all; "sql" is beyond its average (0.2 of 3 entries) in one.
        #expect(list([[("en", 2)], [("en", 2), ("sql", 0.6)], [("en", 2)]]) == [.fits(0), .fits(1), .fits(0)])
        // "en" is missing in the last entry, so 0.5 beyond its average (1.5) elsewhere; "sql" is 0.375 beyond (0.125).
        // Both are near enough: they take turns, "en" first.
        #expect(
            list([[("en", 2)], [("en", 2), ("sql", 0.5)], [("en", 2)], [("x", 1)]])
                == [.fits(0), .fits(1), .fits(0), .fits(0)])
    }

    /// Two pairs of entries; the features of a pair are in no other entry. Averages over four: half of each amount.
    @Test func nearlyEqualFeaturesTakeTurns() {
        func two(_ second: Float) -> [EntryReason] {
            let entry: [(feature: String, amount: Float)] = [("sql", 1), ("health", second)]
            return Array(list([entry, entry, [("x", 1)], [("x", 1)]]).prefix(2))
        }
        #expect(two(0.6) == [.fits(0), .fits(1)])
        #expect(two(0.4) == [.fits(0), .fits(0)])
    }

    @Test func rungs() {
        #expect(ScoreParts([.towers, .wide, .trend, .fixedEffect]).rung == .towers)
        #expect(ScoreParts([.wide, .learnerEffect]).rung == .wide)
        #expect(ScoreParts([.trend, .learnerEffect, .segment]).rung == .learnerEffect)
        #expect(ScoreParts([.trend, .segment, .fixedEffect]).rung == .segment)
        #expect(ScoreParts([.trend, .fixedEffect]).rung == .fixedEffect)
        #expect(ScoreParts([]).rung == .trend)
    }
}

@Suite struct HistoryExclusionTests {
    /// Learner 0 watches course 0 for 50 + 45 of 100 s, course 1 (unknown duration) for 5 s, course 2 for 10 of 100 s,
    /// course 3 at time 9; learner 2 watches course 2 without a watch time.
    private let watches = Watches(
        learner: [0, 0, 0, 0, 0, 2], course: [0, 1, 0, 2, 3, 2], time: [1, 2, 3, 4, 9, 5],
        seconds: [50, 5, 45, 10, 100, .nan])

    private func excluded(_ rule: HistoryExclusion) -> [[UInt32]] {
        let sets = rule.exclusions(
            watches, learners: 3, before: 9, duration: [100, nil, 100, 100], completedFraction: 0.9)
        return (0..<3).map { Array(sets[$0]) }
    }

    @Test func rawHistoryDecides() {
        #expect(excluded(.watched) == [[0, 1, 2], [], [2]])
        #expect(excluded(.completed) == [[0, 1], [], [2]])
        #expect(excluded(.none) == [[], [], []])
    }
}
