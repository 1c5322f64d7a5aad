// Proves that every format is what its consumer reads: the files are loaded into the real programs, and ids are compared
// as bytes with those that went in. Expected NDCG: by ir_measures (trec_eval). Skipped where a program is not installed.

import Foundation
import Metrics
import Serving
import ServingSQLite
import Shards
import Testing

/// A list for each id, whose courses are that id and the next one.
private func lists(_ ids: [String]) -> [ServedList] {
    ids.indices.map { i in
        let courses = [ids[i], ids[(i + 1) % ids.count]]
        return ServedList(
            key: ids[i], rung: "towers",
            entries: courses.enumerated().map { rank, course in
                .init(
                    course: course, rank: rank + 1, score: 1.5 - Float(rank), listScore: 1.5 - Float(rank),
                    reason: "watched", because: course)
            })
    }
}

/// By learner and rank, as hexadecimal: what must come back.
private func expected(_ ids: [String]) -> Set<String> {
    Set(lists(ids).flatMap { list in list.entries.map { row(list.key!, $0.rank, $0.course) } })
}

private func row(_ key: String, _ rank: Int, _ course: String) -> String {
    "\(Hostile.hex(key)) \(rank) \(Hostile.hex(course))"
}

/// Writes the lists that a format can carry and returns the ids of the others, which it named.
private func refused(
    _ ids: [String], _ append: (ServedList) throws -> Void
) throws -> [String] {
    try ids.filter { id in
        do {
            try append(ServedList(key: id, entries: [.init(course: id, rank: 1, score: 1, listScore: 1)]))
            return false
        } catch let error as UnservableID {
            #expect(error.id == id)
            return true
        }
    }
}

/// Knuth's MMIX generator: the same numbers on every run.
private struct Congruential: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

@Suite(.serialized) struct ConsumerTests {
    @Test(.enabled(if: Consumers.hasRedis, "redis-server is not installed")) func redis() throws {
        #expect(Hostile.ids.count == 200 && Set(Hostile.ids.map(Hostile.hex)).count == 200)
        try Consumers.withFolder { folder in
            try Consumers.withRedis(folder) { cli in
                try load(Redis(version: "2025-06-03-aaaaaaaa", secondsToLive: 600), Hostile.ids, folder, cli)
                try redisHolds(Hostile.ids, "2025-06-03-aaaaaaaa", folder, cli)
                try cutLoadsChangeNothing(folder, cli)
            }
        }
    }

    /// The recipe of docs/serving.md.
    private func load(_ redis: Redis, _ ids: [String], _ folder: String, _ cli: String) throws {
        try writeRedis(redis, ids, folder)
        let outcome = try Consumers.run(
            ["bash", "-c", "set -o pipefail; cat topk.gz default.gz current.gz | gzip -dc | \(cli) --pipe"], in: folder)
        #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
    }

    private func writeRedis(_ redis: Redis, _ ids: [String], _ folder: String) throws {
        var (topk, defaults, pointer): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        for list in lists(ids) { redis.append(list, .learner, to: &topk) }
        redis.end("topk", to: &topk)
        redis.append(ServedList(key: nil, entries: lists(ids)[0].entries), .segment, to: &defaults)
        redis.end("default", to: &defaults)
        redis.setPointer(files: 2, to: &pointer)
        for (name, bytes) in [("topk", topk), ("default", defaults), ("current", pointer)] {
            try FileSystem.replace("\(folder)/\(name).gz", with: Gzip.compress(bytes))
        }
    }

    private struct Kept: Decodable {
        struct Course: Decodable { let id: String }
        let learner: String
        let courses: [Course]
    }

    private func redisHolds(_ ids: [String], _ version: String, _ folder: String, _ cli: String) throws {
        let current = try Consumers.run(["bash", "-c", cli + " get rec:current"]).output
        #expect(current == version + "\n")
        try FileSystem.createFolder(folder + "/keys")
        for (i, id) in ids.enumerated() {
            try FileSystem.write(Array("rec:\(version):\(id)".utf8), to: "\(folder)/keys/\(i)")
        }
        try Consumers.run(
            ["bash", "-c", "for i in keys/*; do \(cli) --raw -x get <$i >got-${i#keys/}; done"], in: folder)
        let expected = lists(ids)
        for i in ids.indices {
            // JSONSerialization drops a byte order mark at a string's start; JSONDecoder does not.
            let found = try JSONDecoder().decode(Kept.self, from: Data(FileSystem.read("\(folder)/got-\(i)")))
            #expect(Hostile.hex(found.learner) == Hostile.hex(ids[i]))
            #expect(found.courses.map { Hostile.hex($0.id) } == expected[i].entries.map { Hostile.hex($0.course) })
        }
        let ttl = try Consumers.run(["bash", "-c", "\(cli) --raw -x ttl <keys/0"], in: folder).output
        #expect((1...600).contains(Int(ttl.dropLast()) ?? -1))
    }

