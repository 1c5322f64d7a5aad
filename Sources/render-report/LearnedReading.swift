import CourseMap
import LinearAlgebra
import Platform
import Ranking
import Reporting
import ShardKinds
import Shards
import StageKit

extension FinishedRun {
    func learned(reasons: [(name: String, entries: Int)]) throws -> Learned {
        var learned = Learned()
        let shares = try NCFShards.neighbourShares(ncf)
        learned.shares = shares.map {
            .init(column: $0.column, neighbours: $0.neighbours, chance: $0.baseRate)
        }
        learned.colourings = colourings(shares)
        learned.map = try courseMap()
        learned.neighbours = try neighbours(of: chosenCourses(learned.colourings.last))
        learned.epochs = try NCFShards.history(ncf).map { epoch in
            func quality(_ name: String) -> Double? {
                epoch.quality.flatMap { values in NCFShards.qualities.firstIndex(of: name).map { values[$0] } }
            }
            return .init(
                isRefit: epoch.fit == .refit, epoch: epoch.epoch, loss: epoch.loss, warm: quality("warm_ndcg"),
                cold: quality("cold_ndcg"))
        }
        learned.coefficients = try coefficients()
        learned.calibration = try calibration()
        (learned.weights, learned.choices) = try blendWeights()
        learned.reasons = reasons
        return learned
    }

    // MARK: Courses

    /// t-SNE of the embeddings as of T; nil where they say nothing.
    private func courseMap() throws -> CourseMapFigure? {
        let vectors = try NCFShards.model(ncf, .refit).courseVectors
        guard vectors.rows == catalogue.count, vectors.columns > 0, vectors.values.contains(where: { $0 != 0 }) else {
            return nil
        }
        var tsne = TSNE()
        tsne.perplexity = stage.slice.number("report.perplexity")
        tsne.iterations = stage.slice.integer("report.map_iterations")
        tsne.seed = UInt64(stage.slice.integer("run.seed"))
        let (x, y) = stage.step("course map") { tsne.map(vectors, workers: stage.workers) }
        return CourseMapFigure(x: x, y: y, titles: (0..<catalogue.count).map(title))
    }

    /// By language and by category; where the catalogue has no such column, by those that embeddings tell best.
    private func colourings(_ shares: [NCFShards.NeighbourShare]) -> [CourseMapFigure.Colouring] {
        let telling = shares.sorted { $0.neighbours / max($0.baseRate, 0.01) > $1.neighbours / max($1.baseRate, 0.01) }
        let order = ["language", "category"] + telling.map(\.column)
        var chosen: [CourseMapFigure.Colouring] = []
        for column in order where chosen.count < 2 && !chosen.contains(where: { $0.name == column }) {
            guard let values = values(column), Set(values.compactMap { $0 }).count > 1 else { continue }
            chosen.append(.init(column, values: values))
        }
        return chosen.isEmpty ? [.init("course", values: catalogue.ids.map { _ in nil })] : chosen
    }

    /// Each course's value of a column, the first of a list.
    private func values(_ column: String) -> [String?]? {
        let names = catalogue.dictionaries[column]?.values ?? []
        switch catalogue.attributes.columns[column] {
        case .categorical(let codes, let valid)?:
            return zip(codes, valid).map { $1 ? names[Int($0)] : nil }
        case .list(let offsets, let values)?:
            return (0..<catalogue.count).map { course in
                offsets[course] < offsets[course + 1] ? names[Int(values[offsets[course]])] : nil
            }
        default: return nil
        }
    }

