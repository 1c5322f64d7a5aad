import Foundation
import ShardKinds
import Shards
import StageKit

/// The shards that a path names, in groups of equal form: all files `watches-N-of-M` are one group.
struct ShardGroup {
    /// Folder and name without number: `out/latest/logs/watches`.
    let label: String
    /// Paths in order of shard number.
    let files: [String]

    /// - Throws: `.inputMissing` if the path names no shard.
    static func find(_ path: String) throws -> [ShardGroup] {
        let path = trimmed(path)
        if FileSystem.isFolder(path) {
            let groups = try grouped(allShards(path))
            if groups.isEmpty {
                throw LecternError.missing("\(path): no shards here; expected files *\(ShardName.suffix)")
            }
            return groups
        }
        for path in [path, path + ShardName.suffix] where FileSystem.exists(path) {
            return [ShardGroup(label: label(path), files: [path])]
        }
        let folder = (path as NSString).deletingLastPathComponent
        if FileSystem.isFolder(folder.isEmpty ? "." : folder) {
            let found = try grouped(allShards(folder.isEmpty ? "." : folder)).filter { $0.label == path }
            if !found.isEmpty { return found }
        }
        let name = (path as NSString).lastPathComponent
        let stage = StageName(rawValue: name)
        if let stage {
            let own = (folder.isEmpty ? "" : folder + "/") + stage.folder
            if FileSystem.isFolder(own) { return try find(own) }
        }
        let hint = stage.map { "; the folder of \(name) is \($0.folder)/" } ?? ""
        throw LecternError.missing("\(path): no such shard, shard name, stage folder or run\(hint)")
    }

    /// The one group that a path names.
    static func one(_ path: String) throws -> ShardGroup {
        let groups = try find(path)
        if groups.count == 1 { return groups[0] }
        let names = groups.map(\.label).joined(separator: ", ")
        throw LecternError(.usage, "\(path): holds shards of several names; name one of \(names)")
    }

    static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private static func allShards(_ folder: String) throws -> [String] {
        try FileSystem.list(folder).flatMap { name -> [String] in
            let path = folder == "." ? name : "\(folder)/\(name)"
            if name.hasSuffix(".partial") || name.hasSuffix(".old") || name.hasSuffix(".checkpoint") { return [] }
            if FileSystem.isFolder(path) { return try allShards(path) }
            return name.hasSuffix(ShardName.suffix) ? [path] : []
        }
    }

    private static func label(_ path: String) -> String {
        let name = (path as NSString).lastPathComponent
        guard let parsed = ShardName.parse(name) else { return path }
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? parsed.prefix : "\(folder)/\(parsed.prefix)"
    }

    private static func grouped(_ paths: [String]) -> [ShardGroup] {
        var order: [String] = []
        var files: [String: [String]] = [:]
        for path in paths {
            let label = label(path)
            if files[label] == nil { order.append(label) }
            files[label, default: []].append(path)
        }
        return order.map { ShardGroup(label: $0, files: files[$0]!.sorted()) }
    }
}

/// A run folder, for the commands that look at whole stages.
struct RunFolder {
    let path: String

    /// Stage folders that are there with a manifest, in the order in which data flows.
    var stages: [StageName] {
        StageName.allCases.filter { FileSystem.exists("\(path)/\($0.folder)/\(Manifest.fileName)") }
    }

    /// - Throws: `.inputMissing` if the path is no run.
    init(_ path: String) throws {
        self.path = ShardGroup.trimmed(path)
        if !FileSystem.isFolder(self.path) {
            throw LecternError.missing("\(path): no such run folder; make all creates it")
        }
        isPublication = !FileSystem.isFolder(self.path + "/config") && FileSystem.isFolder(self.path + "/delta")
    }

    /// Not a run but what was published of one: hard links to some of its files, and the difference to the one before.
    let isPublication: Bool
}
