// Proves that a run can go on from an earlier one (glmix.prior) without counting a row twice or looking ahead, and that
// penalties can be tuned. Expected counts come from runs without a prior.
import Foundation
import Shards
import Testing

@Suite struct PriorTests {
    private func train(_ place: Workplace, _ run: String, asOf: String, _ set: String = "") throws -> Outcome {
        let folder = "\(place.out)/\(run)"
        let prepared = try tool(
            "prepare-run", "--run", folder, "--config", root + "/pipeline.yaml", "--dataset",
            root + "/data/sample/dataset.yaml", "--data", place.data, "--as-of", asOf, "--set", set)
        #expect(prepared.code == 0, "\(prepared.errors)")
        for stage in ["import-logs", "filter-watches"] {
            let done = try tool(stage, "--run", folder, "--threads", "1")
            #expect(done.code == 0, "\(done.errors)")
        }
        return try tool("train-glmix", "--run", folder, "--threads", "1")
    }

    private func manifest(_ place: Workplace, _ run: String) throws -> Manifest {
        try Manifest.read(stageFolder: "\(place.out)/\(run)/glmix").manifest
    }

    @Test func goesOnFromAnEarlierRun() throws {
        let place = try Workplace(learners: 400, courses: 60, days: 400)
        defer { place.remove() }
        let events = try execute([
            "bash", "-c", "zcat \(place.data)/engagements-*.csv.gz | cut -d, -f3 | grep ^2 | sort | tail -1",
        ])
        let last = Int64(ISO8601DateFormatter().date(from: time(events.output))!.timeIntervalSince1970)
        let (early, late) = ("\(last - 40 * 86_400)", "\(last - 5 * 86_400)")
        #expect(try train(place, "early", asOf: early).code == 0)
        #expect(try train(place, "whole", asOf: late).code == 0)
        let next = try train(place, "next", asOf: late, "glmix.prior=early")
        #expect(next.code == 0, "\(next.errors)")
        let (a, all, b) = (try manifest(place, "early"), try manifest(place, "whole"), try manifest(place, "next"))
        for label in ["positives", "negatives"] {
            let (first, rest) = (a.counts["refit: \(label)"]!, b.counts["refit: \(label)"]!)
            #expect(rest > 0 && first + rest == all.counts["refit: \(label)"]!, "\(label)")
        }
        #expect(b.inputs["prior"] != nil && all.inputs["prior"] == nil)
        guard case .number(let with)? = b.facts["validation: AUC"],
            case .number(let without)? = all.facts["validation: AUC"]
        else {
            Issue.record("no AUC")
            return
        }
        // few rows and their prior know about what all rows know
        #expect(with > without - 0.05)

        // a night without anything new: the prior itself
        let same = try train(place, "same", asOf: early, "glmix.prior=early")
        #expect(same.code == 0, "\(same.errors)")
        #expect(try manifest(place, "same").counts["refit: positives"] == 0)
        #expect(same.errors.contains("fit: no rows: the prior's means stay"), "\(same.errors)")
        let models = try ["early", "same"].map {
            try Shard(contentsOf: "\(place.out)/\($0)/glmix/refit/coefficients-global.safetensors.gz")
        }
        #expect(try models[0].flat("value", as: Double.self) == models[1].flat("value", as: Double.self))

        let ahead = try train(place, "ahead", asOf: early, "glmix.prior=whole")
        #expect(ahead.code == 78 && ahead.errors.contains("take an earlier run"), "\(ahead.errors)")
        try FileSystem.removeAll("\(place.out)/early")
        let absent = try tool("train-glmix", "--run", "\(place.out)/next")
        #expect(absent.code == 66, "\(absent.errors)")
    }

    /// The newest time in the generator's notation, as ISO 8601 with seconds and zone.
    private func time(_ text: String) -> String {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines).replacingOccurrences(of: " ", with: "T")
        return trimmed.hasSuffix("Z") ? trimmed : trimmed + "Z"
    }

    /// A number without a fraction comes back from JSON as an integer.
    private func number(_ value: Manifest.Fact?) -> Double? {
        switch value {
        case .number(let number)?: number
        case .integer(let integer)?: Double(integer)
        default: nil
        }
    }

    @Test func tunesPenaltiesOnHalfA() throws {
        let place = try Workplace(learners: 400, courses: 60, days: 400)
        defer { place.remove() }
        let tuned = try train(place, "tuned", asOf: "latest", "glmix.tune=3 glmix.refit=false")
        #expect(tuned.code == 0, "\(tuned.errors)")
        let facts = try manifest(place, "tuned").facts
        guard case .numbers(let losses)? = facts["tune: log loss by trial"],
            let l2 = number(facts["tune: l2 of global"])
        else {
            Issue.record("no trials in \(facts)")
            return
        }
        #expect(losses.count == 4 && losses.allSatisfy { $0 > 0 && $0 < 1 })
        #expect((losses.firstIndex(of: losses.min()!) == 0) == (l2 == 10))
    }
}
