import FoundationEssentials
import Logging
import Shards

#if canImport(Glibc)
    import Glibc
#endif

/// Where talk goes: standard error, as plain lines or as JSON for machines.
package enum LogFormat: String, Sendable, CaseIterable {
    case text
    case json
}

/// A swift-log handler that writes `stage: message` or one JSON object a line to standard error.
struct StandardErrorHandler: LogHandler {
    let label: String
    let format: LogFormat
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        Terminal.say(line(event.level, "\(event.message)"))
    }

    /// Names from outside may hold line breaks.
    private static func onOneLine(_ message: String) -> String {
        String(String.UnicodeScalarView(message.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }

    func line(_ level: Logger.Level, _ message: String) -> String {
        switch format {
        case .text:
            let prefix = level >= .error ? "error: " : level == .warning ? "warning: " : ""
            return "\(label): \(prefix)\(Self.onOneLine(message))"
        case .json:
            let fields = [
                "time": Date.now.formatted(.iso8601), "stage": label, "level": level.rawValue, "message": message,
            ]
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try! encoder.encode(fields), as: UTF8.self)
        }
    }
}

/// Standard output for data, standard error for talk.
package enum Terminal {
    package static let errorIsTerminal = isatty(2) == 1

    /// A line on standard error; a closed pipe there is nobody's loss.
    package static func say(_ line: String) {
        try? writeAll(2, (errorIsTerminal ? "\r\u{1b}[K" : "") + line + "\n")
    }

    /// Data on standard output.
    /// - Returns: false when the reader has gone away (`| head`), which is no error.
    @discardableResult
    package static func write(_ text: String) throws -> Bool {
        do {
            try writeAll(1, text)
            return true
        } catch let error as LecternError {
            if errno == EPIPE { return false }
            throw error
        }
    }

    package static func status(_ line: String) { try? writeAll(2, "\r\u{1b}[K" + line) }

    private static func writeAll(_ descriptor: Int32, _ text: String) throws {
        var text = text
        try text.withUTF8 {
            try FileSystem.writeAll(
                descriptor, UnsafeRawBufferPointer($0), descriptor == 1 ? "standard output" : "standard error")
        }
    }
}
