import ArgumentParser
import CommandKit
import Foundation
import Shards
import StageKit

/// `lineage`: what a stage was made from, up to the logs.
struct Lineage: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what a shard, stage folder or run was made from, up to the logs.",
        discussion: "Each stage with the digests of its manifest and configuration slice, and whether what lies in the "
            + "run today is what it read.")

    @OptionGroup var place: PathArgument
    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            let (run, stages) = try starts(ShardGroup.trimmed(place.path))
            var told: Set<StageName> = []
            var text = ""
            for stage in stages { try describe(stage, run, seen: nil, indent: 0, &told, &text) }
            try Terminal.write(text)
        }
    }

    /// The run that a path lies in, and the stages to begin with: those nothing else in the run was made from.
    private func starts(_ path: String) throws -> (String, [StageName]) {
        var folder = path
        while !folder.isEmpty && folder != "/" {
            let name = (folder as NSString).lastPathComponent
            if let stage = StageName(folder: name), FileSystem.exists("\(folder)/\(Manifest.fileName)") {
                let run = (folder as NSString).deletingLastPathComponent
                return (run.isEmpty ? "." : run, [stage])
            }
            folder = (folder as NSString).deletingLastPathComponent
        }
        let run = try RunFolder(path)
        let read = Set(run.stages.flatMap(\.inputs))
        let last = run.stages.filter { !read.contains($0) }
        if last.isEmpty { throw LecternError.missing("\(path): not in a run with a finished stage") }
        return (run.path, last)
    }

    private func describe(
        _ stage: StageName, _ run: String, seen: String?, indent: Int, _ told: inout Set<StageName>,
        _ text: inout String
    ) throws {
        let margin = String(repeating: "  ", count: indent)
        let folder = "\(run)/\(stage.folder)"
        guard FileSystem.exists("\(folder)/\(Manifest.fileName)") else {
            text += "\(margin)\(stage.folder)/ generation \((seen ?? "").prefix(12)): not there any more\n"
            return
        }
        let (manifest, digest) = try Manifest.read(stageFolder: folder)
        let changed = seen.map { $0 != digest } ?? false
        text += "\(margin)\(stage.folder)/ generation \((seen ?? digest).prefix(12))"
        if changed {
            text += ": replaced since by \(digest.prefix(12))\n"
            return
        }
        if !told.insert(stage).inserted {
            text += ": see above\n"
            return
        }
        text += " by \(manifest.stage) \(manifest.release), configuration \(manifest.config.prefix(12)), as of "
        text += "\(Moment.text(manifest.asOf)), newest event \(Moment.text(manifest.newestEvent))\n"
        for (name, digest) in manifest.inputs.sorted(by: { $0.key < $1.key }) {
            if let input = StageName(folder: name) {
                try describe(input, run, seen: digest, indent: indent + 1, &told, &text)
            } else {
                text += "\(margin)  \(name) SHA-256 \(digest.prefix(12))\n"
            }
        }
        let counts = manifest.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        if !counts.isEmpty { text += "\(margin)  \(counts.joined(separator: ", "))\n" }
    }
}
