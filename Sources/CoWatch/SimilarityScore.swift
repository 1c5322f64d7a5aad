import LinearAlgebra

/// What the measures need of every course.
struct SimilarityTotals: Sendable {
    /// n_i and √n_i.
    let n: [Double]
    let roots: [Double]
    /// N.
    let total: Double
    /// x of the measure's bound: √n_j for the cosine, n_j for the others.
    let x: [Float]

    init(n: [Double], total: Double, _ measure: CoWatch.Measure) {
        (self.n, self.total) = (n, total)
        roots = n.map { $0.squareRoot() }
        x = (measure == .cosine ? roots : n).map { Float($0) }
    }
}

/// A measure for row i. With c the sum in learners, value ≥ t where
/// cosine: c ≥ t·√n_i·√n_j + t·shrinkage; jaccard: c ≥ t/(1 + t)·(n_i + n_j); lift: c ≥ t·n_i/N·n_j;
/// pmi: the lift's with eᵗ.
struct SimilarityScore<Sum: RowSum>: PairScore {
    let totals: SimilarityTotals
    let options: CoWatch.SimilarityOptions
    let i: Int
    /// Sums per learner of weight 1.
    let unit: Double
    /// Learners of each pair; nil where the sums are those.
    let counts: UnsafePointer<UInt32>?

    init(
        _ totals: SimilarityTotals, _ options: CoWatch.SimilarityOptions, _ i: Int, unit: Double,
        counts: UnsafePointer<UInt32>?
    ) {
        (self.totals, self.options, self.i, self.unit, self.counts) = (totals, options, i, unit, counts)
    }

    var x: [Float] { totals.x }

    /// 0 below the least support.
    @inline(__always)
    func value(_ sum: Sum, _ j: Int) -> Double {
        if counts.map({ Int($0[j]) }) ?? Int(sum) < options.minSupport { return 0 }
        let c = Double(sum) / unit
        switch options.measure {
        case .cosine: return c / (totals.roots[i] * totals.roots[j] + options.shrinkage)
        case .jaccard: return c / (totals.n[i] + totals.n[j] - c)
        case .lift: return totals.total * c / (totals.n[i] * totals.n[j])
        case .pmi: return Scalar.log(totals.total * c / (totals.n[i] * totals.n[j]))
        }
    }

    func bound(_ t: Double) -> (slope: Double, offset: Double) {
        switch options.measure {
        case .cosine: return (unit * t * totals.roots[i], unit * t * options.shrinkage)
        case .jaccard: return (unit * t / (1 + t), unit * t / (1 + t) * totals.n[i])
        case .lift: return (unit * t * totals.n[i] / totals.total, 0)
        case .pmi: return (unit * Scalar.exp(t) * totals.n[i] / totals.total, 0)
        }
    }
}
