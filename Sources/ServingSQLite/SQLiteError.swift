/// What SQLite says went wrong.
package struct SQLiteError: Error, CustomStringConvertible {
    package let path: String
    package let message: String
    package var description: String { "\(path): SQLite: \(message)" }
}
