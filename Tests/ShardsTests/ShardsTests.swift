// Proves that a shard comes back as it was written, that a file from Python's safetensors package is read, and that no
// flipped bit and no cut passes. The foreign file was written by safetensors 0.6 under Python 3.11 (base64 below).

import Foundation
import Shards
import Testing

private let foreign =
    "H4sIAAAAAAACA1NgZACDaqX4+NzUksSUxJLE+Hglq2qlovzyYiUrJWMlHaXszLwUIDMlNTdfqVZHqSQxXS8/La04taQYpDClpLIgFSjtaWYCVFuckQjiRZvE6iiB"
    + "DYOrjDbQMTaKBenPzE3FrdEYU6OxkY6pGUhneWpmekYJsl43YyP8ek3NdMwsYiGuRtYYiqIRi2vNLHQsTGJraxXAgAEKmNBoFigNDUaGf/8hgCHuwiaIyAF7EMHA"
    + "0GDHDmRwADEnEHMBMQDeX8oyfAEAAA=="

private func sample() -> ShardBuilder {
    var shard = ShardBuilder(kind: "demo", rows: 3)
    shard.metadata["note"] = "quote \" backslash \\ tab \t"
    shard.metadata["lectern.version"] = "test"
    shard.add("time", [Int64.min, 0, 5])
    shard.add("weight", [Float(1.5), -2, .infinity])
    shard.add("flag", [true, false, true])
    shard.add("id", Ragged(["é", "", "z,\"y\""]))
    shard.addMatrix("table", rows: 2, columns: 2, [1, 2, 3, 4])
    return shard
}

private func packed(_ shard: ShardBuilder) -> [UInt8] { Gzip.compress(shard.encoded()) }

@Suite struct ShardsTests {
    /// By hand, as dirname(1) has them; nothing where it says ".".
    @Test func foldersOfPaths() {
        let parents = ["a/b/c": "a/b", "a/b/": "a", "/a": "/", "/a/b": "/a", "a": "", "": "", "/": "/", "a//b": "a"]
        for (path, parent) in parents { #expect(FileSystem.parent(of: path) == parent, "\(path)") }
    }

    @Test func roundTrip() throws {
        let shard = try Shard(gzipped: packed(sample()), name: "demo")
        #expect(shard.kind == "demo" && shard.rows == 3)
        #expect(shard.metadata["note"] == "quote \" backslash \\ tab \t")
        #expect(try shard.values("time", as: Int64.self) == [Int64.min, 0, 5])
        #expect(try shard.values("weight", as: Float.self) == [1.5, -2, .infinity])
        #expect(try shard.values("flag", as: Bool.self) == [true, false, true])
        #expect(try shard.strings("id").strings == ["é", "", "z,\"y\""])
        #expect(try shard.matrix("table").values == [1, 2, 3, 4])
    }

    /// What is read as one value a row has one value a row.
    @Test func listsAreNoPlainColumn() throws {
        var lists = ShardBuilder(kind: "demo", rows: 3)
        lists.add("weight", Ragged(offsets: [0, 1, 1, 2], values: [Float(1), 2]))
        let shard = try Shard(gzipped: packed(lists), name: "demo")
        #expect(try shard.flat("weight", as: Float.self) == [1, 2])
        let refused = #expect(throws: LecternError.self) { try shard.values("weight", as: Float.self) }
        #expect(refused?.code == .badData && "\(refused!)".contains("demo: column \"weight\": lists"))
    }

    @Test func canonicalLayout() {
        let bytes = sample().encoded()
        let length = Int(bytes[0]) + Int(bytes[1]) << 8
        let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
        #expect(length % 8 == 0)
        #expect(header.hasPrefix("{\"__metadata__\":{\"kind\":\"demo\",\"lectern.version\":\"test\",\"note\":"))
        let order = ["\"id.offsets\"", "\"time\"", "\"table\"", "\"weight\"", "\"flag\"", "\"id\":"]
        let places = order.map { header.range(of: $0)!.lowerBound }
        #expect(places == places.sorted())
    }

    @Test func readsPythonsFile() throws {
        let shard = try Shard(gzipped: [UInt8](Data(base64Encoded: foreign)!), name: "foreign")
        #expect(try shard.values("weight", as: Float.self) == [1.5, -2, 0.25])
        #expect(try shard.values("time", as: Int64.self) == [1, -2, 3_000_000_000])
        let tag = try shard.ragged("tag", as: UInt32.self)
        #expect((0..<3).map { Array(tag[$0]) } == [[7, 8], [], [9, 10]])
    }

    /// Refused, or one of deflate's few spare bits, which change nothing once inflated (those the manifest's CRC-32
    /// finds: `everyFlippedBitOnDiskIsFound`).
    @Test func everyFlippedBitIsRefusedOrChangesNothing() throws {
        let good = packed(sample())
        let digest = try Shard(gzipped: good, name: "good").digest
        var unchanged = 0
        for byte in good.indices {
            for bit in 0..<8 {
                var bad = good
                bad[byte] ^= 1 << UInt8(bit)
                guard let read = try? Shard(gzipped: bad, name: "bad") else { continue }
                #expect(read.digest == digest, "byte \(byte) bit \(bit)")
                unchanged += 1
            }
        }
        #expect(unchanged < 32)
    }

    @Test func everyCutIsFound() {
        let good = packed(sample())
        for count in 0..<good.count {
            #expect(throws: LecternError.self, "cut at \(count)") {
                try Shard(gzipped: Array(good[0..<count]), name: "cut")
            }
        }
        #expect(throws: LecternError.self) { try Shard(gzipped: good + [0], name: "longer") }
    }

