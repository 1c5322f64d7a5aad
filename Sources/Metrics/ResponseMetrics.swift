import LinearAlgebra

/// Metrics of a predicted probability of response. Labels are true for a response.
package enum ResponseMetrics {
    /// Σ w·log(1 + e^{∓z}) / Σ w, with z the logit (− for responses): weighted mean negative log likelihood, without
    /// overflow. 0 without rows.
    package static func logLoss(logits: [Double], labels: [Bool], weights: [Double]? = nil) -> Double {
        precondition(logits.count == labels.count && (weights?.count ?? labels.count) == labels.count)
        var (loss, total) = (0.0, 0.0)
        for i in labels.indices {
            let weight = weights?[i] ?? 1
            loss += weight * Scalar.log1pExp(labels[i] ? -logits[i] : logits[i])
            total += weight
        }
        return total == 0 ? 0 : loss / total
    }

    /// Area under the ROC curve: the share of (response, no response) pairs in which the response has the larger
    /// score, ties ½. Equal to the Mann–Whitney U over the number of pairs (Hanley & McNeil 1982,
    /// doi:10.1148/radiology.143.1.7063747); counted in integers.
    /// - Returns: nil unless both labels occur.
    package static func auc(scores: [Double], labels: [Bool]) -> Double? {
        precondition(scores.count == labels.count)
        return auc(rows: scores.indices.sorted { scores[$0] < scores[$1] }[...], scores, labels)
    }

    /// The mean of the groups' AUCs, each group counting once.
    package struct GroupedAUC: Sendable, Equatable {
        /// nil if no group has both labels.
        package var mean: Double?
        package var groups: Int
        /// Groups with one label only, which have no AUC.
        package var dropped: Int
    }

    /// - Parameter groups: the learner (or course) of each row.
    package static func groupedAUC(scores: [Double], labels: [Bool], groups: [Int]) -> GroupedAUC {
        precondition(scores.count == labels.count && groups.count == labels.count)
        let order = scores.indices.sorted { (groups[$0], scores[$0]) < (groups[$1], scores[$1]) }
        var (values, dropped, start) = ([Double](), 0, 0)
        while start < order.count {
            var end = start
            while end < order.count && groups[order[end]] == groups[order[start]] { end += 1 }
            if let value = auc(rows: order[start..<end], scores, labels) { values.append(value) } else { dropped += 1 }
            start = end
        }
        let mean = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        return GroupedAUC(mean: mean, groups: values.count, dropped: dropped)
    }

    /// - Parameter rows: ascending by score.
    private static func auc(rows: ArraySlice<Int>, _ scores: [Double], _ labels: [Bool]) -> Double? {
        // Twice the number of pairs won, so that ties stay integer.
        var (won, positives, negatives, at) = (0, 0, 0, rows.startIndex)
        while at < rows.endIndex {
            var (tiedPositives, tiedNegatives) = (0, 0)
            let score = scores[rows[at]]
            while at < rows.endIndex && scores[rows[at]] == score {
                if labels[rows[at]] { tiedPositives += 1 } else { tiedNegatives += 1 }
                at += 1
            }
            precondition(tiedPositives + tiedNegatives > 0, "NaN score")
            won += tiedPositives * (2 * negatives + tiedNegatives)
            positives += tiedPositives
            negatives += tiedNegatives
        }
        return positives == 0 || negatives == 0 ? nil : Double(won) / (2 * Double(positives) * Double(negatives))
    }
}

/// Whether predicted probabilities are frequencies: rows in buckets of equally many, by prediction.
package struct Calibration: Sendable, Equatable, Codable {
    package struct Bucket: Sendable, Equatable, Codable {
        package var rows: Int
        /// Σ w.
        package var weight: Double
        /// Weighted mean of the predicted probability, and weighted share of responses.
        package var predicted: Double
        package var observed: Double
    }

    /// Ascending by prediction (Hosmer & Lemeshow 1980's deciles of risk). Fewer rows than buckets: one each.
    package var buckets: [Bucket]

    /// Σ weight·|predicted − observed| / Σ weight. Naeini, Cooper & Hauskrecht 2015 (expected calibration error).
    package var expectedError: Double {
        let total = buckets.reduce(0) { $0 + $1.weight }
        return total == 0 ? 0 : buckets.reduce(0) { $0 + $1.weight * abs($1.predicted - $1.observed) } / total
    }

    /// Equal predictions are ordered by row number.
    package init(probabilities: [Double], labels: [Bool], weights: [Double]? = nil, bucketCount: Int = 10) {
        precondition(probabilities.count == labels.count && (weights?.count ?? labels.count) == labels.count)
        let order = labels.indices.sorted { (probabilities[$0], $0) < (probabilities[$1], $1) }
        let count = min(bucketCount, order.count)
        buckets = (0..<count).map { bucket in
            let rows = order[bucket * order.count / count..<(bucket + 1) * order.count / count]
            var (weight, predicted, observed) = (0.0, 0.0, 0.0)
            for row in rows {
                let w = weights?[row] ?? 1
                weight += w
                predicted += w * probabilities[row]
                if labels[row] { observed += w }
            }
            let scale = weight == 0 ? 0 : 1 / weight
            return Bucket(rows: rows.count, weight: weight, predicted: predicted * scale, observed: observed * scale)
        }
    }
}
