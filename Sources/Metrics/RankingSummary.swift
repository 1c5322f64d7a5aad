import LinearAlgebra

/// Means with intervals for the slices of one evaluation (`EvaluationSlices`). Macro averages: every row (learner and cut) counts once.
package struct RankingSummary: Sendable, Equatable, Codable {
    package struct Slice: Sendable, Equatable, Codable {
        package var name: String
        package var rows: Int
        package var learners: Int
        /// Model → `ndcg@20` → mean with interval.
        package var metrics: [String: [String: Interval]]
        /// The reference's metric minus the model's, paired by learner.
        package var differences: [String: [String: Interval]]
    }

    /// The model whose differences to the others are given.
    package var reference: String
    package var models: [String]
    package var slices: [Slice]

    package subscript(slice: String) -> Slice? { slices.first { $0.name == slice } }

    /// - Parameters:
    ///   - cutoffs: k, ascending.
    ///   - historyBounds: first history lengths of the buckets, ascending, from 1.
    ///   - reference: one of the models.
    package init(
        _ learners: EvaluatedLearners, cutoffs: [Int], historyBounds: [Int], reference: String, bootstrap: Bootstrap,
        workers: Workers
    ) {
        (self.reference, models) = (reference, learners.models)
        let units = RankingSummary.units(learners.ids)
        slices = EvaluationSlices(historyBounds: historyBounds).rows(learners).map { name, rows in
            Slice(name, rows, learners, units, cutoffs, reference, bootstrap, workers)
        }
    }

    package static func name(_ metric: RankingMetric, _ k: Int) -> String { "\(metric.rawValue)@\(k)" }

    private static func units(_ ids: [String]) -> [Int] {
        // By bytes: two ids may be the same text in Unicode.
        var numbers: [[UInt8]: Int] = [:]
        return ids.map { id in
            let key = Array(id.utf8)
            if let number = numbers[key] { return number }
            let number = numbers.count
            numbers[key] = number
            return number
        }
    }
}

extension RankingSummary.Slice {
    fileprivate init(
        _ name: String, _ rows: [Int], _ learners: EvaluatedLearners, _ units: [Int], _ cutoffs: [Int],
        _ reference: String, _ bootstrap: Bootstrap, _ workers: Workers
    ) {
        (self.name, self.rows) = (name, rows.count)
        let rowUnits = rows.map { units[$0] }
        self.learners = Set(rowUnits).count
        (metrics, differences) = ([:], [:])
        // One table of columns, so that all share their resamples.
        var (keys, columns) = ([(model: String, metric: String, difference: Bool)](), [[Double]]())
        var referenceColumns: [String: [Double]] = [:]
        let names = learners.models
        let order = names.indices.filter { names[$0] == reference } + names.indices.filter { names[$0] != reference }
        for model in order {
            let name = names[model]
            for metric in RankingMetric.allCases {
                for k in cutoffs where k <= learners.depths[model] {
                    let column = rows.map { metric.value(learners.hits[model][$0], at: k) }
                    let key = RankingSummary.name(metric, k)
                    keys.append((name, key, false))
                    columns.append(column)
                    if name == reference {
                        referenceColumns[key] = column
                    } else if let base = referenceColumns[key] {
                        keys.append((name, key, true))
                        columns.append(zip(base, column).map { $0 - $1 })
                    }
                }
            }
        }
        let intervals = bootstrap.intervals(columns: columns, learners: rowUnits, workers: workers)
        for (key, interval) in zip(keys, intervals) {
            if key.difference {
                differences[key.model, default: [:]][key.metric] = interval
            } else {
                metrics[key.model, default: [:]][key.metric] = interval
            }
        }
    }
}
