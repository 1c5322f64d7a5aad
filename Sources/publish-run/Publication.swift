import Foundation
import Serving
import ShardKinds
import Shards
import StageKit

/// Fills the folder of a publication: hard links to what serves and explains it, and the difference to the last one.
struct Publication {
    let inputs: PublicationInputs
    let gates: Gates

    init(_ inputs: PublicationInputs, _ gates: Gates) { (self.inputs, self.gates) = (inputs, gates) }

    func write(to shelf: Shelf, now: PublishedLists, difference: ListDifference?) throws {
        // One that served before: what differed from the lists before it then is not what differs now.
        try shelf.remove(inputs.publicationName)
        do {
            try fill(shelf.begin(inputs.publicationName), now, difference)
            try shelf.finish(inputs.publicationName)
        } catch {
            shelf.abandon(inputs.publicationName)
            throw error
        }
    }

    private func fill(_ folder: String, _ now: PublishedLists, _ difference: ListDifference?) throws {
        for (stage, _) in inputs.stages { try link(stage, into: folder) }
        let report = inputs.run + "/report"
        if try FileSystem.entry(report)?.isFolder == true { try linkAll(report, "report", into: folder) }
        try writeDelta(now, difference, folder + "/delta")
        try FileSystem.write(FileSystem.read(inputs.run + "/gates.json"), to: folder + "/gates.json")
    }

    private func link(_ stage: StageName, into folder: String) throws {
        let source = "\(inputs.run)/\(stage.folder)"
        let target = "\(folder)/\(stage.folder)"
        let (manifest, _) = try Manifest.read(stageFolder: source)
        for (name, file) in manifest.outputs.sorted(by: { $0.key < $1.key }) where stage.isPublished(name) {
            guard try FileSystem.entry("\(source)/\(name)")?.bytes == file.bytes else {
                throw LecternError.data(
                    "\(source)/\(name): missing or not of the size its manifest says; run make all")
            }
            if try !Self.isAsWritten("\(source)/\(name)", file) {
                throw LecternError.data(
                    "\(source)/\(name): damaged; made anew by: \(stage.rebuilding(run: inputs.run))")
            }
            try Shelf.link("\(source)/\(name)", "\(target)/\(name)")
        }
        if stage == .blend {
            for name in [BlendedShards.weights, BlendedShards.validation] {
                try Shelf.link("\(source)/\(name)", "\(target)/\(name)")
            }
        }
        try Shelf.link("\(source)/\(Manifest.fileName)", "\(target)/\(Manifest.fileName)")
    }

    /// Shards have the digest of what is packed in them, and a checksum of their bytes.
    private static func isAsWritten(_ path: String, _ file: Manifest.File) throws -> Bool {
        if let checksum = file.crc32 { return Gzip.checksum(try FileSystem.read(path)) == checksum }
        return try Digest.sha256(file: path) == file.sha256
    }

    private func linkAll(_ source: String, _ name: String, into folder: String) throws {
        for entry in try FileSystem.list(source) {
            if try FileSystem.entry("\(source)/\(entry)")?.isFolder == true {
                try linkAll("\(source)/\(entry)", "\(name)/\(entry)", into: folder)
            } else {
                try Shelf.link("\(source)/\(entry)", "\(folder)/\(name)/\(entry)")
            }
        }
    }

    /// `changed-NNNNN-of-NNNNN.jsonl.gz` as in `topk/`, and `deleted.jsonl.gz`. Without anything published before every
    /// list is a change.
    private func writeDelta(_ now: PublishedLists, _ difference: ListDifference?, _ folder: String) throws {
        try FileSystem.createFolder(folder)
        let courses = try now.courses()
        for shard in 0..<now.shards {
            let lists = try now.served(shard, courses: courses)
            var bytes: [UInt8] = []
            for row in difference?.changed[shard] ?? Array(lists.indices) {
                JSONLines.append(lists[row], .learner, to: &bytes)
            }
            let stem = ShardName.of("changed", shard, of: now.shards).dropLast(ShardName.suffix.count)
            try FileSystem.write(Gzip.compress(bytes), to: "\(folder)/\(stem)\(JSONLines.suffix)")
        }
        var bytes: [UInt8] = []
        for id in difference?.deleted ?? [] { JSONLines.append(key: id, .learner, to: &bytes) }
        try FileSystem.write(Gzip.compress(bytes), to: "\(folder)/deleted\(JSONLines.suffix)")
    }
}
