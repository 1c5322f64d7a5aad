// Proves on a real run that make renders a report before it publishes, that a second make does nothing, that metrics.prom
// tells success and failure, and that the published runs are drawn. Expected: by hand from docs/operations.md.

import Foundation
import Shards
import Testing

@Suite(.serialized) struct ReportTests {
    private func metric(_ name: String, in path: String) throws -> Double? {
        let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test func aNightAndABadNight() throws {
        let place = try Workplace()
        defer { place.remove() }
        let asOf = "AS_OF=2025-06-03"
        let first = try place.make("run", asOf)
        #expect(first.code == 0, "\(first.errors)")
        let report = "\(place.out)/latest/report/index.html"
        let page = String(decoding: try FileSystem.read(report), as: UTF8.self)
        for figure in ["gates", "models", "slices", "map", "loss", "weights", "funnel", "windows", "cost", "lists"] {
            #expect(page.contains("id=\"figure-\(figure)\""), "\(figure)")
        }
        #expect(page.contains("Yes: no gate fails") && !page.contains("https:"))
        // What is published holds the report that says so.
        #expect(FileSystem.exists("\(place.out)/current/report/index.html"))
        let again = try place.make("run", asOf)
        #expect(again.code == 0 && !again.errors.contains("render-report: done"))

        let prom = "\(place.out)/metrics.prom"
        let success = try #require(try metric("lectern_last_success_timestamp_seconds", in: prom))
        #expect(success > 1_600_000_000)
        #expect(try metric("lectern_last_exit_code", in: prom) == 0)
        #expect(try metric("lectern_stage_last_exit_code{stage=\"export-topk\"}", in: prom) == 0)
        // 2025-06-03T00:00:00Z
        #expect(try metric("lectern_as_of_timestamp_seconds", in: prom) == 1_748_908_800)
        #expect(try #require(try metric("lectern_coverage_ratio", in: prom)) > 0)

        let drawn = try tool("render-report", "history", "--out", place.out)
        #expect(drawn.code == 0 && drawn.output.contains("2025-06-03-"), "\(drawn.errors)")
        #expect(FileSystem.exists("\(place.out)/history.html"))

        let bad = try place.make("run", asOf, "SET=\(Workplace.quick) publish.min_coverage=1 export.k=3")
        #expect(bad.code == 2)
        #expect(try metric("lectern_last_exit_code", in: prom) == 65)
        #expect(try metric("lectern_stage_last_exit_code{stage=\"publish-run\"}", in: prom) == 65)
        #expect(try metric("lectern_gate_passed{gate=\"coverage\"}", in: prom) == 0)
        #expect(try metric("lectern_last_success_timestamp_seconds", in: prom) == success)
        // The report of the run that must not be published says so, and shows what was published before.
        let refused = String(decoding: try FileSystem.read(report), as: UTF8.self)
        #expect(refused.contains("No: coverage failed.") && refused.contains("What was published before."))
    }
}
