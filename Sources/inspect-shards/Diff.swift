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
            + "folders and runs: files that only one has, then each shard that differs.")

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
        return lines
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
        let (x, y) = (try numbers(name, a), try numbers(name, b))
        var (count, first, largest) = (0, -1, 0.0)
        for i in x.indices where !(x[i] == y[i] || (x[i].isNaN && y[i].isNaN)) {
            if count == 0 { first = i }
            count += 1
            largest = max(largest, abs(x[i] - y[i]))
        }
        if count == 0 { return nil }
        return "column \(name): \(count) of \(x.count) values differ, first at \(first) (\(x[first]) | \(y[first])), "
            + "by up to \(largest)"
    }

    private func numbers(_ name: String, _ shard: Shard) throws -> [Double] {
        if shard[name]!.shape.count == 2 {
            return shard[name]!.type == .f32 ? try shard.matrix(name).values.map(Double.init) : []
        }
        switch try Table.values(name, of: shard) {
        case .integers(let values): return values.map(Double.init)
        case .floats(let values): return values.map(Double.init)
        case .doubles(let values): return values
        case .booleans(let values): return values.map { $0 ? 1 : 0 }
        }
    }
}
