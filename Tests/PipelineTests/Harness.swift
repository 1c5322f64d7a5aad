// Runs the real executables and the real Makefile on a small generated platform. Needs bin/ (make build).

import Foundation
import Shards
import Testing

let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

struct Outcome {
    let code: Int32
    let output: String
    let errors: String

    /// Lines of standard error that say "error".
    var complaints: [String] { errors.split(separator: "\n").map(String.init).filter { $0.contains("error: ") } }
}

/// Runs a command to its end, with both outputs captured through files (pipes would fill).
@discardableResult
func execute(_ command: [String], environment: [String: String] = [:]) throws -> Outcome {
    let folder = NSTemporaryDirectory() + "lectern-io-\(UUID().uuidString)"
    try FileSystem.createFolder(folder)
    defer { try? FileSystem.removeAll(folder) }
    try FileSystem.write([], to: folder + "/out")
    try FileSystem.write([], to: folder + "/err")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.currentDirectoryURL = URL(fileURLWithPath: root)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        .filter { !["MAKEFLAGS", "MAKELEVEL", "MFLAGS"].contains($0.key) }
    process.standardOutput = FileHandle(forWritingAtPath: folder + "/out")
    process.standardError = FileHandle(forWritingAtPath: folder + "/err")
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    return Outcome(
        code: code, output: String(decoding: try FileSystem.read(folder + "/out"), as: UTF8.self),
        errors: String(decoding: try FileSystem.read(folder + "/err"), as: UTF8.self))
}

/// A small generated platform with a folder for its runs.
struct Workplace {
    let folder: String
    var data: String { folder + "/logs" }
    var out: String { folder + "/out" }

    /// Training kept short.
    static let quick = "ncf.epochs=2 filter.snapshots=3"

    /// Small by default: most tests ask for behaviour, not quality.
    init(learners: Int = 300, courses: Int = 60, days: Int = 400) throws {
        folder = NSTemporaryDirectory() + "lectern-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        let made = try tool(
            "generate-logs", "--out", folder + "/logs", "--learners", "\(learners)", "--courses", "\(courses)",
            "--days",
            "\(days)")
        #expect(made.code == 0, "\(made.errors)")
    }

    func remove() { try? FileSystem.removeAll(folder) }

    func make(_ target: String, run name: String = "latest", out: String? = nil, _ more: String...) throws -> Outcome {
        let arguments = ["make", target, "DATASET=sample", "DATA=\(data)", "OUT=\(out ?? self.out)", "RUN=\(name)"]
        let set = more.contains { $0.hasPrefix("SET=") } ? [] : ["SET=\(Self.quick)"]
        return try execute(arguments + set + more)
    }

    /// Digest of every shard and listed file of a run, by path: what must be the same whenever a run is the same.
    func digests(run name: String = "latest", out: String? = nil) throws -> [String: String] {
        var all: [String: String] = [:]
        let folder = "\(out ?? self.out)/\(name)"
        for stage in try FileSystem.list(folder) where FileSystem.exists("\(folder)/\(stage)/\(Manifest.fileName)") {
            let (manifest, digest) = try Manifest.read(stageFolder: "\(folder)/\(stage)")
            all["\(stage)/\(Manifest.fileName)"] = digest
            for (file, entry) in manifest.outputs { all["\(stage)/\(file)"] = entry.sha256 }
        }
        return all
    }
}

/// One of the project's executables.
@discardableResult
func tool(_ name: String, _ arguments: String...) throws -> Outcome {
    try execute([root + "/bin/" + name] + arguments)
}
