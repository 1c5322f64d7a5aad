// The real programs that lists are loaded into: found, started and stopped by the tests themselves, each in a folder of
// its own, reachable from nowhere else.

import Foundation
import Shards
import Testing

enum Consumers {
    /// First of the paths or of PATH that can be run.
    static func find(_ name: String) -> String? {
        let folders =
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
            + ((try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []).sorted().reversed()
            .map { "/usr/lib/postgresql/\($0)/bin" }
        return folders.map { $0 + "/" + name }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let hasRedis = find("redis-server") != nil && find("redis-cli") != nil
    static let hasPostgreSQL = find("initdb") != nil && find("pg_ctl") != nil && find("psql") != nil
    static let hasSQLite = find("sqlite3") != nil
    static let hasDuckDB = python("import duckdb") != nil
    static let hasMeasures = python("import ir_measures") != nil

    /// A Python that can run a line: LECTERN_PYTHON, the one that CI makes, the system's.
    private static func python(_ line: String) -> String? {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let own = ProcessInfo.processInfo.environment["LECTERN_PYTHON"]
        return [own, root + "/.venv-ci/bin/python", find("python3")].compactMap { $0 }.first {
            (try? run([$0, "-c", line]))?.code == 0
        }
    }

    static func python(_ program: String, needs: String, _ arguments: String...) throws -> [String] {
        let python = try #require(Self.python("import " + needs))
        let outcome = try run([python, "-c", program] + arguments)
        #expect(outcome.code == 0, "\(outcome.errors)")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    @discardableResult
    static func run(_ command: [String], in folder: String = "/") throws -> (
        code: Int32, output: String, errors: String
    ) {
        let io = NSTemporaryDirectory() + "lectern-io-\(UUID().uuidString)"
        try FileSystem.createFolder(io)
        defer { try? FileSystem.removeAll(io) }
        for name in ["out", "err"] { try FileSystem.write([], to: "\(io)/\(name)") }
        let code = try spawn(["/usr/bin/env", "-C", folder] + command, output: io + "/out", errors: io + "/err")
        return (
            code, String(decoding: try FileSystem.read(io + "/out"), as: UTF8.self),
            String(decoding: try FileSystem.read(io + "/err"), as: UTF8.self)
        )
    }

    /// Foundation's Process waits for all that a command leaves behind, a server that it started included.
    private static func spawn(_ command: [String], output: String, errors: String) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY, 0)
        let arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, command[0], &actions, nil, arguments, environ) == 0)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    /// A folder short enough for sockets, gone afterwards.
    static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/lectern-\(UUID().uuidString.prefix(8))"
        try FileSystem.createFolder(folder)
        defer { try? FileSystem.removeAll(folder) }
        try body(folder)
    }

    /// A Redis server on a socket in the folder.
    static func withRedis(_ folder: String, _ body: (_ cli: String) throws -> Void) throws {
        let cli = "redis-cli -s \(folder)/redis.sock"
        try run([
            find("redis-server")!, "--port", "0", "--unixsocket", folder + "/redis.sock", "--save", "", "--dir", folder,
            "--daemonize", "yes",
        ])
        defer { _ = try? run(["bash", "-c", cli + " shutdown nosave"]) }
        var isUp = false
        for _ in 0..<300 where !isUp {
            isUp = try run(["bash", "-c", cli + " ping"]).output == "PONG\n"
            if !isUp { usleep(100_000) }
        }
        try #require(isUp, "redis-server does not answer")
        try body(cli)
    }

    /// A PostgreSQL server on a socket in the folder. It refuses to run as root, so root runs it as `postgres`.
    static func withPostgreSQL(_ folder: String, _ body: (_ psql: [String]) throws -> Void) throws {
        let isRoot = geteuid() == 0
        let user = isRoot ? ["runuser", "-u", "postgres", "--"] : []
        if isRoot { try run(["chown", "-R", "postgres", folder]) }
        func must(_ command: [String]) throws {
            let outcome = try run(user + command, in: folder)
            try #require(outcome.code == 0, "\(command): \(outcome.errors)")
        }
        let data = folder + "/data"
        try must([
            find("initdb")!, "-D", data, "-U", "lectern", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
        ])
        try must([
            find("pg_ctl")!, "-D", data, "-l", folder + "/server.log", "-w", "-t", "120", "-o",
            "-k \(folder) -c listen_addresses='' -c fsync=off", "start",
        ])
        defer { _ = try? run(user + [find("pg_ctl")!, "-D", data, "-m", "immediate", "-w", "stop"], in: folder) }
        try body(
            user + [
                find("psql")!, "-h", folder, "-U", "lectern", "-d", "postgres", "-X", "-v", "ON_ERROR_STOP=1", "-At",
            ])
    }
}

/// 200 ids that are hard to carry.
enum Hostile {
    static let ids: [String] = {
        let bases = [
            "../../etc/passwd", "a\"b'c", "tab\there", "line\nbreak", "return\rhere", "back\\slash", "\\N", "\\.",
            "عربي ‏קצת", "{\"learner\":1}", "\u{2028}\u{2029}", "😀👩‍👩‍👧", "a b", " leading", "trailing ", "a,b;c|d",
            "'; DROP TABLE recommendation; --", "$6\r\nfoobar\r\n", "*1\r\n$7\r\nFLUSHDB", "%00%0a", "é", "e\u{301}",
            "\u{feff}bom", "null", "0", "-1", "1e5", "NaN", "\u{85}next", "nbsp\u{a0}x", "\u{7f}", "a:b:c", "#hash",
        ]
        var ids = bases + (1..<32).map { "c\(UnicodeScalar(UInt8($0)))d" }
        ids += [String(repeating: "x", count: 1_000), String(repeating: "\\\"\n", count: 333)]
        ids += ["nul\u{0}l", "\u{0}", "end\u{0}"]
        var next = 0
        while ids.count < 200 {
            ids.append("\(bases[next % bases.count])/\(next)\(bases[(next * 7 + 3) % bases.count])")
            next += 1
        }
        return ids
    }()

    static func hex(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