    /// A stream cut anywhere before its end, and one that lacks a file, leave the old lists current and in place.
    private func cutLoadsChangeNothing(_ folder: String, _ cli: String) throws {
        try writeRedis(Redis(version: "2025-06-10-bbbbbbbb", secondsToLive: 600), Hostile.ids, folder)
        for command in [
            "cat topk.gz default.gz current.gz | gzip -dc | head -c 20000 | \(cli) --pipe",
            "head -c 3000 topk.gz >cut.gz; (gzip -dc cut.gz; gzip -dc default.gz current.gz) | \(cli) --pipe",
            "cat default.gz current.gz | gzip -dc | \(cli) --pipe",
        ] {
            _ = try Consumers.run(["bash", "-c", "timeout 20 bash -c '\(command)'"], in: folder)
            let found = try Consumers.run(
                ["bash", "-c", "\(cli) get rec:current; \(cli) exists rec:2025-06-03-aaaaaaaa:null"]).output
            #expect(found == "2025-06-03-aaaaaaaa\n1\n", "\(command)")
        }
        try load(Redis(version: "2025-06-10-bbbbbbbb", secondsToLive: 600), Hostile.ids, folder, cli)
        #expect(try Consumers.run(["bash", "-c", cli + " get rec:current"]).output == "2025-06-10-bbbbbbbb\n")
    }

    @Test(.enabled(if: Consumers.hasPostgreSQL, "PostgreSQL is not installed")) func postgreSQL() throws {
        var scratch: [UInt8] = []
        let bad = try refused(Hostile.ids) { try TabSeparated.append($0, to: &scratch) }
        #expect(bad == Hostile.ids.filter { $0.utf8.contains(0) })
        let good = Hostile.ids.filter { !$0.utf8.contains(0) }
        var bytes: [UInt8] = []
        for list in lists(good) { try TabSeparated.append(list, to: &bytes) }
        try Consumers.withFolder { folder in
            try FileSystem.write(Gzip.compress(bytes), to: folder + "/topk.tsv.gz")
            let table =
                "(learner text, rank int, course text, score real, list_score real, reason text, because text, "
                + "rung text, PRIMARY KEY (learner, rank))"
            let script = """
                CREATE TABLE recommendation \(table);
                INSERT INTO recommendation VALUES ('old', 1, 'old', 0, 0, 'popular', NULL, 'trend');
                CREATE TABLE recommendation_new \(table);
                \\copy recommendation_new FROM PROGRAM 'gzip -dc \(folder)/topk.tsv.gz'
                BEGIN;
                DO $$ BEGIN IF (SELECT count(*) FROM recommendation_new) <> \(good.count * 2) THEN
                    RAISE EXCEPTION 'rows are missing'; END IF; END $$;
                DROP TABLE recommendation;
                ALTER TABLE recommendation_new RENAME TO recommendation;
                COMMIT;
                SELECT encode(convert_to(learner, 'UTF8'), 'hex') || ' ' || rank || ' '
                    || encode(convert_to(course, 'UTF8'), 'hex') FROM recommendation;
                """
            try FileSystem.write(Array(script.utf8), to: folder + "/load.sql")
            try Consumers.withPostgreSQL(folder) { psql in
                let outcome = try Consumers.run(psql + ["-q", "-f", folder + "/load.sql"], in: folder)
                #expect(outcome.code == 0, "\(outcome.errors)")
                let rows = Set(outcome.output.split(separator: "\n").map(String.init))
                #expect(rows == expected(good))
            }
        }
    }

    @Test(.enabled(if: Consumers.hasSQLite, "sqlite3 is not installed")) func sqlite() throws {
        let good = Hostile.ids.filter { !$0.utf8.contains(0) }
        try Consumers.withFolder { folder in
            func write(_ name: String, _ ids: [String]) throws {
                let made = try SQLiteLists(path: "\(folder)/\(name)", staging: "\(folder)/staging-\(name)")
                let bad = try refused(Hostile.ids.filter { $0.utf8.contains(0) }) { try made.append([$0], .learner) }
                #expect(bad.count == 3)
                for id in ids {
                    try made.append(lists(good).filter { Array($0.key!.utf8) == Array(id.utf8) }, .learner)
                }
                try made.append([ServedList(key: nil, entries: lists(good)[0].entries)], .segment)
                let rows = try made.finish(
                    courses: good.map { ($0, "Title of \($0)") }, about: [("as_of", "2025-06-03")])
                #expect(rows == good.count * 2 + 2)
            }
            try write("a.sqlite", good)
            // The order in which lists arrive changes nothing.
            try write("b.sqlite", good.reversed())
            #expect(try FileSystem.read(folder + "/a.sqlite") == FileSystem.read(folder + "/b.sqlite"))
            let outcome = try Consumers.run([
                "sqlite3", folder + "/a.sqlite",
                "PRAGMA integrity_check; SELECT lower(hex(learner)) || ' ' || rank || ' ' || lower(hex(course)) "
                    + "FROM recommendation",
            ])
            let rows = outcome.output.split(separator: "\n").map(String.init)
            #expect(rows.first == "ok" && Set(rows.dropFirst()) == expected(good), "\(outcome.errors)")
            let plan = try Consumers.run([
                "sqlite3", folder + "/a.sqlite",
                "EXPLAIN QUERY PLAN SELECT * FROM recommendation WHERE learner = 'null' ORDER BY rank",
            ]).output
            #expect(plan.contains("USING PRIMARY KEY") && !plan.contains("TEMP B-TREE"))
            let reader = try SQLiteReader(path: folder + "/a.sqlite")
            for list in lists(good) {
                let found = try #require(try reader.list(list.key!))
                #expect(found.list == list)
            }
            #expect(try reader.list("nobody") == nil)
        }
    }

