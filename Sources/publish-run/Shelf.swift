import Foundation
import Logging
import Shards

#if canImport(Glibc)
    import Glibc
#endif

/// `OUT`: the published runs, and the link to the one that serves.
struct Shelf {
    let out: String
    let log: Logger

    private var published: String { out + "/published" }
    private var link: String { out + "/current" }

    /// - Parameter run: its parent is OUT.
    init(run: String, log: Logger) throws {
        let whole = URL(fileURLWithPath: run).standardizedFileURL.path
        let parent = (run as NSString).deletingLastPathComponent
        // "latest" alone lies in the working folder; ".." and "." have no parent by their text.
        out = parent.isEmpty || run.hasSuffix(".") ? (whole as NSString).deletingLastPathComponent : parent
        self.log = log
        try FileSystem.createFolder(published)
    }

    /// Removes what a killed publication left. Under OUT's lock: another run may be publishing.
    func tidy() throws {
        for name in try FileSystem.list(published) where name.hasSuffix(".partial") {
            try FileSystem.removeAll(published + "/" + name)
        }
        try FileSystem.removeAll(link + ".new")
    }

    func path(_ name: String) -> String { published + "/" + name }

    /// The publication that serves; nil: none, or its folder is gone.
    func current() throws -> String? {
        guard let name = try currentName(), try FileSystem.entry(path(name))?.isFolder == true else { return nil }
        return path(name)
    }

    /// nil also for a link that leads nowhere.
    private func currentName() throws -> String? {
        guard try FileSystem.entry(link) != nil else { return nil }
        do {
            return (try FileManager.default.destinationOfSymbolicLink(atPath: link) as NSString).lastPathComponent
        } catch {
            throw LecternError(.ioError, "\(link): cannot read the link: \(error.localizedDescription)")
        }
    }

    func serves(_ name: String) throws -> Bool { try current() == path(name) }

    /// An empty folder to fill.
    func begin(_ name: String) throws -> String {
        let folder = path(name) + ".partial"
        try FileSystem.createFolder(folder)
        return folder
    }

    /// Throws an unfinished publication away.
    func abandon(_ name: String) { try? FileSystem.removeAll(path(name) + ".partial") }

    /// Everything is on disk before the folder gets its name.
    func finish(_ name: String) throws {
        try syncAll(path(name) + ".partial")
        try FileSystem.rename(path(name) + ".partial", path(name))
        try FileSystem.syncFolder(published)
    }

    private func syncAll(_ folder: String) throws {
        for name in try FileSystem.list(folder) where try FileSystem.entry(folder + "/" + name)?.isFolder == true {
            try syncAll(folder + "/" + name)
        }
        try FileSystem.syncFolder(folder)
    }

    /// A new link renamed over the old one: a reader finds the old or the new publication, never none.
    func makeCurrent(_ name: String) throws {
        do {
            guard symlink("published/\(name)", link + ".new") == 0 else {
                throw FileSystem.fail(link + ".new", "link", creating: true)
            }
            try FileSystem.rename(link + ".new", link)
        } catch {
            try? FileSystem.removeAll(link + ".new")
            throw error
        }
        try FileSystem.syncFolder(out)
    }

    /// Removes all but the newest publications, by as_of and then by when they were published; never the current one.
    func keepNewest(_ keep: Int) throws {
        let day = { (name: String) in name.split(separator: "-").dropLast().joined(separator: "-") }
        let newest = try FileSystem.list(published).filter {
            FileSystem.isFolder(path($0)) && !$0.hasSuffix(".partial")
        }
        .sorted {
            (day($1), FileSystem.status(path($1))?.modified ?? 0, $1)
                < (day($0), FileSystem.status(path($0))?.modified ?? 0, $0)
        }
        let current = try currentName()
        for name in newest.dropFirst(keep) where name != current {
            log.info("removing \(path(name)), older than the newest \(keep)")
            try remove(name)
        }
    }

    /// Removes a publication that does not serve.
    func remove(_ name: String) throws {
        if try FileSystem.entry(path(name)) == nil { return }
        try FileSystem.rename(path(name), path(name) + ".partial")
        try FileSystem.removeAll(path(name) + ".partial")
    }

    /// A hard link; a copy where the target lies on another file system.
    static func link(_ source: String, _ target: String) throws {
        try FileSystem.createFolder((target as NSString).deletingLastPathComponent)
        if Glibc.link(source, target) == 0 { return }
        if errno == EXDEV || errno == EMLINK || errno == EPERM {
            try FileSystem.write(FileSystem.read(source), to: target)
        } else {
            throw LecternError(.ioError, "\(target): cannot link \(source): \(String(cString: strerror(errno)))")
        }
    }
}
