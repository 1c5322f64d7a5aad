import ArgumentParser
import CommandKit
import CZlib
import Foundation
import LinearAlgebra
import Shards
import StageKit

/// `verify`: rereads every byte of a run.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rereads a whole run: digests, the profile of every shard, lineage, files that no manifest lists.",
        discussion: """
            One line per damaged file on standard output, then the make command that rebuilds the earliest damaged \
            stage, and exit code 65. Memory: one file per thread.
            """)

    @Argument(help: "A run, or a publication.")
    var path = "out/latest"
    @Option(help: "Threads. Default: all cores.")
    var threads: Int?
    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): expected 1 to 1024")
        }
    }

    func run() throws {
        try reportingErrors("inspect-shards", talk) { log in
            let run = try RunFolder(path)
            let verification = try Verification(
                run: run, workers: Workers(count: threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount)))
            for finding in verification.findings { try Terminal.write("\(finding.path): \(finding.problem)\n") }
            guard let first = verification.findings.compactMap(\.stage).min(by: { $0.rank < $1.rank }) else {
                log.info("\(run.path): \(verification.files) files in \(verification.stages) stages are as written")
                return
            }
            let remedy =
                run.isPublication
                ? "publish again (make run of its run), or let current point at another publication"
                : "rebuild from there with: \(first.rebuilding(run: run.path))"
            throw LecternError.data(
                "\(run.path): \(verification.findings.count) problem(s), the first stage concerned is \(first.rawValue); "
                    + remedy)
        }
    }
}

extension StageName {
    /// Place in the order in which data flows.
    var rank: Int { Self.allCases.firstIndex(of: self)! }
}

/// Everything that is wrong with a run, in the order of stages and names.
struct Verification {
    struct Finding: Equatable {
        /// The stage to rebuild.
        var stage: StageName?
        var path: String
        var problem: String
    }

    private(set) var findings: [Finding] = []
    private(set) var files = 0
    private(set) var stages = 0
    private let run: RunFolder
    private var digests: [String: String] = [:]
    private var catalogues: [(stage: StageName, digest: String)] = []

    /// - Throws: `.inputMissing` if nothing in the folder was made by a stage.
    init(run: RunFolder, workers: Workers) throws {
        self.run = run
        let made = StageName.allCases.filter { $0 != .prepareRun && $0 != .publishRun }
        for stage in made where FileSystem.isFolder("\(run.path)/\(stage.folder)") {
            stages += 1
            try check(stage, workers)
        }
        if stages == 0 { throw LecternError.missing("\(run.path): no stage has finished here; make all runs them") }
        try checkLeftovers()
    }

    private mutating func add(_ stage: StageName?, _ path: String, _ problem: String) {
        findings.append(Finding(stage: stage, path: path, problem: problem))
    }

    private mutating func check(_ stage: StageName, _ workers: Workers) throws {
        let folder = "\(run.path)/\(stage.folder)"
        let manifest: Manifest
        do {
            let read = try Manifest.read(stageFolder: folder)
            (manifest, digests[stage.folder]) = (read.manifest, read.digest)
        } catch let error as LecternError {
            return add(
                stage, "\(folder)/\(Manifest.fileName)", Self.withoutPath(error, "\(folder)/\(Manifest.fileName)"))
        }
        try checkFiles(stage, folder, manifest, workers)
        for subfolder in manifest.nested.map({ "\(folder)/\($0)" })
        where !run.isPublication || FileSystem.isFolder(subfolder) {
            do {
                try checkFiles(stage, subfolder, Manifest.read(stageFolder: subfolder).manifest, workers)
            } catch let error as LecternError {
                let path = "\(subfolder)/\(Manifest.fileName)"
                add(stage, path, Self.withoutPath(error, path))
            }
        }
        checkLineage(stage, manifest, folder)
    }

    /// What a manifest lists, and what it should.
    private mutating func checkFiles(
        _ stage: StageName, _ folder: String, _ manifest: Manifest, _ workers: Workers
    ) throws {
        // Of a run publish-run takes what serves and explains: the rest is not missed there.
        let names = manifest.outputs.keys.sorted().filter {
            !run.isPublication || stage.isPublished($0) || FileSystem.exists("\(folder)/\($0)")
        }
        files += names.count
        let problems = workers.map(names.count) { i in
            FileCheck(folder: folder, name: names[i], entry: manifest.outputs[names[i]]!, manifest: manifest).problem
        }
        for (name, problem) in zip(names, problems) {
            if let problem { add(stage, "\(folder)/\(name)", problem) }
        }
        for name in try Self.unlisted(folder, manifest) {
            add(stage, "\(folder)/\(name)", "no manifest lists it; remove it")
        }
    }

