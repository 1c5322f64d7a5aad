import Serving
import Synchronization

/// All lists of a run in one SQLite file (docs/serving.md): serving without a server. Tables `recommendation`,
/// `default_list` and `related` are clustered by their keys (`WITHOUT ROWID`), so that a list lies together.
///
/// Rows arrive in any order, from several threads; they are staged beside the file and sorted into place by SQLite at
/// the end, so that equal lists give equal bytes whatever the number of threads. Memory: SQLite's caches, below
/// 100 MiB; disk: about twice the file while it is made, three times with the sort.
package final class SQLiteLists: Sendable {
    package static let fileName = "topk.sqlite"
    private let state: Mutex<State>
    private let path: String

    /// Used under the mutex alone.
    private struct State: @unchecked Sendable {
        let connection: Connection
        let list: Statement
        let entries: [ListKind: Statement]
        var rows = 0
    }

    /// - Parameters:
    ///   - path: of the file to make; must not exist.
    ///   - staging: of a file for staged rows; the caller removes it after `finish`.
    package init(path: String, staging: String) throws {
        self.path = path
        let connection = try Connection(path)
        try connection.execute(
            """
            PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536; PRAGMA temp_store = FILE;
            """)
        try connection.execute(Self.schema)
        let attach = try connection.prepare("ATTACH ? AS staging")
        attach.bind(1, staging)
        try attach.run()
        try connection.execute(
            """
            PRAGMA staging.journal_mode = OFF; PRAGMA staging.synchronous = OFF;
            CREATE TABLE staging.list (learner TEXT, rung TEXT, short TEXT);
            CREATE TABLE staging.recommendation (
                learner TEXT, rank INTEGER, course TEXT, score REAL, list_score REAL, reason TEXT, because TEXT);
            CREATE TABLE staging.default_list (
                segment TEXT, rank INTEGER, course TEXT, score REAL, list_score REAL, reason TEXT, because TEXT);
            CREATE TABLE staging.related (
                course TEXT, rank INTEGER, other TEXT, score REAL);
            BEGIN;
            """)
        let list = try connection.prepare("INSERT INTO staging.list VALUES (?, ?, ?)")
        let entries: [ListKind: Statement] = [
            .learner: try connection.prepare("INSERT INTO staging.recommendation VALUES (?, ?, ?, ?, ?, ?, ?)"),
            .segment: try connection.prepare("INSERT INTO staging.default_list VALUES (?, ?, ?, ?, ?, ?, ?)"),
            .course: try connection.prepare("INSERT INTO staging.related VALUES (?, ?, ?, ?)"),
        ]
        state = Mutex(State(connection: connection, list: list, entries: entries))
    }

    static let schema = """
        CREATE TABLE list (learner TEXT PRIMARY KEY, rung TEXT NOT NULL, short TEXT) WITHOUT ROWID;
        CREATE TABLE recommendation (
            learner TEXT, rank INTEGER, course TEXT NOT NULL, score REAL NOT NULL, list_score REAL NOT NULL,
            reason TEXT NOT NULL, because TEXT, PRIMARY KEY (learner, rank)) WITHOUT ROWID;
        CREATE TABLE default_list (
            segment TEXT, rank INTEGER, course TEXT NOT NULL, score REAL NOT NULL, list_score REAL NOT NULL,
            reason TEXT NOT NULL, because TEXT, PRIMARY KEY (segment, rank)) WITHOUT ROWID;
        CREATE TABLE related (
            course TEXT, rank INTEGER, other TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (course, rank))
            WITHOUT ROWID;
        CREATE TABLE course (id TEXT PRIMARY KEY, title TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """

    /// Adds lists. Safe from several threads.
    /// - Throws: `UnservableID` for a text with a NUL character, at which SQLite's own tools end a text.
    package func append(_ lists: [ServedList], _ kind: ListKind) throws {
        try state.withLock { state in
            for list in lists {
                try append(list, kind, &state)
            }
        }
    }

    private func append(_ list: ServedList, _ kind: ListKind, _ state: inout State) throws {
        let key = try checked(list.key) ?? ""
        if kind == .learner {
            state.list.bind(1, key)
            state.list.bind(2, list.rung)
            state.list.bind(3, list.short)
            try state.list.run()
        }
        let statement = state.entries[kind]!
        statement.bind(1, key)
        for entry in list.entries {
            statement.bind(2, entry.rank)
            statement.bind(3, try checked(entry.course))
            statement.bind(4, Double(entry.score))
            if kind != .course {
                statement.bind(5, Double(entry.listScore))
                statement.bind(6, entry.reason)
                statement.bind(7, try checked(entry.because))
            }
            try statement.run()
            state.rows += 1
        }
    }

    private func checked(_ text: String?) throws -> String? {
        if let text, text.utf8.contains(0) {
            throw UnservableID(id: text, format: "sqlite", reason: "it contains a NUL character")
        }
        return text
    }

    /// Sorts everything into place.
    /// - Returns: entries of all lists.
    package func finish(courses: [(id: String, title: String)], about: [(name: String, value: String)]) throws -> Int {
        try state.withLock { state in
            let connection = state.connection
            for (table, key) in [
                ("list", "learner"), ("recommendation", "learner, rank"), ("default_list", "segment, rank"),
                ("related", "course, rank"),
            ] {
                try connection.execute("INSERT INTO main.\(table) SELECT * FROM staging.\(table) ORDER BY \(key)")
            }
            try fill("course", courses.map { ($0.id, $0.title.utf8.contains(0) ? "" : $0.title) }, connection)
            try fill("about", about.map { ($0.name, $0.value) }, connection)
            try connection.execute("COMMIT")
            return state.rows
        }
    }

    private func fill(_ table: String, _ pairs: [(String, String)], _ connection: Connection) throws {
        let statement = try connection.prepare("INSERT INTO main.\(table) VALUES (?, ?)")
        for (a, b) in pairs {
            statement.bind(1, try checked(a))
            statement.bind(2, b)
            try statement.run()
        }
    }
}

/// Looks lists up in a finished file.
package struct SQLiteReader {
    private let connection: Connection

    package init(path: String) throws { connection = try Connection(path, isReadOnly: true) }

    /// The list of a learner, with the titles of its courses by the bytes of their ids; nil: there is no such learner.
    package func list(_ learner: String) throws -> (list: ServedList, titles: [[UInt8]: String])? {
        let about = try connection.prepare("SELECT rung, short FROM list WHERE learner = ?")
        about.bind(1, learner)
        guard try about.next() else { return nil }
        var list = ServedList(key: learner, rung: about.text(0), short: about.text(1), entries: [])
        let rows = try connection.prepare(
            """
            SELECT r.course, rank, score, list_score, reason, because, c.title, b.title FROM recommendation AS r
            JOIN course AS c ON c.id = r.course LEFT JOIN course AS b ON reason = 'watched' AND b.id = because
            WHERE learner = ? ORDER BY rank
            """)
        rows.bind(1, learner)
        var titles: [[UInt8]: String] = [:]
        while try rows.next() {
            let entry = ServedList.Entry(
                course: rows.text(0)!, rank: rows.integer(1), score: Float(rows.number(2)),
                listScore: Float(rows.number(3)), reason: rows.text(4), because: rows.text(5))
            titles[Array(entry.course.utf8)] = rows.text(6)
            if let because = entry.because, let title = rows.text(7) { titles[Array(because.utf8)] = title }
            list.entries.append(entry)
        }
        return (list, titles)
    }
}
