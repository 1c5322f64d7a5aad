import Foundation
import GLMix
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

/// Trains on shards that somebody else wrote (docs/examples-shards.md); the model goes to `glmix/model/`.
func trainOnExamples(_ folder: String, _ settings: GLMixSettings, _ stage: StageRun) throws {
    let input = try stage.step("read examples") { try ExamplesFolder(folder, stage.workers) }
    stage.manifest.asOf = input.asOf
    stage.manifest.newestEvent = input.newestEvent
    stage.manifest.inputs["examples"] = input.digest
    stage.count("examples read", input.examples.count)
    let coordinates = settings.coordinates ?? input.automatic(l2: settings.l2)
    for coordinate in coordinates {
        stage.say("\(coordinate.name): by \(coordinate.by ?? "none"), features \(coordinate.bags), l2 \(coordinate.l2)")
    }
    let (model, trace) = try train(input.examples, coordinates, settings, label: "model", stage)
    let margins = model.margins(of: input.examples, workers: stage.workers)
    let (auc, logLoss) = (input.examples.auc(margins), input.examples.logLoss(margins))
    stage.say("on the training rows: AUC \(auc.map(number) ?? "undefined"), log loss \(number(logLoss))")
    stage.manifest.facts["training: AUC"] = auc.map { .number($0) }
    stage.manifest.facts["training: log loss"] = .number(logLoss)
    try write(model, trace, input, stage)
}

private func write(_ model: GLMixModel, _ trace: FitTrace, _ input: ExamplesFolder, _ stage: StageRun) throws {
    func file(_ name: String) -> String { "model/\(name)\(ShardName.suffix)" }
    let names = model.coordinates.map { $0.bags.flatMap { input.featureNames($0) } + ["(intercept)"] }
    for (k, coordinate) in model.coordinates.enumerated() {
        let coefficients = model.coefficients[k]
        try stage.write(GLMixShards.encode(featureNames: names[k]), as: file("features-\(coordinate.name)"))
        try stage.write(
            GLMixShards.encode(
                coefficients, variances: model.variances.isEmpty ? nil : model.variances[k],
                entities: input.entityNames(coordinate.by, coefficients.entityCount)),
            as: file("coefficients-\(coordinate.name)"))
    }
    try stage.write(
        GLMixShards.encode(strongest: strongest(model, names) { input.entityNames($0, $1) }), as: file("strongest"))
    try stage.write(GLMixShards.encode(trace: trace.steps(model.coordinates)), as: file("trace"))
}

/// All shards of kind `examples` in a folder, in the order of their names, as one data set.
struct ExamplesFolder {
    private(set) var examples = Examples(labels: [], weights: [], offsets: [], groupings: [], bags: [])
    private(set) var asOf: Int64 = 0
    private(set) var newestEvent: Int64 = 0
    /// Of all shards' digests.
    private(set) var digest = ""
    private var names: [String: [String]] = [:]

    init(_ folder: String, _ workers: Workers) throws {
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        let chosen = files.filter { $0.hasPrefix("examples") && $0.hasSuffix(ShardName.suffix) }
        guard !chosen.isEmpty else {
            throw LecternError.missing(
                "\(folder): no file examples*\(ShardName.suffix): expected shards of kind examples")
        }
        for file in files where file.hasSuffix(ShardName.suffix) {
            if file.hasPrefix("features-of-") || file.hasPrefix("entities-of-") {
                let shard = try Shard(contentsOf: folder + "/" + file)
                names[String(file.dropLast(ShardName.suffix.count))] = try shard.strings("name").strings
            }
        }
        let shards = try workers.map(chosen.count) { try Shard(contentsOf: folder + "/" + chosen[$0]) }
        digest = Digest.sha256(Array(shards.map(\.digest).joined().utf8))
        asOf = shards.compactMap { $0.integer("as_of") }.max() ?? 0
        newestEvent = shards.compactMap { $0.integer("newest_event") }.max() ?? 0
        let parts = try workers.map(shards.count) { try ExampleColumns(shards[$0]) }
        for (part, file) in zip(parts, chosen) { try check(part, parts[0], folder + "/" + file, first: chosen[0]) }
        examples = try joined(parts)
        for (part, file) in zip(parts, chosen) { try validate(part, folder + "/" + file) }
    }

