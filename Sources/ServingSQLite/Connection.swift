import CSQLite

#if canImport(Glibc)
    import Glibc
#endif

/// One open database file. Not for several threads at once.
final class Connection: @unchecked Sendable {
    let path: String
    private let handle: OpaquePointer

    init(_ path: String, isReadOnly: Bool = false) throws {
        var opened: OpaquePointer?
        let flags = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard let handle = opened, code == SQLITE_OK else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "cannot open"
            sqlite3_close_v2(opened)
            throw SQLiteError(path: path, message: message)
        }
        (self.path, self.handle) = (path, handle)
    }

    deinit { sqlite3_close_v2(handle) }

    func execute(_ statements: String) throws {
        guard sqlite3_exec(handle, statements, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    func prepare(_ statement: String) throws -> Statement {
        var made: OpaquePointer?
        guard sqlite3_prepare_v3(handle, statement, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil) == SQLITE_OK
        else { throw failure() }
        return Statement(made!, self)
    }

    func failure() -> SQLiteError { SQLiteError(path: path, message: String(cString: sqlite3_errmsg(handle))) }
}

/// A prepared statement. Parameters are bound in order, from 1.
final class Statement {
    private let handle: OpaquePointer
    private let connection: Connection

    init(_ handle: OpaquePointer, _ connection: Connection) { (self.handle, self.connection) = (handle, connection) }

    deinit { sqlite3_finalize(handle) }

    func bind(_ at: Int32, _ text: String?) {
        guard let text else {
            sqlite3_bind_null(handle, at)
            return
        }
        // SQLITE_TRANSIENT: SQLite copies the bytes.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let count = text.utf8.count
        text.withCString { _ = sqlite3_bind_text64(handle, at, $0, UInt64(count), transient, UInt8(SQLITE_UTF8)) }
    }

    func bind(_ at: Int32, _ value: Int) { sqlite3_bind_int64(handle, at, Int64(value)) }
    func bind(_ at: Int32, _ value: Double) { sqlite3_bind_double(handle, at, value) }

    /// Runs a statement that returns no rows, and makes it ready for the next.
    func run() throws {
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw connection.failure() }
    }

    /// Whether there is another row.
    func next() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw connection.failure()
        }
    }

    func text(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func number(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }
    func integer(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
}
