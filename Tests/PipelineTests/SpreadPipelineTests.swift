// Proves, with the real executables, that registered learners who never come do not move the ratio of spreads by which
// publish-run judges the refit. Expected: the same platform without them.

import Foundation
import Shards
import Testing

@Suite struct SpreadPipelineTests {
    private func ratios(_ place: Workplace, _ run: String, data: String) throws -> [Double] {
        let folder = "\(place.out)/\(run)"
        let prepared = try tool(
            "prepare-run", "--run", folder, "--config", root + "/pipeline.yaml", "--dataset",
            root + "/data/sample/dataset.yaml", "--data", data, "--set", Workplace.quick)
        #expect(prepared.code == 0, "\(prepared.errors)")
        for stage in PipelineTests.stages.prefix(6) {
            let done = try tool(stage, "--run", folder, "--threads", "2")
            #expect(done.code == 0, "\(stage): \(done.errors)")
        }
        let facts = try Manifest.read(stageFolder: folder + "/blended").manifest.facts
        return ["ncf", "glmix"].compactMap {
            if case .number(let ratio)? = facts["scale_ratio_\($0)"] { ratio } else { nil }
        }
    }

    @Test func whoNeverComesDoesNotCount() throws {
        let place = try Workplace()
        defer { place.remove() }
        let few = try ratios(place, "few", data: place.data)
        // Nine more of every learner, with the same profile and without an event.
        let more = place.folder + "/more"
        try FileManager.default.copyItem(atPath: place.data, toPath: more)
        let made = try execute([
            "bash", "-c",
            """
            zcat \(place.data)/learners.csv.gz | awk 'NR > 1 { for (i = 0; i < 9; i++) print "idle" i "-" $0 } { print }' \
            | gzip > \(more)/learners.csv.gz
            """,
        ])
        #expect(made.code == 0, "\(made.errors)")
        let many = try ratios(place, "many", data: more)
        let learners = try Manifest.read(stageFolder: "\(place.out)/many/blended").manifest.counts["learners ranked"]
        #expect(learners! > 2_000)
        #expect(few.count == 2 && many.count == 2)
        for (a, b) in zip(few, many) { #expect(abs(a - b) < 0.05 * a, "\(few), with idle learners \(many)") }
    }
}
