// Proves on the real executables that the DAG reruns exactly what it must, that results do not depend on threads, that
// the future has no influence, and that failures are one line with the documented exit code and leave nothing behind.
// Expected values: exit codes and file names of docs/; equality between runs.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct PipelineTests {
    /// Stages that ran, from their summary lines.
    private func ran(_ outcome: Outcome) -> [String] {
        outcome.errors.split(separator: "\n").filter { $0.contains(": done: ") }.map { String($0.prefix { $0 != ":" }) }
    }

    static let stages = [
        "import-logs", "filter-watches", "build-cooccurrence", "train-ncf", "train-glmix", "blend", "export-topk",
        "evaluate",
    ]

    @Test func dagRerunsWhatChanged() throws {
        let place = try Workplace()
        defer { place.remove() }
        let first = try place.make("stages")
        #expect(first.code == 0, "\(first.errors)")
        #expect(ran(first) == Self.stages)
        let digests = try place.digests()
        #expect(ran(try place.make("stages")).isEmpty)
        #expect(ran(try place.make("stages", "THREADS=1")).isEmpty)
        let epochs = try place.make("stages", "SET=\(Workplace.quick) ncf.epochs=1")
        #expect(ran(epochs) == ["train-ncf", "blend", "export-topk", "evaluate"])
        #expect(ran(try place.make("stages")) == ["train-ncf", "blend", "export-topk", "evaluate"])
        #expect(try place.digests() == digests)

        let shard = "\(place.out)/latest/watched/watched-00003-of-00016.safetensors.gz"
        try FileSystem.removeAll(shard)
        let repaired = try place.make("stages")
        #expect(repaired.errors.contains("watched-00003-of-00016.safetensors.gz is missing"))
        #expect(ran(repaired).first == "filter-watches" && FileSystem.exists(shard))
        #expect(try place.digests() == digests)

        let log = try FileSystem.list(place.data).first { $0.hasPrefix("watches") }!
        try FileManager.default.copyItem(atPath: "\(place.data)/\(log)", toPath: "\(place.data)/watches-999.csv.gz")
        #expect(ran(try place.make("stages")).first == "import-logs")
    }

    @Test func sameBytesForAnyThreads() throws {
        let place = try Workplace()
        defer { place.remove() }
        var found: [[String: String]] = []
        for threads in 1...3 {
            let outcome = try place.make("stages", out: "\(place.folder)/out\(threads)", "THREADS=\(threads)")
            #expect(outcome.code == 0, "\(outcome.errors)")
            found.append(try place.digests(out: "\(place.folder)/out\(threads)"))
        }
        #expect(found[0].count > 50)
        for other in found[1...] {
            #expect(found[0].keys.sorted() == other.keys.sorted())
            let different = found[0].filter { other[$0.key] != $0.value }.keys.sorted()
            #expect(different.isEmpty)
        }
    }

    @Test func aKilledRunEndsInTheSameBytes() throws {
        let place = try Workplace()
        defer { place.remove() }
        #expect(try place.make("stages").code == 0)
        let expected = try place.digests()
        for (i, milliseconds) in [100, 400, 900, 1500, 2200].enumerated() {
            let out = "\(place.folder)/killed\(i)"
            let seconds = String(format: "%.1f", Double(milliseconds) / 1000)
            let killed = try execute([
                "setsid", "-w", "timeout", "-s", "KILL", seconds, "make", "stages", "DATASET=sample",
                "DATA=\(place.data)",
                "OUT=\(out)", "SET=\(Workplace.quick)",
            ])
            _ = killed
            var again = try place.make("stages", out: out)
            for _ in 0..<100 where again.code != 0 && again.errors.contains("Error 75") {
                usleep(200_000)  // the orphan of the killed make still holds the lock
                again = try place.make("stages", out: out)
            }
            #expect(again.code == 0, "\(again.errors)")
            #expect(try place.digests(out: out) == expected)
        }
    }

    @Test func twoAtOnce() throws {
        let place = try Workplace()
        defer { place.remove() }
        try FileSystem.createFolder("\(place.out)/latest")
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        holder.arguments = ["\(place.out)/latest/.lock", "sleep", "20"]
        try holder.run()
        defer { holder.terminate() }
        usleep(300_000)
        let second = try place.make("stages")
        #expect(second.code == 2 && second.errors.contains("Error 75"))
        let stage = try tool("filter-watches", "--run", "\(place.out)/latest")
        #expect(stage.code == 75 && stage.complaints.count == 1)
    }
}