    /// The manifest's inputs are the generations that lie in the run, and all stages mean the same courses.
    private mutating func checkLineage(_ stage: StageName, _ manifest: Manifest, _ folder: String) {
        let path = "\(folder)/\(Manifest.fileName)"
        if manifest.stage != stage.rawValue {
            add(stage, path, "written by \(manifest.stage), expected \(stage.rawValue)")
        }
        for input in stage.inputs {
            guard let seen = manifest.inputs[input.folder] else { continue }
            if let present = digests[input.folder] {
                if seen != present { add(stage, path, "made from another generation of \(input.folder)/") }
            } else {
                add(input, path, "made from \(input.folder)/, which is not there or cannot be read")
            }
        }
        if stage != .evaluate && manifest.newestEvent >= manifest.asOf {
            add(stage, path, "newest_event \(Moment.text(manifest.newestEvent)) is not before as_of")
        }
        if !manifest.catalogue.isEmpty {
            if let (other, digest) = catalogues.first, digest != manifest.catalogue {
                add(stage, path, "has another course catalogue than \(other.folder)/")
            }
            catalogues.append((stage, manifest.catalogue))
        }
    }

    /// What a killed stage left behind; any other folder is none of ours.
    private mutating func checkLeftovers() throws {
        for name in try FileSystem.list(run.path) where name.hasSuffix(".partial") || name.hasSuffix(".old") {
            let base = name.prefix { $0 != "." }
            let stage = StageName(folder: String(base))
            add(stage, "\(run.path)/\(name)", "left by a killed run; make run removes it")
        }
    }

    /// Files that may lie in a stage folder without being listed (spec of manifests: they are exempt from equality).
    private static let exempt: Set<String> = [Manifest.fileName, "stats.json", "rejected.csv.gz", "metrics.prom"]

    private static func unlisted(_ folder: String, _ manifest: Manifest, below: String = "") throws -> [String] {
        try FileSystem.list(below.isEmpty ? folder : "\(folder)/\(below)").flatMap { name -> [String] in
            let path = below.isEmpty ? name : "\(below)/\(name)"
            if manifest.nested.contains(path) { return [] }
            if FileSystem.isFolder("\(folder)/\(path)") { return try unlisted(folder, manifest, below: path) }
            return manifest.outputs[path] != nil || exempt.contains(path) ? [] : [path]
        }
    }

    static func withoutPath(_ error: LecternError, _ path: String) -> String {
        error.message.hasPrefix(path + ": ") ? String(error.message.dropFirst(path.count + 2)) : error.message
    }
}

/// One listed file, read whole.
struct FileCheck {
    let folder: String
    let name: String
    let entry: Manifest.File
    let manifest: Manifest

    /// The first thing wrong; nil if it is as it was written.
    var problem: String? {
        let path = "\(folder)/\(name)"
        do {
            let bytes = try FileSystem.read(path)
            if bytes.count != entry.bytes { return "\(bytes.count) bytes, the manifest says \(entry.bytes)" }
            if !name.hasSuffix(ShardName.suffix) {
                return Digest.sha256(bytes) == entry.sha256 ? nil : "SHA-256 differs from the manifest's"
            }
            let shard = try Shard(gzipped: bytes, name: path)
            if shard.digest != entry.sha256 { return "SHA-256 differs from the manifest's" }
            if let stored = entry.crc32, stored != Self.checksum(bytes) {
                return "CRC-32 of the file differs from the manifest's"
            }
            return headerProblem(shard)
        } catch let error as LecternError {
            return error.code == .inputMissing ? "is missing" : Verification.withoutPath(error, path)
        } catch {
            return "\(error)"
        }
    }

    /// What header and manifest both say must agree.
    private func headerProblem(_ shard: Shard) -> String? {
        if let rows = entry.rows, rows != shard.rows { return "\(shard.rows) rows, the manifest says \(rows)" }
        let expected = [
            ("stage", manifest.stage), ("config", manifest.config), ("lectern.version", manifest.release),
            ("as_of", String(manifest.asOf)),
        ]
        for (key, value) in expected {
            if let found = shard.metadata[key], found != value {
                return "\(key) is \(found), the manifest says \(value)"
            }
        }
        if let parsed = ShardName.parse((name as NSString).lastPathComponent) {
            let said = (shard.integer("shard"), shard.integer("shards"))
            if let (number, count) = said.0.flatMap({ n in said.1.map { (n, $0) } }),
                number != Int64(parsed.shard) || count != Int64(parsed.shards)
            {
                return "its header says shard \(number) of \(count)"
            }
        }
        return nil
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
    }
}
