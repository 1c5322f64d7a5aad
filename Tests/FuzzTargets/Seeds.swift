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
        case .csv: return [Array("\u{0}a,b\n1,\"2,\"\"x\"\r\n\n3,4".utf8), Array("\u{1}a\tb\n1\t2\n".utf8)]
        case .dataset:
            return try FileSystem.list(root + "/data").map { try FileSystem.read("\(root)/data/\($0)/dataset.yaml") }
        case .pipeline: return [try FileSystem.read(root + "/pipeline.yaml")]
        case .assignment:
            return ["ncf.epochs=20", "export.require={language: [en, de]}", "run.as_of=2024-01-01 10:00:00"].map {
                Array($0.utf8)
            }
        case .time:
            return ["2024-03-01T09:30:00.25+01:00", "1998-03-27 22:07:03", "891036423.5", "28d"].map { Array($0.utf8) }
        case .list: return ["['a', \"b's\"]", "a|b|c", "[]"].map { Array($0.utf8) }
        }
    }

    private static func demo() -> [UInt8] {
        var shard = ShardBuilder(kind: "demo", rows: 2)
        shard.add("id", Ragged(["a", "bc"]))
        shard.add("time", [Int64(1), 2])
        shard.add("flag", [true, false])
        shard.addMatrix("m", rows: 2, columns: 2, [1, 2, 3, 4])
        return shard.encoded()
    }
}