    /// All shards must have the same groupings and bags.
    private func check(_ part: ExampleColumns, _ reference: ExampleColumns, _ path: String, first: String) throws {
        let (own, other) = (
            part.entities.keys.sorted() + part.bags.keys.sorted(),
            reference.entities.keys.sorted() + reference.bags.keys.sorted()
        )
        if own != other { throw LecternError.data("\(path): groupings and bags \(own), but \(first) has \(other)") }
    }

    /// Features in 0..<the bag's names (or the largest number seen); the row that breaks a rule is named in its file.
    private func validate(_ part: ExampleColumns, _ path: String) throws {
        var own = examples
        (own.labels, own.weights, own.offsets) = (part.labels, part.weights, part.offsets)
        own.groupings = examples.groupings.map {
            Grouping(name: $0.name, entityCount: $0.entityCount, entities: part.entities[$0.name]!)
        }
        own.bags = examples.bags.map { bag in
            var rows = part.bags[bag.name]!
            rows.columnCount = bag.featureCount
            return FeatureBag(name: bag.name, table: rows)
        }
        do { try own.validate() } catch let error as GLMixError { throw LecternError.data("\(path): \(error)") }
    }

    /// Every feature number up to the largest is planned for. Numbers that are mostly gaps (hashes, ids) are refused before
    /// memory is taken for them.
    private func checkSize(_ bag: String, _ count: Int, nonzeros: Int) throws {
        if names["features-of-\(bag)"] == nil, count > 1 << 20, count > 16 * nonzeros {
            throw LecternError.data(
                "feature.\(bag): the largest feature number is \(count - 1), but there are only \(nonzeros) values: number "
                    + "the features from 0 without gaps, or name them in features-of-\(bag)\(ShardName.suffix)")
        }
    }

    private func joined(_ parts: [ExampleColumns]) throws -> Examples {
        let groupings = parts[0].entities.keys.sorted().map { name in
            let entities = parts.flatMap { $0.entities[name]! }
            return Grouping(
                name: name, entityCount: names["entities-of-\(name)"]?.count ?? 1 + Int(entities.max() ?? -1),
                entities: entities)
        }
        let bags = try parts[0].bags.keys.sorted().map { name in
            let count = names["features-of-\(name)"]?.count ?? parts.map { $0.bags[name]!.columnCount }.max()!
            try checkSize(name, count, nonzeros: parts.reduce(0) { $0 + $1.bags[name]!.columns.count })
            var all = SparseRows(columnCount: count, offsets: [0], columns: [], values: [])
            for part in parts {
                let rows = part.bags[name]!
                let base = all.columns.count
                all.columns += rows.columns
                all.values += rows.values
                all.offsets += rows.offsets.dropFirst().map { $0 + base }
            }
            return FeatureBag(name: name, table: all)
        }
        return Examples(
            labels: parts.flatMap(\.labels), weights: parts.flatMap(\.weights), offsets: parts.flatMap(\.offsets),
            groupings: groupings, bags: bags)
    }

    /// A fixed effect on all bags, and one effect by each grouping on all bags but the one of its own name.
    func automatic(l2: Double) -> [Coordinate] {
        let bags = examples.bags.map(\.name)
        return [Coordinate(name: "global", bags: bags, l2: l2)]
            + examples.groupings.map { grouping in
                Coordinate(
                    name: "per-\(grouping.name)", by: grouping.name, bags: bags.filter { $0 != grouping.name }, l2: l2)
            }
    }

    func featureNames(_ bag: String) -> [String] {
        names["features-of-\(bag)"] ?? (0..<(examples.bag(bag)?.featureCount ?? 0)).map { "\(bag)#\($0)" }
    }

    func entityNames(_ grouping: String?, _ count: Int) -> [String] {
        guard let grouping else { return [""] }
        return names["entities-of-\(grouping)"] ?? (0..<count).map(String.init)
    }
}