    /// The most watched course of each of the largest groups, then the next ones of the largest.
    private func chosenCourses(_ colouring: CourseMapFigure.Colouring?) throws -> [Int] {
        var watches = [Int](repeating: 0, count: catalogue.count)
        for moments in try WatchedShards.allMoments(watched) {
            for course in moments.courses { watches[Int(course)] += 1 }
        }
        let order = watches.indices.sorted { (watches[$1], $0) < (watches[$0], $1) }
        let limit = stage.slice.integer("report.chosen_courses")
        var (chosen, seen) = ([Int](), Set<Int>())
        if let colouring {
            for course in order where chosen.count < limit {
                if let group = colouring.groupOf[course], seen.insert(group).inserted { chosen.append(course) }
            }
        }
        for course in order where chosen.count < limit && !chosen.contains(course) { chosen.append(course) }
        return chosen
    }

    private func neighbours(of courses: [Int]) throws -> [Learned.Neighbours] {
        let related = try NCFShards.related(ncf)
        return courses.map { course in
            let closest = related.range(course).prefix(5).map {
                (title: Format.short(title(Int(related.columns[$0])), 60), cosine: Double(related.values[$0]))
            }
            return .init(course: Format.short(title(course), 60), closest: closest)
        }
    }

    // MARK: Responses and blend

    /// The fixed effect's strongest, the intercept (the last feature) left out.
    private func coefficients() throws -> [Learned.Coefficient] {
        let (features, values) = (GLMixShards.features(.refit, "global"), GLMixShards.coefficients(.refit, "global"))
        guard glmix.has(features), glmix.has(values) else { return [] }
        let names = try glmix.shard(features).strings("name").strings
        let shard = try glmix.shard(values)
        let numbers = try shard.ragged("feature", as: UInt32.self).values
        let found = try shard.ragged("value", as: Double.self).values
        let variances = shard.has("variance") ? try shard.ragged("variance", as: Double.self).values : nil
        guard numbers.count == found.count, variances.map({ $0.count == found.count }) ?? true,
            numbers.allSatisfy({ Int($0) < names.count })
        else { throw LecternError.data("\(shard.name): features, values and names do not match; run make train-glmix") }
        let all = numbers.indices.filter { Int(numbers[$0]) < names.count - 1 }.map { at in
            Learned.Coefficient(
                name: names[Int(numbers[at])], value: found[at], deviation: variances.map { $0[at].squareRoot() })
        }
        return Array(all.sorted { (abs($1.value), $0.name) < (abs($0.value), $1.name) }.prefix(16))
    }

    private func calibration() throws -> [Learned.CalibrationBucket] {
        guard glmix.has(GLMixShards.calibration(.fit)) else { return [] }
        let shard = try glmix.shard(GLMixShards.calibration(.fit))
        let predicted: [Double] = try shard.values("predicted")
        let observed: [Double] = try shard.values("observed")
        let rows: [Int64] = try shard.values("examples")
        return predicted.indices.map { .init(predicted: predicted[$0], observed: observed[$0], rows: Int(rows[$0])) }
    }

    /// Weights by history length for a learner without segment whose last watch lies as far back as usual.
    private func blendWeights() throws -> ([Learned.BlendWeight], choices: [String]) {
        let model = try BlendedShards.definition(blended, as: StoredBlend.self).model
        let days = Scalar.exp(model.traitScale.idleMean) - 1
        let longest = Scalar.exp(model.traitScale.lengthMean + 2.5 * model.traitScale.lengthDeviation)
        let lengths = [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300].filter {
            $0 < 2 || Double($0) <= longest
        }
        let weights = lengths.map { length in
            let traits = LearnerTraits(
                contextLength: length, idle: length == 0 ? 0 : Int64(days * 86_400), segment: -1)
            let found = model.weights(traits)
            return Learned.BlendWeight(
                length: length, ncf: Double(found.ncf), glmix: Double(found.glmix), recent: Double(found.recent))
        }
        let choices = [("with", model.warm.choice), ("without", model.cold.choice)].compactMap { group, choice in
            choice == .blend
                ? nil
                : "For learners \(group) history the blend was worse than \(choice.rawValue) alone, which is used."
        }
        return (weights, choices)
    }
}
