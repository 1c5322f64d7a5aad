import ArgumentParser
import CommandKit
import Foundation
import Shards
import StageKit

/// `diff`: where two shards, stage folders or runs differ.
struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares two shards, stage folders or runs; exit code 1 if they differ.",
        discussion: "Of shards: header, columns, number of differing rows, the first one, the largest difference. Of "
            + "folders and runs: files that only one has, then each shard that differs, then the other files that the "
            + "manifests list (compared by their digests there).")

    @Argument(help: "One.")
    var one: String
    @Argument(help: "The other.")
    var other: String
    @OptionGroup var talk: TalkOptions

    func run() throws {
        var differs = false
        try reportingErrors("inspect-shards", talk) { _ in
            let (a, b) = (ShardGroup.trimmed(one), ShardGroup.trimmed(other))
            let lines =
                FileSystem.isFolder(a) && FileSystem.isFolder(b)
                ? try compareFolders(a, b) : try ShardComparison(Shard(contentsOf: a), Shard(contentsOf: b)).lines
            differs = !lines.isEmpty
            try Terminal.write(lines.map { $0 + "\n" }.joined())
        }
        if differs { throw ArgumentParser.ExitCode(1) }
    }

    private func compareFolders(_ a: String, _ b: String) throws -> [String] {
        func files(_ folder: String) throws -> Set<String> {
            Set(try ShardGroup.find(folder).flatMap(\.files).map { String($0.dropFirst(folder.count + 1)) })
        }
        let (ofA, ofB) = (try files(a), try files(b))
        var lines = ofA.subtracting(ofB).sorted().map { "\($0): only in \(a)" }
        lines += ofB.subtracting(ofA).sorted().map { "\($0): only in \(b)" }
        for name in ofA.intersection(ofB).sorted() {
            let (left, right) = (try Shard(contentsOf: "\(a)/\(name)"), try Shard(contentsOf: "\(b)/\(name)"))
            if left.digest != right.digest { lines += ShardComparison(left, right).lines.map { "\(name): \($0)" } }
        }
        return try lines + compareOthers(a, b)
    }

    /// What manifests list and is no shard.
    private func compareOthers(_ a: String, _ b: String) throws -> [String] {
        let (ofA, ofB) = (try others(a), try others(b))
        return Set(ofA.keys).union(ofB.keys).sorted().compactMap { name in
            switch (ofA[name], ofB[name]) {
            case (nil, _): "\(name): only in \(b)"
            case (_, nil): "\(name): only in \(a)"
            case (let left, let right): left == right ? nil : "\(name): differs"
            }
        }
    }

    /// Digests by path below the folder, of a stage or of a run.
    private func others(_ folder: String) throws -> [String: String] {
        let stages = try FileSystem.list(folder).filter { FileSystem.isFolder("\(folder)/\($0)") }.map { $0 + "/" }
        var found: [String: String] = [:]
        for prefix in [""] + stages where FileSystem.exists("\(folder)/\(prefix)\(Manifest.fileName)") {
            let manifest = try Manifest.read(stageFolder: folder + "/" + prefix).manifest
            for (name, file) in manifest.outputs where !name.hasSuffix(ShardName.suffix) {
                found[prefix + name] = file.sha256
            }
        }
        return found
    }
}

/// The differences of two shards, one line each.
struct ShardComparison {
    private let a: Shard
    private let b: Shard

    init(_ a: Shard, _ b: Shard) { (self.a, self.b) = (a, b) }

    var lines: [String] {
        var lines: [String] = []
        for key in Set(a.metadata.keys).union(b.metadata.keys).sorted() where a.metadata[key] != b.metadata[key] {
            lines.append("header \(key): \(a.metadata[key] ?? "absent") | \(b.metadata[key] ?? "absent")")
        }
        for name in Set(a.columns.map(\.name)).union(b.columns.map(\.name)).sorted() {
            if let line = try? column(name) { lines.append(line) }
        }
        if lines.isEmpty && a.digest != b.digest { lines.append("same content, laid out differently") }
        return lines
    }

    private func column(_ name: String) throws -> String? {
        guard let left = a[name], let right = b[name] else {
            return "column \(name): only in the \(a[name] == nil ? "second" : "first")"
        }
        guard left.type == right.type, left.shape == right.shape else {
            return "column \(name): \(left.type.rawValue) \(left.shape) | \(right.type.rawValue) \(right.shape)"
        }
        if a.hasSameBytes(b, column: name) { return nil }
        if case (.integers(let x)?, .integers(let y)?) = (try values(name, a), try values(name, b)) {
            return difference(name, x, y, by: { Double($0) - Double($1) }) { $0 == $1 }
        }
        let (x, y) = (try numbers(name, a), try numbers(name, b))
        return difference(name, x, y, by: { $0 - $1 }) { $0 == $1 || ($0.isNaN && $1.isNaN) }
    }

    private func difference<Number>(
        _ name: String, _ x: [Number], _ y: [Number], by: (Number, Number) -> Double, same: (Number, Number) -> Bool
    ) -> String {
        var (count, first, largest) = (0, -1, 0.0)
        for i in x.indices where !same(x[i], y[i]) {
            if count == 0 { first = i }
            count += 1
            largest = max(largest, abs(by(x[i], y[i])))
        }
        if count == 0 {
            return "column \(name): the bytes differ (signs of zero, kinds of NaN, values that are no numbers)"
        }
        return "column \(name): \(count) of \(x.count) values differ, first at \(first) (\(x[first]) | \(y[first])), "
            + "by up to \(largest)"
    }

    /// nil: a matrix.
    private func values(_ name: String, _ shard: Shard) throws -> Table.Values? {
        shard[name]!.shape.count == 2 ? nil : try Table.values(name, of: shard)
    }

    private func numbers(_ name: String, _ shard: Shard) throws -> [Double] {
        switch try values(name, shard) {
        case nil: shard[name]!.type == .f32 ? try shard.matrix(name).values.map(Double.init) : []
        case .integers(let values): values.map(Double.init)
        case .floats(let values): values.map(Double.init)
        case .doubles(let values): values
        case .booleans(let values): values.map { $0 ? 1 : 0 }
        }
    }
}
