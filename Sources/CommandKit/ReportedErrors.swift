import ArgumentParser
import FoundationEssentials
import Logging
import Ranks
import Shards

#if canImport(Glibc)
    import Glibc
#endif

/// Turns errors into one line and an exit code. For executables that are no stages (`run` is nil there).
/// - Parameter isMute: another process says everything.
package func reportingErrors(
    _ label: String, _ talk: TalkOptions, run: String? = nil, isMute: Bool = false, _ body: (Logger) throws -> Void
) throws {
    signal(SIGPIPE, SIG_IGN)
    Trap.endAtOnce()
    var log = Logger(label: label) { StandardErrorHandler(label: $0, format: talk.logFormat) }
    if talk.quiet { log.logLevel = .warning }
    if isMute { log.logLevel = .critical }
    explainTraps(label, talk, run)
    do {
        try body(log)
    } catch {
        let (code, message) = explained(error)
        log.error("\(message)")
        if let run, code != .locked { FailureNote.write(run: run, stage: label, code: code, message: message) }
        throw ArgumentParser.ExitCode(code.rawValue)
    }
}

private func explainTraps(_ label: String, _ talk: TalkOptions, _ run: String?) {
    let ranks = Ranks.world
    let message =
        (ranks.areSeveral ? "rank \(ranks.rank) on \(ranks.host): " : "")
        + "trapped: a bug of ours (please report it), or no more memory to be had: the limits are \(Memory.limits)"
    let line = StandardErrorHandler(label: label, format: talk.logFormat).line(.error, message)
    let note = run.flatMap { FileSystem.isFolder($0) ? FailureNote.path($0) : nil }
    Trap.explain(
        line: line + "\n", note: FailureNote(stage: label, code: .ourBug, message: message).bytes, path: note)
}

/// Ends the process with a line and the note of failure before its other threads can do anything more.
/// - Parameter run: nil: no note.
package func endNow(
    _ label: String, _ talk: TalkOptions, run: String?, _ code: Shards.ExitCode, _ message: String
) -> Never {
    let line = StandardErrorHandler(label: label, format: talk.logFormat).line(.critical, message) + "\n"
    let note = FailureNote(stage: label, code: code, message: message).bytes
    Trap.end(line: line, note: note, path: run.map(FailureNote.path), code.rawValue)
}

/// Exit code and line of an error.
package func explained(_ error: any Error) -> (Shards.ExitCode, String) {
    if let known = error as? LecternError { return (known.code, known.message) }
    return (.ourBug, "unexpected: \(error); please report this")
}

/// `<run>/failed.json`: code, stage and message of the last failure, until that stage's next success.
package struct FailureNote: Codable {
    package let stage: String
    package let code: Int32
    package let message: String

    init(stage: String, code: Shards.ExitCode, message: String) { self.init(stage, code.rawValue, message) }

    private init(_ stage: String, _ code: Int32, _ message: String) {
        (self.stage, self.code, self.message) = (stage, code, message)
    }

    var bytes: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try! encoder.encode(self)) + [0x0a]
    }

    package static func path(_ run: String) -> String { run + "/failed.json" }

    package static func write(run: String, stage: String, code: Shards.ExitCode, message: String) {
        guard FileSystem.isFolder(run) else { return }
        try? FileSystem.replace(path(run), with: FailureNote(stage: stage, code: code, message: message).bytes)
    }

    /// The one of a run, if its last failure left one.
    package static func read(run: String) -> FailureNote? {
        (try? FileSystem.read(path(run))).flatMap { try? JSONDecoder().decode(FailureNote.self, from: Data($0)) }
    }

    /// For a stage that ended without a word, as by SIGKILL: nothing but its killing can be told.
    package static func writeKilled(run: String, stage: String, message: String) {
        guard FileSystem.isFolder(run) else { return }
        try? FileSystem.replace(path(run), with: FailureNote(stage, 137, message).bytes)
    }

    package static func clear(run: String, stage: String) {
        if read(run: run)?.stage == stage { try? FileSystem.removeAll(path(run)) }
    }
}
