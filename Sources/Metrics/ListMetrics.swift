import LinearAlgebra

/// What a set of lists does as a whole: how much of the catalogue it reaches, how unequally, how obvious and how alike
/// the lists are. Made of integer counts, so no order can show; `add` over shards and merge with `+=`.
package struct ListStatistics: Sendable, Equatable {
    /// The cut-off.
    package let k: Int
    /// In how many lists each course stands.
    package private(set) var counts: [Int32]
    package private(set) var lists = 0

    package init(courseCount: Int, k: Int) {
        self.k = k
        counts = [Int32](repeating: 0, count: courseCount)
    }

    /// What was counted elsewhere.
    package init(k: Int, lists: Int, counts: [Int32]) { (self.k, self.lists, self.counts) = (k, lists, counts) }

    /// - Parameter ranked: best first; only the first k count.
    package mutating func add<Ranked: Sequence>(_ ranked: Ranked) where Ranked.Element: BinaryInteger {
        for course in ranked.prefix(k) { counts[Int(course)] += 1 }
        lists += 1
    }

    package static func += (left: inout ListStatistics, right: ListStatistics) {
        precondition(left.k == right.k && left.counts.count == right.counts.count)
        for i in left.counts.indices { left.counts[i] += right.counts[i] }
        left.lists += right.lists
    }

    /// Share of the eligible courses that stand in some list. Ge, Delgado-Battenfeld & Jannach 2010,
    /// doi:10.1145/1864708.1864761.
    package func coverage(eligible: Int) -> Double {
        eligible == 0 ? 0 : Double(counts.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }) / Double(eligible)
    }

    /// Gini's index of how often eligible courses are recommended, 0 (all alike) … 1 − 1/n (one takes all):
    /// Σ_i (2i − n − 1)·x_(i) / (n·Σ x), x ascending, i from 1. Shani & Gunawardana 2011,
    /// doi:10.1007/978-0-387-85820-3_8.
    /// - Parameter eligible: n; ineligible courses are in no list, so they are left out as zeros.
    package func gini(eligible n: Int) -> Double {
        let shown = counts.filter { $0 > 0 }.sorted()
        let total = shown.reduce(0) { $0 + Int($1) }
        if total == 0 || n == 0 { return 0 }
        precondition(shown.count <= n)
        let weighted = zip(n - shown.count + 1...n, shown).reduce(0) { $0 + (2 * $1.0 - n - 1) * Int($1.1) }
        return Double(weighted) / (Double(n) * Double(total))
    }

    /// Mean over all entries of −log₂(n_c / N), the surprise of course c in bits; a course without a watch counts as
    /// watched once. Zhou et al. 2010, doi:10.1073/pnas.1000488107 (surprisal).
    /// - Parameters:
    ///   - watches: n_c, learners of each course before the cut.
    ///   - learners: N, learners with a watch before the cut.
    package func novelty(watches: [Int], learners: Int) -> Double {
        var (sum, entries) = (0.0, 0)
        for (course, count) in counts.enumerated() where count > 0 {
            let share = Double(max(1, watches[course])) / Double(max(1, learners))
            sum += Double(count) * (0 - Scalar.log(share) / 0.6931471805599453)
            entries += Int(count)
        }
        return entries == 0 ? 0 : sum / Double(entries)
    }

    /// Mean over pairs of lists of |A ∩ B| / k (1 − personalisation of Zhou et al. 2010), exactly, from the counts:
    /// Σ_c n_c·(n_c − 1) / (k·L·(L − 1)).
    package var meanOverlap: Double {
        if lists < 2 || k == 0 { return 0 }
        let shared = counts.reduce(0.0) { $0 + Double($1) * Double($1 - 1) }
        return shared / (Double(k) * Double(lists) * Double(lists - 1))
    }
}

/// Mean pairwise distance within one list at several cut-offs, from one pass; nil where the cut list has fewer than two
/// courses. Ziegler et al. 2005, doi:10.1145/1060745.1060754 (intra-list similarity, as a distance).
/// - Parameter cutoffs: ascending.
/// - Complexity: O(k²) calls of `distance`, k the last cut-off.
package func intraListDistances<Ranked: Collection>(
    _ ranked: Ranked, cutoffs: [Int], distance: (Ranked.Element, Ranked.Element) -> Double
) -> [Double?] {
    let list = Array(ranked.prefix(cutoffs.last ?? 0))
    var (sum, done) = (0.0, 0)
    return cutoffs.map { k in
        while done < min(k, list.count) {
            for other in 0..<done { sum += distance(list[other], list[done]) }
            done += 1
        }
        return done < 2 ? nil : sum / Double(done * (done - 1) / 2)
    }
}
