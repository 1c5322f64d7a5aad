/// The exit codes of every executable (docs/operations.md), from sysexits.h.
package enum ExitCode: Int32, Sendable {
    case done = 0
    case usage = 64
    case badData = 65
    case inputMissing = 66
    case ourBug = 70
    case cannotCreate = 73
    case ioError = 74
    case locked = 75
    case configuration = 78
}

/// What a user can do something about: one line that names file, place, what was found, what was expected and what
/// to do. Our own mistakes are traps instead.
package struct LecternError: Error, CustomStringConvertible, Sendable {
    package let code: ExitCode
    package let message: String
    package var description: String { message }

    package init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }

    package static func data(_ message: String) -> LecternError { LecternError(.badData, message) }
    package static func missing(_ message: String) -> LecternError { LecternError(.inputMissing, message) }
    package static func configuration(_ message: String) -> LecternError { LecternError(.configuration, message) }
}
