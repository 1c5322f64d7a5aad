import LinearAlgebra

/// Where the relevant courses stand in one learner's ranked list, and every ranking metric of that list.
///
/// Protocol (docs/evaluation.md): full ranking over the eligible courses, never a sample; R counts every relevant
/// course, those that no model could know included; ranks count from 1. Symbols: k the cut-off, R the number of
/// relevant courses, h(r) = 1 if the course at rank r is relevant and 0 otherwise or beyond the list's end, H(r) =
/// h(1) + … + h(r). All metrics lie in [0, 1].
///
/// A learner without a relevant course has no metrics: `init` refuses R = 0, and callers count the skipped.
package struct RankedHits: Sendable, Equatable {
    /// Ranks at which a relevant course stands, ascending, from 1.
    package let ranks: [Int]
    /// R.
    package let relevantCount: Int

    /// - Parameters:
    ///   - ranked: courses, best first, without duplicates.
    ///   - relevant: at least one course, ascending, without duplicates.
    /// - Complexity: O(ranked · log relevant).
    package init<Ranked: Sequence, Relevant: RandomAccessCollection>(ranked: Ranked, relevant: Relevant)
    where Ranked.Element: BinaryInteger, Relevant.Element: BinaryInteger, Relevant.Index == Int {
        precondition(!relevant.isEmpty, "no relevant course: the learner has to be skipped and counted")
        var (ranks, found, rank) = ([Int](), [Int](), 0)
        for course in ranked {
            rank += 1
            guard let at = RankedHits.position(Int(course), in: relevant) else { continue }
            precondition(!found.contains(at), "course \(course) stands twice in a ranked list")
            found.append(at)
            ranks.append(rank)
        }
        (self.ranks, relevantCount) = (ranks, relevant.count)
    }

    /// From stored ranks.
    /// - Precondition: ascending, from 1, no more than there are relevant courses.
    package init(ranks: [Int], relevantCount: Int) {
        precondition(relevantCount > 0 && ranks.count <= relevantCount && (ranks.first ?? 1) >= 1)
        precondition(zip(ranks, ranks.dropFirst()).allSatisfy { $0 < $1 })
        (self.ranks, self.relevantCount) = (ranks, relevantCount)
    }

    private static func position<Relevant: RandomAccessCollection>(_ course: Int, in relevant: Relevant) -> Int?
    where Relevant.Element: BinaryInteger, Relevant.Index == Int {
        var (low, high) = (relevant.startIndex, relevant.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if Int(relevant[middle]) < course { low = middle + 1 } else { high = middle }
        }
        return low < relevant.endIndex && Int(relevant[low]) == course ? low : nil
    }

    /// H(k).
    package func hits(at k: Int) -> Int { ranks.prefix { $0 <= k }.count }

    /// H(k) / R.
    package func recall(at k: Int) -> Double { Double(hits(at: k)) / Double(relevantCount) }

    /// H(k) / k, also for lists shorter than k: what is missing was not relevant.
    package func precision(at k: Int) -> Double { Double(hits(at: k)) / Double(k) }

    /// 2·precision·recall / (precision + recall) = 2·H(k) / (k + R). Van Rijsbergen 1979.
    package func f1(at k: Int) -> Double { 2 * Double(hits(at: k)) / Double(k + relevantCount) }

    /// DCG / ideal DCG with binary gain: Σ_{r ≤ k} h(r)/log₂(1 + r) over Σ_{r ≤ min(k, R)} 1/log₂(1 + r).
    /// Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418, with the discount of Burges et al. 2005; the ideal list
    /// is cut at k as well, so that a full list of relevant courses has 1.
    package func ndcg(at k: Int) -> Double {
        let gain = ranks.prefix { $0 <= k }.reduce(0.0) { $0 + Discount.at($1) }
        return gain / Discount.sum(min(k, relevantCount))
    }

    /// Σ_{r ≤ k} h(r)·H(r)/r / min(k, R): average precision; its mean over learners is MAP. trec_eval's `map_cut`
    /// divides by R instead, which keeps a perfect list of k < R courses below 1.
    package func averagePrecision(at k: Int) -> Double {
        var sum = 0.0
        for (index, rank) in ranks.enumerated() where rank <= k { sum += Double(index + 1) / Double(rank) }
        return sum / Double(min(k, relevantCount))
    }

    /// 1 / rank of the first hit, 0 beyond k; its mean is MRR. Voorhees 1999.
    package func reciprocalRank(at k: Int) -> Double {
        guard let first = ranks.first, first <= k else { return 0 }
        return 1 / Double(first)
    }

    /// 1 if H(k) > 0.
    package func hitRate(at k: Int) -> Double { hits(at: k) > 0 ? 1 : 0 }
}

/// The metrics by name, as tables and files call them.
package enum RankingMetric: String, Sendable, CaseIterable, Codable {
    case recall, precision, f1, ndcg, map, mrr, hitRate = "hit_rate"

    package func value(_ hits: RankedHits, at k: Int) -> Double {
        switch self {
        case .recall: hits.recall(at: k)
        case .precision: hits.precision(at: k)
        case .f1: hits.f1(at: k)
        case .ndcg: hits.ndcg(at: k)
        case .map: hits.averagePrecision(at: k)
        case .mrr: hits.reciprocalRank(at: k)
        case .hitRate: hits.hitRate(at: k)
        }
    }
}

/// 1/log₂(1 + r) and its sums, from a table for the ranks that occur.
private enum Discount {
    static let table: [Double] = (0...1_000).map { $0 == 0 ? 0 : 0.6931471805599453 / Scalar.log(1 + Double($0)) }
    static let sums: [Double] = table.reduce(into: []) { $0.append(($0.last ?? 0) + $1) }

    static func at(_ rank: Int) -> Double {
        rank < table.count ? table[rank] : 0.6931471805599453 / Scalar.log(1 + Double(rank))
    }

    static func sum(_ ranks: Int) -> Double {
        if ranks < sums.count { return sums[ranks] }
        return (sums.count...ranks).reduce(sums[sums.count - 1]) { $0 + at($1) }
    }
}