    @Test(arguments: [
        (#"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, nil),
        (#"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"I64","shape":[2],"data_offsets":[0,8]}}"#, "bytes"),
        (#"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#, "hole"),
        (#"{"__metadata__":{"kind":"x","rows":"2"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, "rows"),
        (#"{"__metadata__":{"rows":"1"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, "kind"),
        (#"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}"#, "BF16"),
        (
            #"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
            "duplicate"
        ),
        (
            #"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8],"z":1}}"#,
            "unknown"
        ),
        (
            #"{"__metadata__":{"kind":"x","rows":"1"},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b.offsets":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}"#,
            "I64"
        ),
        (
            #"{"__metadata__":{"kind":"x","rows":"1"},"f":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"g":{"dtype":"U8","shape":[7],"data_offsets":[1,8]}}"#,
            "BOOL"
        ),
    ])
    func profile(_ header: String, _ complaint: String?) {
        var text = Array(header.utf8)
        while text.count % 8 != 0 { text.append(0x20) }
        let file = Gzip.compress([UInt8(text.count), 0, 0, 0, 0, 0, 0, 0] + text + [9, 0, 0, 0, 0, 0, 0, 0])
        do {
            _ = try Shard(gzipped: file, name: "made")
            #expect(complaint == nil)
        } catch {
            #expect(complaint != nil && "\(error)".contains(complaint!), "\(error)")
        }
    }

    /// 64 MiB of zeros behind a header that declares 8 bytes: refused after the first MiB.
    @Test func bombIsRefused() {
        var text = Array(
            #"{"__metadata__":{"kind":"x","rows":"1"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#.utf8)
        while text.count % 8 != 0 { text.append(0x20) }
        let bytes = [UInt8(text.count), 0, 0, 0, 0, 0, 0, 0] + text + [UInt8](repeating: 0, count: 64 << 20)
        #expect(throws: LecternError.self) { try Shard(gzipped: Gzip.compress(bytes), name: "bomb") }
    }
}

@Suite struct StageFolderTests {
    private func withRun(_ body: (String) throws -> Void) throws {
        let run = NSTemporaryDirectory() + "lectern-\(UUID().uuidString)"
        try FileSystem.createFolder(run)
        defer { try? FileSystem.removeAll(run) }
        try body(run)
    }

    private func commit(_ run: String, value: Int64) throws {
        let output = try StageOutput(run: run, stage: "demo")
        var shard = ShardBuilder(kind: "demo", rows: 1)
        shard.add("value", [value])
        try output.write(shard, as: "demo-00000-of-00001.safetensors.gz")
        try output.commit(Manifest(stage: "demo", release: "test", config: "", asOf: 2, newestEvent: 1))
    }

    private func value(_ run: String) throws -> Int64 {
        try StageInput(run: run, stage: "demo", folder: "demo").shard("demo-00000-of-00001.safetensors.gz").values(
            "value")[0]
    }

    @Test func secondCommitReplacesTheFirst() throws {
        try withRun { run in
            try commit(run, value: 1)
            try commit(run, value: 2)
            #expect(try value(run) == 2)
            #expect(try FileSystem.list(run) == ["demo"])
        }
    }

    /// What a kill between the two renames of a commit leaves: only `.old`.
    @Test func repairBringsTheOldBack() throws {
        try withRun { run in
            try commit(run, value: 1)
            try FileSystem.rename(run + "/demo", run + "/demo.old")
            try FileSystem.createFolder(run + "/demo.partial")
            try StageOutput.repair(run: run, stage: "demo")
            #expect(try value(run) == 1)
            #expect(try FileSystem.list(run) == ["demo"])
        }
    }

    /// A link that leads to itself stands for a disk that does not answer: nothing may be taken as not there, or
    /// repairing would delete the only copy.
    @Test func whatCannotBeLookedAtIsNotMissing() throws {
        try withRun { run in
            let nothing = try FileSystem.entry(run + "/demo")
            #expect(nothing?.bytes == nil)
            #expect(try FileSystem.entry(run)?.isFolder == true)
            #expect(symlink("demo.old", run + "/demo.old") == 0)
            let error = #expect(throws: LecternError.self) { try FileSystem.entry(run + "/demo.old") }
            #expect(error?.code == .ioError && error?.message.contains("demo.old") == true)
            #expect(throws: LecternError.self) { try StageOutput.repair(run: run, stage: "demo") }
            #expect(try FileSystem.list(run) == ["demo.old"])
        }
    }

    @Test func swappedShardIsFound() throws {
        try withRun { run in
            try commit(run, value: 1)
            let path = run + "/demo/demo-00000-of-00001.safetensors.gz"
            let first = try FileSystem.read(path)
            try commit(run, value: 2)
            try FileSystem.write(first, to: path)
            #expect(throws: LecternError.self) { try value(run) }
        }
    }

    @Test func everyFlippedBitOnDiskIsFound() throws {
        try withRun { run in
            try commit(run, value: 1)
            let path = run + "/demo/demo-00000-of-00001.safetensors.gz"
            let good = try FileSystem.read(path)
            for byte in good.indices {
                for bit in 0..<8 {
                    var bad = good
                    bad[byte] ^= 1 << UInt8(bit)
                    try FileSystem.write(bad, to: path)
                    let found = (try? value(run)) == nil
                    #expect(found, "byte \(byte) bit \(bit)")
                }
            }
        }
    }

    @Test func missingStageNamesTheCommand() throws {
        try withRun { run in
            let error = #expect(throws: LecternError.self) { try StageInput(run: run, stage: "demo", folder: "demo") }
            #expect(error?.code == .inputMissing && error?.message.contains("make demo") == true)
        }
    }

    @Test func lockIsExclusive() throws {
        try withRun { run in
            let path = run + "/.lock"
            let other = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
            // A descriptor of this very process counts as inherited, so the rival is a child.
            close(other)
            let rival = Process()
            rival.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
            rival.arguments = [path, "sleep", "5"]
            try rival.run()
            defer { rival.terminate() }
            var code: ExitCode?
            for _ in 0..<50 where code == nil {
                usleep(20_000)
                do { _ = try RunLock(run: run) } catch let error as LecternError { code = error.code }
            }
            #expect(code == .locked)
        }
    }
}

@Suite struct ScratchFileTests {
    /// Values of several widths come back from where they were put, and the folder shows no file at any time.
    @Test func valuesComeBackWithoutAName() throws {
        let folder = NSTemporaryDirectory() + "lectern-scratch-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        defer { try? FileSystem.removeAll(folder) }
        let file = try ScratchFile(in: folder)
        let odd = try file.append([UInt32(1), 2, 3])
        let wide = try file.append([Int64.min, .max])
        let none = try file.append([Int64]())
        let last = try file.append([UInt32(4)])
        let mapped = try file.mapped()
        #expect(try FileSystem.list(folder).isEmpty)
        #expect(Array(mapped.values(odd)) == [1, 2, 3] && Array(mapped.values(wide)) == [.min, .max])
        #expect(mapped.values(none).isEmpty && Array(mapped.values(last)) == [4])
        #expect(throws: LecternError.self) { try ScratchFile(in: folder + "/none") }
    }
}
