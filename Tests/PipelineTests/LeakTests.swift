// Proves that no event at or after T influences anything, and none at or after t_v the validation fits: a run twice, the second with every later event changed,
// removed or added, a course that exists only after T, a retirement after T and malformed late rows. All shards but
// logs/after/ and metrics/ must be equal. Expected values: the first run's bytes. `make leak-check` runs this.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct LeakTests {
    /// The sample's T.
    static let asOf = "2025-06-03"

    @Test func theFutureHasNoInfluence() throws {
        let place = try Workplace()
        defer { place.remove() }
        let first = try place.make("stages", run: "a", "AS_OF=\(Self.asOf)")
        #expect(first.code == 0, "\(first.errors)")
        let changed = try rewriteFuture(place.data)
        #expect(changed > 100, "the fixture has too few late events to prove anything")
        let second = try place.make("stages", run: "b", "AS_OF=\(Self.asOf)")
        #expect(second.code == 0, "\(second.errors)")
        let a = try shards(place, "a")
        let b = try shards(place, "b")
        #expect(a.count > 50 && a.keys.sorted() == b.keys.sorted())
        #expect(a.filter { b[$0.key] != $0.value }.keys.sorted() == [])
        // The future itself did change, or nothing was proved.
        let after = "logs/after/watches-00000-of-00016.safetensors.gz"
        let found = try ["a", "b"].map { try Shard(contentsOf: "\(place.out)/\($0)/\(after)").digest }
        #expect(found[0] != found[1])
    }

    /// t_v of the sample's T and a label window of 28 days.
    static let validation = "2025-05-06"

    /// The same at t_v: what follows it may choose among fits (epochs, α, the blend's weights) but reaches none. In the second
    /// run events of the validation window are of another course, or doubled.
    @Test func theValidationWindowReachesNoFit() throws {
        let place = try Workplace()
        defer { place.remove() }
        let a = try fitted(place, "a")
        for name in try FileSystem.list(place.data) where name.hasPrefix("watches") || name.hasPrefix("engagements") {
            try rewriteWindow("\(place.data)/\(name)")
        }
        let b = try fitted(place, "b")
        let seconds = Int(ISO8601DateFormatter().date(from: Self.validation + "T00:00:00Z")!.timeIntervalSince1970)
        func isBefore(_ path: String) -> Bool {
            if path.hasPrefix("glmix/fit/") { return !path.contains("calibration") && !path.contains("groups") }
            guard path.hasPrefix("cowatch/"), let time = path.split(separator: "-").last.flatMap({ Int($0.prefix(10)) })
            else { return false }
            return time <= seconds
        }
        let fits = a.filter { isBefore($0.key) }
        for kind in ["cowatch/", "glmix/fit/coeff"] { #expect(fits.keys.contains { $0.hasPrefix(kind) }, "\(kind)") }
        #expect(fits.filter { b[$0.key] != $0.value }.keys.sorted() == [])
        // The window itself did change, or nothing was proved.
        for name in ["glmix/refit/coefficients-global", "glmix/fit/calibration"] {
            let path = a.keys.first { $0.hasPrefix(name) }
            #expect(path.map { a[$0] != b[$0] } == true, "\(name)")
        }
    }

    /// Digests of a run as far as GLMix.
    private func fitted(_ place: Workplace, _ run: String) throws -> [String: String] {
        let folder = "\(place.out)/\(run)"
        let prepared = try tool(
            "prepare-run", "--run", folder, "--config", root + "/pipeline.yaml", "--dataset",
            root + "/data/sample/dataset.yaml", "--data", place.data, "--as-of", Self.asOf, "--set",
            "filter.label_window=28d filter.snapshots=3")
        #expect(prepared.code == 0, "\(prepared.errors)")
        for stage in ["import-logs", "filter-watches", "build-cooccurrence", "train-glmix"] {
            let done = try tool(stage, "--run", folder, "--threads", "1")
            #expect(done.code == 0, "\(done.errors)")
        }
        return try place.digests(run: run)
    }

    private func rewriteWindow(_ path: String) throws {
        let lines = try text(path).split(separator: "\n").map(String.init)
        let rows = lines.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        let known = rows.min { $0[2] < $1[2] }![1]
        var out = [lines[0]]
        for (at, row) in rows.enumerated() {
            out.append(row.joined(separator: ","))
            if row[2] < Self.validation || row[2] >= Self.asOf { continue }
            var changed = row
            changed[1] = known
            if at % 3 == 0 { out[out.count - 1] = changed.joined(separator: ",") }
            if at % 3 == 1 { out.append(changed.joined(separator: ",")) }
        }
        try FileSystem.write(Array((out.joined(separator: "\n") + "\n").utf8), to: path)
    }

    /// Shards by path, without what may see the future.
    private func shards(_ place: Workplace, _ run: String) throws -> [String: String] {
        try place.digests(run: run).filter { path, _ in
            path.hasSuffix(ShardName.suffix) && !path.hasPrefix("logs/after/") && !path.hasPrefix("metrics/")
        }
    }

    /// Rewrites all event files and the catalogue; returns how many late rows were touched.
    private func rewriteFuture(_ data: String) throws -> Int {
        var touched = 0
        for name in try FileSystem.list(data) where name.hasPrefix("watches") || name.hasPrefix("engagements") {
            let path = "\(data)/\(name)"
            let lines = try text(path).split(separator: "\n").map(String.init)
            var out = [lines[0]]
            for line in lines.dropFirst() {
                var fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                guard fields[2] >= Self.asOf else {
                    out.append(line)
                    continue
                }
                touched += 1
                switch touched % 3 {
                case 0: continue
                case 1:
                    fields[1] = "c00007"
                    out.append(fields.joined(separator: ","))
                default:
                    fields[0] = "a-learner-only-of-the-future-\(touched % 50)"
                    fields[1] = "zz-course-only-of-the-future"
                    out += [line, fields.joined(separator: ",")]
                }
            }
            out.append("u1,c1,\(Self.asOf)T25:00:00Z,malformed,late")
            try FileSystem.write(Array((out.joined(separator: "\n") + "\n").utf8), to: path)
        }
        try rewriteCatalogue(data + "/courses.csv")
        return touched
    }

    private func rewriteCatalogue(_ path: String) throws {
        var lines = try text(path).split(separator: "\n").map(String.init)
        let columns = lines[0].split(separator: ",").count
        lines.append(
            (["zz-course-only-of-the-future", "Tomorrow", "xx", "2025-06-20"]
                + [String](repeating: "", count: columns - 4)).joined(separator: ","))
        // One course that retires after T.
        let last = lines.indices.last { lines[$0].contains("-") && !lines[$0].contains("\"") && $0 < lines.count - 1 }!
        var fields = lines[last].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if fields[4].isEmpty { fields[4] = "2025-06-25" }
        lines[last] = fields.joined(separator: ",")
        try FileSystem.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: path)
    }

    /// A file's text, gzipped or not.
    private func text(_ path: String) throws -> String { try execute(["zcat", "-f", path]).output }
}
