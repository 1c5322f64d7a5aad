import Shards
import StageKit

extension FuzzTarget {
    /// Valid documents to start from.
    /// - Parameter root: the repository.
    package func seeds(root: String) throws -> [[UInt8]] {
        switch self {
        case .shard: return [Gzip.compress(Self.demo()), Gzip.compress(Self.demo(), stored: true)]
        case .header: return [Self.demo()] + CheckpointExample.shared.files.map(\.bytes)
        case .manifest:
            let manifest = Manifest(stage: "a", release: "1", config: "c", asOf: 2, newestEvent: 1)
            return [manifest.encoded(), Array(manifest.encoded().dropFirst(80))]
        case .slice:
            return StageName.allCases.enumerated().map { number, stage in
                [UInt8(number)] + Value.map(Configuration().slice(stage).values).jsonBytes()
            }
        case .checkpoint:
            return CheckpointExample.shared.files.enumerated().map { number, file in [UInt8(number)] + file.bytes }
        case .csv:
            return [
                "\u{0}a,b\n1,\"2,\"\"x\"\r\n\n3,4", "\u{1}a\tb\n1\t2\n", "\u{18}a,,b\n1,,2\n", "\u{60}1,2,,3\n4\n",
            ].map { Array($0.utf8) }
        case .dataset:
            return try FileSystem.list(root + "/data").flatMap { try Self.sections("\(root)/data/\($0)/dataset.yaml") }
        case .pipeline: return try Self.sections(root + "/pipeline.yaml")
        case .assignment:
            return ["ncf.epochs=20", "export.require={language: [en, de]}", "run.as_of=2024-01-01 10:00:00"].map {
                Array($0.utf8)
            }
        case .time:
            return ["2024-03-01T09:30:00.25+01:00", "1998-03-27 22:07:03", "891036423.5", "28d"].map { Array($0.utf8) }
        case .list: return ["['a', \"b's\"]", "a|b|c", "[]"].map { Array($0.utf8) }
        }
    }

    /// The keys of the first level one by one, without comments: a short input is tried many times as often as a long one.
    private static func sections(_ path: String) throws -> [[UInt8]] {
        let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n")
        var sections: [String] = []
        for line in lines.map({ $0.replacing(/(^| +)# .*/, with: "") }) where !line.isEmpty {
            if line.first == " " && !sections.isEmpty {
                sections[sections.count - 1] += "\n" + line
            } else {
                sections.append(String(line))
            }
        }
        return sections.map { Array($0.utf8) }
    }

    private static func demo() -> [UInt8] {
        var shard = ShardBuilder(kind: "demo", rows: 2)
        shard.add("id", Ragged(["a", "bc"]))
        shard.add("time", [Int64(1), 2])
        shard.add("flag", [true, false])
        shard.add("list", Ragged(offsets: [0, 0, 1], values: [Float(1)]))
        shard.addMatrix("m", rows: 2, columns: 2, [1, 2, 3, 4])
        return shard.encoded()
    }
}
