// Proves that no parser traps, hangs or grows on any input: what the fuzzers (`make fuzz`) found, kept in Tests/FuzzCorpus by
// target, and some thousand mutations of valid documents. A parser may refuse; `FuzzTarget.run` traps on anything else.

import Foundation
import FuzzTargets
import Logs
import Shards
import StageKit
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

@Suite(.serialized) struct FuzzTests {
    /// `Tests/FuzzCorpus/<target>-<what>`
    @Test func whatWasFoundBefore() throws {
        let names = try FileSystem.list(root + "/Tests/FuzzCorpus").filter { !$0.hasPrefix(".") }
        #expect(names.count >= 5)
        for name in names {
            let target = try #require(FuzzTarget(rawValue: String(name.prefix { $0 != "-" })), "\(name)")
            target.run(try FileSystem.read(root + "/Tests/FuzzCorpus/" + name))
        }
    }

    @Test(arguments: FuzzTarget.allCases) func mutations(target: FuzzTarget) throws {
        let seeds = try target.seeds(root: root)
        var random = SplitMix(state: 11)
        for _ in 0..<(target == .csv ? 1500 : 3000) {
            var bytes = seeds[random.below(seeds.count)]
            for _ in 0...random.below(4) { Self.mutate(&bytes, &random) }
            target.run(bytes)
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix) {
        let hostile = [
            "9223372036854775807", "-9223372036854775808", "1e308", "NaN", "null", "\u{0}", "\"", "[[[[", "{", "*a",
            "&a ",
            "\n", ",", "'", "\\", "0000-00-00", "24:60:61", "+99:99", "\u{feff}", "999999999999999",
        ]
        let at = random.below(bytes.count + 1)
        switch random.below(6) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.below(8))
        case 1: bytes.insert(contentsOf: Array(hostile[random.below(hostile.count)].utf8), at: at)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(8)))
        case 3: bytes.insert(contentsOf: bytes[..<min(bytes.count, random.below(64))], at: at)
        case 4 where at < bytes.count: bytes[at] = UInt8(random.below(256))
        default: bytes.removeLast(min(bytes.count, random.below(9)))
        }
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(max(bound, 1)))
    }
}