    @Test(.enabled(if: Consumers.hasDuckDB, "DuckDB for Python is not installed")) func duckDB() throws {
        var bytes: [UInt8] = []
        for list in lists(Hostile.ids) { JSONLines.append(list, .learner, to: &bytes) }
        try Consumers.withFolder { folder in
            try FileSystem.write(Gzip.compress(bytes), to: folder + "/topk.jsonl.gz")
            let program = """
                import duckdb, sys
                rows = duckdb.sql(f"SELECT learner, unnest(courses) AS c FROM read_json('{sys.argv[1]}', \
                format='newline_delimited', columns={{learner: 'VARCHAR', courses: 'STRUCT(id VARCHAR, rank INTEGER)[]'}})")
                for learner, course in rows.fetchall():
                    print(learner.encode().hex(), course['rank'], course['id'].encode().hex())
                """
            let rows = try Consumers.python(program, needs: "duckdb", folder + "/topk.jsonl.gz")
            #expect(Set(rows) == expected(Hostile.ids))
        }
    }

    @Test(.enabled(if: Consumers.hasMeasures, "ir_measures is not installed")) func measures() throws {
        var random = Congruential(state: 20_250_603)
        var (run, qrels): ([UInt8], String) = ([], "")
        var ours: [String: Double] = [:]
        for topic in 0..<40 {
            let courses = (0..<60).map { UInt32($0) }.shuffled(using: &random)
            // Ties of three: trec_eval would order them by name, had not each got a score of its own.
            let entries = courses.enumerated().map { at, course in
                ServedList.Entry(
                    course: "c\(course)", rank: at + 1, score: 1 - Float(at / 3), listScore: 1 - Float(at / 3))
            }
            try TREC.append(ServedList(key: "l\(topic)", entries: entries), .learner, to: &run)
            let relevant = Set((0..<Int.random(in: 1...30)).map { _ in UInt32.random(in: 0..<80) })
            for course in relevant { qrels += "l\(topic) 0 c\(course) 1\n" }
            ours["l\(topic)"] = RankedHits(ranked: courses, relevant: ArraySlice(relevant.sorted())).ndcg(at: 20)
        }
        var scratch: [UInt8] = []
        let bad = try refused(Hostile.ids) { try TREC.append($0, .learner, to: &scratch) }
        let good = Hostile.ids.filter { !bad.contains($0) }
        #expect(good.contains("../../etc/passwd") && good.contains("😀👩‍👩‍👧"))
        #expect(bad.contains("a b") && bad.contains("\u{85}next"))
        var hostile: [UInt8] = []
        for list in lists(good) { try TREC.append(list, .learner, to: &hostile) }
        try Consumers.withFolder { folder in
            try FileSystem.write(run, to: folder + "/run")
            try FileSystem.write(Array(qrels.utf8), to: folder + "/qrels")
            try FileSystem.write(hostile, to: folder + "/hostile")
            let program = """
                import ir_measures, sys
                folder = sys.argv[1]
                run = list(ir_measures.read_trec_run(folder + "/run"))
                for m in ir_measures.iter_calc([ir_measures.nDCG @ 20], ir_measures.read_trec_qrels(folder + "/qrels"), run):
                    print("ndcg", m.query_id, repr(m.value))
                rank = {}
                for row in ir_measures.read_trec_run(folder + "/hostile"):
                    rank[row.query_id] = rank.get(row.query_id, 0) + 1
                    print("row", row.query_id.encode().hex(), rank[row.query_id], row.doc_id.encode().hex())
                """
            let lines = try Consumers.python(program, needs: "ir_measures", folder).map { $0.split(separator: " ") }
            let theirs = lines.filter { $0[0] == "ndcg" }
            #expect(theirs.count == 40)
            for line in theirs { #expect(abs(ours[String(line[1])]! - Double(line[2])!) < 1e-6, "\(line)") }
            let rows = lines.filter { $0[0] == "row" }.map { $0.dropFirst().joined(separator: " ") }
            #expect(Set(rows) == expected(good))
        }
    }
}
