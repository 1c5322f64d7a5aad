// Proves that no damage to a shard, a manifest or a slice passes: every bit flipped, every length cut, bytes changed at
// random. Expected values: the undamaged file. With a manifest every damage must be refused, with a message that begins
// with the file's name; without one it must be refused or leave the content as it was (docs/decisions/0003).
//
// `make torture` runs it on the shards of a run: TORTURE_RUN is its folder, TORTURE_COUNTS the file that gets
// "fault<TAB>tried<TAB>survived" lines, TORTURE_RANDOM the number of random damages to a large shard.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct DamageTests {
    struct Sample {
        let name: String
        let bytes: [UInt8]
        let entry: Manifest.File
    }

    struct Tally {
        var tried = 0
        var survived = 0
        /// Refused nowhere, but only because the content is the same: bits of deflate that mean nothing.
        var harmless = 0
        var silent: [String] = []

        mutating func add(_ what: String, _ held: Bool) {
            tried += 1
            survived += held ? 1 : 0
            if !held && silent.count < 10 { silent.append(what) }
        }

        /// A damaged file, with and without its manifest.
        mutating func add(_ what: @autoclosure () -> String, _ damaged: [UInt8], of sample: Sample) {
            let refused = Self.refuses(sample.name) {
                _ = try StageInput.checked(damaged, sample.entry, path: sample.name, stage: "demo")
            }
            var alone = false
            do {
                let shard = try Shard(gzipped: damaged, name: sample.name)
                alone = shard.digest == sample.entry.sha256
                harmless += alone ? 1 : 0
            } catch { alone = true }
            tried += 1
            survived += refused && alone ? 1 : 0
            if !(refused && alone) && silent.count < 10 { silent.append("\(sample.name): \(what())") }
        }

        static func refuses(_ name: String, _ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch let error as LecternError {
                return error.code == .badData && error.message.hasPrefix(name + ": ")
            } catch {
                return false
            }
        }
    }

    @Test func everyBitOfAShard() throws {
        var tally = Tally()
        for sample in try small() { flipEveryBit(of: sample, &tally) }
        try report("every bit of a shard of each kind", tally)
    }

    @Test func everyTruncation() throws {
        var tally = Tally()
        for sample in try small() {
            for length in 0..<sample.bytes.count {
                tally.add("cut to \(length)", Array(sample.bytes[..<length]), of: sample)
            }
            tally.add("a byte more", sample.bytes + [0], of: sample)
            tally.add("twice", sample.bytes + sample.bytes, of: sample)
        }
        try report("every length of a shard of each kind", tally)
    }

    @Test func randomDamageToALargeShard() throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["TORTURE_RANDOM"].flatMap(Int.init) ?? 200
        guard let sample = try samples().max(by: { $0.bytes.count < $1.bytes.count }) else { return }
        var random = Random(state: 7)
        var tally = Tally()
        for number in 0..<count {
            var damaged = sample.bytes
            let at = random.below(damaged.count)
            switch number % 4 {
            case 0: damaged[at] ^= 1 << UInt8(random.below(8))
            case 1: damaged[at] = damaged[at] &+ UInt8(1 + random.below(255))
            case 2:
                let length = min(damaged.count - at, 1 + random.below(4096))
                damaged.replaceSubrange(at..<at + length, with: repeatElement(0, count: length))
            default: damaged.swapAt(at, random.below(damaged.count))
            }
            if damaged != sample.bytes { tally.add("seed 7, damage \(number)", damaged, of: sample) }
        }
        try report("random damage to a shard of \(sample.bytes.count >> 10) KiB", tally)
    }

    @Test func everyBitOfAManifestAndOfASlice() throws {
        var tally = Tally()
        for (name, bytes) in try checkedFiles() {
            func refused(_ damaged: [UInt8]) -> Bool {
                if SelfCheck.holds(damaged) { return false }
                return !name.hasSuffix(Manifest.fileName)
                    || Tally.refuses(name) { _ = try Manifest(damaged, path: name) }
            }
            #expect(SelfCheck.holds(bytes), "\(name)")
            for bit in 0..<bytes.count * 8 {
                var damaged = bytes
                damaged[bit / 8] ^= 1 << UInt8(bit % 8)
                tally.add("\(name): bit \(bit)", refused(damaged))
            }
            for length in 0..<bytes.count { tally.add("\(name): cut to \(length)", refused(Array(bytes[..<length]))) }
        }
        try report("every bit and every length of manifests and slices", tally)
    }

    /// A shard that declares a gigabyte, one whose header does, and one that inflates to far more than it says: refused
    /// before the memory is taken.
    @Test func bombs() throws {
        let rows = 1 << 27
        let header = Array(
            #"{"__metadata__":{"kind":"x","rows":"\#(rows)"},"a":{"dtype":"I64","shape":[\#(rows)],"data_offsets":[0,\#(rows * 8)]}}"#
                .utf8)
        let padded = header + [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: padded.count >> (8 * $0)) }
        let large = length + padded
        let giant = [UInt8](repeating: 0xff, count: 7) + [0x7f] + padded
        let small = try Self.made()[0].bytes
        let before = Self.resident()
        for (name, bytes) in [
            ("declared", Gzip.compress(large)), ("header", Gzip.compress(giant)),
            ("zeros", Gzip.compress([UInt8](repeating: 0, count: 1 << 26))), ("behind", small + small),
        ] {
            #expect(Tally.refuses(name) { _ = try Shard(gzipped: bytes, name: name) }, "\(name)")
        }
        #expect(Self.resident() - before < 200 << 20)
    }

    // MARK: What is damaged

    private func flipEveryBit(of sample: Sample, _ tally: inout Tally) {
        for bit in 0..<sample.bytes.count * 8 {
            var damaged = sample.bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            tally.add("bit \(bit)", damaged, of: sample)
        }
    }

    /// The smallest shard of each kind.
    private func small() throws -> [Sample] {
        var kinds: [String: Sample] = [:]
        for sample in try samples() where sample.bytes.count <= 4096 {
            let kind = try Shard(gzipped: sample.bytes, name: sample.name).kind
            if kinds[kind].map({ $0.bytes.count > sample.bytes.count }) ?? true { kinds[kind] = sample }
        }
        return kinds.sorted { $0.key < $1.key }.map(\.value)
    }

    private var run: String? { ProcessInfo.processInfo.environment["TORTURE_RUN"] }

    private func samples() throws -> [Sample] {
        guard let run else { return try Self.made() }
        return try FileSystem.list(run).flatMap { stage -> [Sample] in
            guard let (manifest, _) = try? Manifest.read(stageFolder: "\(run)/\(stage)") else { return [] }
            return try manifest.outputs.sorted { $0.key < $1.key }.filter { $0.key.hasSuffix(ShardName.suffix) }
                .map {
                    Sample(
                        name: "\(run)/\(stage)/\($0.key)", bytes: try FileSystem.read("\(run)/\(stage)/\($0.key)"),
                        entry: $0.value)
                }
        }
    }

    private func checkedFiles() throws -> [(String, [UInt8])] {
        guard let run else {
            let manifest = Manifest(stage: "demo", release: "1", config: "c", asOf: 2, newestEvent: 1)
            return [
                (Manifest.fileName, manifest.encoded()),
                ("slice.json", SelfCheck.sealed(Array("{\"a.b\" : 1}\n".utf8))),
            ]
        }
        let manifests = try FileSystem.list(run).map { "\(run)/\($0)/\(Manifest.fileName)" }.filter(FileSystem.exists)
        let slices = try FileSystem.list(run + "/config").filter { $0.hasSuffix(".json") }.map { "\(run)/config/\($0)" }
        return try (manifests + slices).map { ($0, try FileSystem.read($0)) }
    }

    /// Shards with columns of every type, of lists, of strings and with a matrix; and one of 200 KiB.
    private static func made() throws -> [Sample] {
        var every = ShardBuilder(kind: "every", rows: 3)
        every.metadata["lectern.version"] = "1"
        every.add("a", [Int64.min, 0, 5])
        every.add("b", [1.5, -0.0, Double.infinity])
        every.add("c", [UInt32(7), 8, 9])
        every.add("d", [true, false, true])
        every.add("e", Ragged(["learner", "", "é"]))
        every.addMatrix("f", rows: 2, columns: 3, [1, 2, 3, 4, 5, 6])
        var empty = ShardBuilder(kind: "empty", rows: 0)
        empty.add("a", [UInt16]())
        var large = ShardBuilder(kind: "large", rows: 40_000)
        var random = Random(state: 1)
        large.add("a", (0..<40_000).map { _ in UInt32(random.below(1 << 20)) })
        return [every, empty, large].map { builder in
            let raw = builder.encoded()
            let packed = Gzip.compress(raw)
            return Sample(
                name: builder.kind, bytes: packed,
                entry: Manifest.File(
                    rows: builder.rows, bytes: packed.count, sha256: Digest.sha256(raw), crc32: Gzip.checksum(packed)))
        }
    }

    private static func resident() -> Int {
        let fields = (try? FileSystem.read("/proc/self/statm")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return (fields.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }

    private func report(_ fault: String, _ tally: Tally) throws {
        #expect(tally.tried > 50, "\(fault): \(tally.tried) tried")
        #expect(
            tally.silent.isEmpty, "\(fault): \(tally.tried - tally.survived) of \(tally.tried) passed: \(tally.silent)")
        guard let path = ProcessInfo.processInfo.environment["TORTURE_COUNTS"] else { return }
        let known = (try? FileSystem.read(path)) ?? []
        let line = "\(fault)\t\(tally.tried)\t\(tally.survived)\t\(tally.harmless)\n"
        try FileSystem.write(known + Array(line.utf8), to: path)
    }
}

/// SplitMix64.
private struct Random {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
