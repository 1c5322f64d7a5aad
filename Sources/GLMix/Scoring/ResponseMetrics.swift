import LinearAlgebra

/// Quality of predicted margins against labels.
package struct ResponseMetrics: Sendable, Equatable, Codable {
    package var rows = 0
    package var positives = 0
    /// Weighted mean of ℓ, in nats.
    package var logLoss = 0.0
    /// Area under the ROC curve, unweighted, ties count ½; nil without both labels.
    package var auc: Double?

    package init(margins: [Double], labels: [UInt8], weights: [Float]) {
        rows = labels.count
        positives = labels.reduce(0) { $0 + Int($1) }
        var (total, mass) = (0.0, 0.0)
        for i in labels.indices {
            total += Double(weights[i]) * LogisticLoss.value(margins[i], positive: labels[i] == 1)
            mass += Double(weights[i])
        }
        logLoss = mass > 0 ? total / mass : 0
        auc = Self.auc(margins, labels)
    }

    /// (Σ ranks of positives − P(P + 1)/2)/(P·N), ranks doubled so that ties stay integers
    /// (J. A. Hanley, B. J. McNeil, Radiology 143, 1982).
    package static func auc(_ margins: [Double], _ labels: [UInt8]) -> Double? {
        let order = margins.indices.sorted { margins[$0] < margins[$1] }
        let positives = labels.reduce(0) { $0 + Int($1) }
        let negatives = labels.count - positives
        if positives == 0 || negatives == 0 { return nil }
        var doubledRanks = 0
        var start = 0
        while start < order.count {
            var end = start
            while end < order.count, margins[order[end]] == margins[order[start]] { end += 1 }
            for at in start..<end where labels[order[at]] == 1 { doubledRanks += start + end + 1 }
            start = end
        }
        return Double(doubledRanks - positives * (positives + 1)) / (2 * Double(positives) * Double(negatives))
    }

    /// AUC within each group, averaged over the groups that have both labels; and how many have not.
    package static func meanAUC(_ margins: [Double], _ labels: [UInt8], by grouping: Grouping) -> (
        mean: Double?, groups: Int, dropped: Int
    ) {
        let groups = RowGroups(count: grouping.entityCount, group: grouping.entities)
        var (total, used, dropped) = (0.0, 0, 0)
        for e in 0..<groups.count where !groups.range(e).isEmpty {
            let rows = groups.rows[groups.range(e)].map(Int.init)
            if let auc = auc(rows.map { margins[$0] }, rows.map { labels[$0] }) {
                total += auc
                used += 1
            } else {
                dropped += 1
            }
        }
        return (used > 0 ? total / Double(used) : nil, used, dropped)
    }

    /// Rows in ten buckets of equal size by predicted probability: mean prediction, share of positives, rows.
    package static func calibration(_ margins: [Double], _ labels: [UInt8], buckets: Int = 10) -> [(
        predicted: Double, observed: Double, rows: Int
    )] {
        let order = margins.indices.sorted { margins[$0] != margins[$1] ? margins[$0] < margins[$1] : $0 < $1 }
        return (0..<buckets).compactMap { b in
            let part = order[order.count * b / buckets..<order.count * (b + 1) / buckets]
            if part.isEmpty { return nil }
            let predicted = part.reduce(0.0) { $0 + LogisticLoss.probability(margins[$1]) }
            let observed = part.reduce(0.0) { $0 + Double(labels[$1]) }
            return (predicted / Double(part.count), observed / Double(part.count), part.count)
        }
    }
}
