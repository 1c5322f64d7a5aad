// Proves with the real train-ncf that a training killed after any epoch goes on (it does not start again) and ends in
// the same bytes, that a checkpoint of something else or a damaged one does not count, and that divergence leaves
// nothing. Expected bytes: those of a run that nobody disturbed.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct TrainingKilledTests {
    private static let set = "ncf.epochs=3 ncf.patience=3 filter.snapshots=2"

    /// A run that is ready for training, and a copy of it to disturb.
    private func places() throws -> (Workplace, undisturbed: String, run: String) {
        let place = try Workplace()
        let run = "\(place.out)/latest"
        try prepare(place, run, Self.set)
        for stage in ["import-logs", "filter-watches", "build-cooccurrence"] {
            let outcome = try tool(stage, "--run", run)
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        let copy = place.folder + "/undisturbed"
        try FileManager.default.copyItem(atPath: run, toPath: copy)
        let trained = try tool("train-ncf", "--run", copy, "--threads", "1")
        #expect(trained.code == 0, "\(trained.errors)")
        return (place, copy, run)
    }

    private func prepare(_ place: Workplace, _ run: String, _ set: String) throws {
        let outcome = try tool(
            "prepare-run", "--run", run, "--dataset", root + "/data/sample/dataset.yaml", "--data", place.data, "--set",
            set)
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    /// Runs the training and kills it (SIGKILL) once it has said a line.
    private func kill(_ run: String, after line: String) throws -> String {
        let path = run + "/said"
        try FileSystem.write([], to: path)
        defer { try? FileSystem.removeAll(path) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: root + "/bin/train-ncf")
        process.arguments = ["--run", run, "--threads", "2"]
        process.currentDirectoryURL = URL(fileURLWithPath: root)
        process.standardError = FileHandle(forWritingAtPath: path)
        try process.run()
        func said() throws -> String { String(decoding: try FileSystem.read(path), as: UTF8.self) }
        while process.isRunning, try !said().contains(line) { usleep(2_000) }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal, "the training was over before it was killed")
        return try said()
    }

    private func manifest(_ run: String) throws -> [UInt8] { try FileSystem.read(run + "/ncf/manifest.json") }

    @Test func killedAfterEveryEpoch() throws {
        let (place, undisturbed, run) = try places()
        defer { place.remove() }
        var before: String?
        for line in ["fit epoch 1/", "fit epoch 3/", "refit epoch 1/"] {
            let said = try kill(run, after: ": " + line)
            #expect(FileSystem.exists(run + "/ncf.checkpoint/manifest.json"))
            #expect(!FileSystem.exists(run + "/ncf"))
            if let before { #expect(said.contains("goes on after") && !said.contains(": \(before)"), "\(said)") }
            before = line
        }
        let last = try tool("train-ncf", "--run", run, "--threads", "3")
        #expect(last.code == 0 && last.errors.contains("goes on after epoch 1 of the refit"), "\(last.errors)")
        #expect(try manifest(run) == manifest(undisturbed))
        #expect(try !FileSystem.list(run).contains { $0.hasPrefix("ncf.") })
    }

    @Test func foreignAndDamagedCheckpointsDoNotCount() throws {
        let (place, undisturbed, run) = try places()
        defer { place.remove() }
        try prepare(place, run, Self.set + " ncf.l2=0.001")
        _ = try kill(run, after: ": fit epoch 2/")
        try prepare(place, run, Self.set)
        let said = try kill(run, after: ": fit epoch 1/")
        #expect(said.contains("ncf.checkpoint is ignored: made with another configuration"), "\(said)")

        let file = run + "/ncf.checkpoint/second.safetensors.gz"
        var bytes = try FileSystem.read(file)
        bytes[bytes.count / 2] ^= 1
        try FileSystem.write(bytes, to: file)
        let whole = try tool("train-ncf", "--run", run)
        #expect(whole.code == 0 && whole.errors.contains("ncf.checkpoint is ignored:"), "\(whole.errors)")
        #expect(whole.errors.contains(": fit epoch 1/"))
        #expect(try manifest(run) == manifest(undisturbed))
    }

    /// The moments mapped from a file, of which nothing is left: the same shards.
    @Test func momentsBeyondTheirBudget() throws {
        let (place, undisturbed, run) = try places()
        defer { place.remove() }
        try prepare(place, run, Self.set + " ncf.moments_mib=0")
        let outcome = try tool("train-ncf", "--run", run, "--threads", "2")
        #expect(outcome.code == 0 && outcome.errors.contains("mapped from a file"), "\(outcome.errors)")
        // Headers name the configuration, which differs: nothing else does.
        let difference = try tool("inspect-shards", "diff", run + "/ncf", undisturbed + "/ncf")
        let lines = difference.output.split(separator: "\n")
        #expect(lines.count > 3 && lines.allSatisfy { $0.contains(".safetensors.gz: header config: ") }, "\(lines)")
        let names = try FileSystem.list(run + "/ncf")
        #expect(!names.contains { $0.hasPrefix("scratch") })
        #expect(try !FileSystem.list(run).contains { $0.hasPrefix("ncf.") })
    }

    @Test func divergenceLeavesNothing() throws {
        let (place, _, run) = try places()
        defer { place.remove() }
        try prepare(place, run, Self.set + " ncf.learning_rate=10 ncf.output=dot ncf.temperature=0.001")
        let outcome = try tool("train-ncf", "--run", run)
        #expect(outcome.code == 65 && outcome.complaints.count == 1, "\(outcome.errors)")
        let words = outcome.complaints.first ?? ""
        #expect(words.contains("diverged in epoch ") && words.contains("step ") && words.contains("learning_rate"))
        #expect(try !FileSystem.list(run).contains { $0.hasPrefix("ncf") })
    }
}
