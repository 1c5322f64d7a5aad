// Response prediction on MovieLens 100K against figures found with other programs (docs/glmix.md): label rating ≥ 4,
// first 80 % in time to train; AUC global only .624, + learner .631, + item .689, both .701 with log loss .623, at the
// joint optimum for λ = 10. Skipped where the data is not there.
import Foundation
import GLMix
import LinearAlgebra
import Metrics
import Testing

let movieLens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
    path: "../../../shared/data/ml-100k")

@Suite struct MovieLensTests {
    static func table(_ file: String) throws -> [[String]] {
        let text = try String(contentsOf: movieLens.appending(path: "ml-100k.\(file)"), encoding: .utf8)
        return text.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// One-hot or multi-hot (1/√n) rows of a list of named features per row.
    static func hot(_ rows: [[[String]]]) -> (SparseRows, [String]) {
        let names = Set(rows.joined().joined()).sorted()
        let number = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let table = rows.map { groups in
            var row = [Float](repeating: 0, count: names.count)
            for group in groups { for name in group { row[number[name]!] = 1 / Float(group.count).squareRoot() } }
            return row
        }
        return (sparse(table), names)
    }

    static func load() throws -> (train: Examples, test: Examples) {
        let users = try table("user")
        let items = try table("item")
        let ratings = try table("inter").map { ($0[0], $0[1], Double($0[2])!, Int($0[3])!) }
        let sorted = ratings.enumerated().sorted { ($0.element.3, $0.offset) < ($1.element.3, $1.offset) }.map(
            \.element)
        let profile = users.map { ["age\(min(5, max(1, Int($0[1])! / 10)))", "gender" + $0[2], "job" + $0[3]] }
        let genres = items.map { $0[3].split(separator: " ").map(String.init) }
        let year = items.map {
            Int($0[2]).map { "year\(max(1930, min(1995, $0) / 10 * 10 + ($0 >= 1995 ? 5 : 0)))" } ?? "year?"
        }
        let (q, _) = hot(profile.map { $0.map { [$0] } })
        let (s, _) = hot(zip(genres, year).map { [$0, [$1]] })
        let userNumber = Dictionary(uniqueKeysWithValues: users.enumerated().map { ($1[0], $0) })
        let itemNumber = Dictionary(uniqueKeysWithValues: items.enumerated().map { ($1[0], $0) })
        func examples(_ rows: ArraySlice<(String, String, Double, Int)>, _ pairs: SparseRows) -> Examples {
            let (l, c) = (rows.map { userNumber[$0.0]! }, rows.map { itemNumber[$0.1]! })
            return Examples(
                labels: rows.map { $0.2 >= 4 ? 1 : 0 }, weights: rows.map { _ in 1 }, offsets: rows.map { _ in 0 },
                groupings: [
                    Grouping(name: "learner", entityCount: users.count, entities: l.map { Int32($0) }),
                    Grouping(name: "course", entityCount: items.count, entities: c.map { Int32($0) }),
                ],
                bags: [
                    FeatureBag(name: "learner", table: q, rowOf: l.map { UInt32($0) }),
                    FeatureBag(name: "course", table: s, rowOf: c.map { UInt32($0) }),
                    FeatureBag(name: "pair", table: pairs),
                ])
        }
        let cut = sorted.count * 8 / 10
        let crosses = hot(
            sorted.map { row in
                let (p, g) = (profile[userNumber[row.0]!], genres[itemNumber[row.1]!])
                return p.map { value in g.map { value + "×" + $0 } }
            }
        ).0
        func slice(_ range: Range<Int>) -> SparseRows {
            let (first, last) = (crosses.offsets[range.lowerBound], crosses.offsets[range.upperBound])
            return SparseRows(
                columnCount: crosses.columnCount,
                offsets: crosses.offsets[range.lowerBound...range.upperBound].map { $0 - first },
                columns: Array(crosses.columns[first..<last]), values: Array(crosses.values[first..<last]))
        }
        return (examples(sorted[..<cut], slice(0..<cut)), examples(sorted[cut...], slice(cut..<sorted.count)))
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: movieLens.path), "needs ../shared/data/ml-100k"))
    func knownQuality() throws {
        let (train, test) = try Self.load()
        let global = Coordinate(name: "global", bags: ["learner", "course", "pair"], l2: 10)
        let learner = Coordinate(name: "per-learner", by: "learner", bags: ["course"], l2: 10)
        let course = Coordinate(name: "per-course", by: "course", bags: ["learner"], l2: 10)
        let workers = Workers(count: 2)
        func quality(_ coordinates: [Coordinate]) throws -> ((auc: Double?, logLoss: Double), FitTrace) {
            let (model, trace) = try CoordinateDescent().fit(train, coordinates, workers: workers)
            let z = model.margins(of: test, workers: workers)
            let labels = test.labels.map { $0 == 1 }
            return (
                (ResponseMetrics.auc(scores: z, labels: labels), ResponseMetrics.logLoss(logits: z, labels: labels)),
                trace
            )
        }
        // the features of the reference are described, not listed, so the third digit may differ
        let alone = try quality([global]).0
        let learners = try quality([global, learner]).0
        let courses = try quality([global, course]).0
        let (both, trace) = try quality([global, learner, course])
        print(
            "MovieLens 100K AUC: global \(alone.auc!) + learner \(learners.auc!) + course \(courses.auc!) both \(both.auc!)"
        )
        print(
            "log loss \(both.logLoss), F \(trace.passes), certified \(trace.gap!), estimated \(trace.estimatedGap!), \(trace.jointSteps) steps"
        )
        #expect(abs(alone.auc! - 0.624) < 0.006)
        #expect(abs(learners.auc! - 0.631) < 0.006)
        #expect(abs(courses.auc! - 0.689) < 0.006)
        #expect(abs(both.auc! - 0.701) < 0.006)
        #expect(abs(both.logLoss - 0.623) < 0.005)
        #expect(abs(trace.passes.last! - 42_759) < 0.01 * 42_759)
        #expect(trace.gap! <= 1e-6 * trace.passes.last!)
    }
}
