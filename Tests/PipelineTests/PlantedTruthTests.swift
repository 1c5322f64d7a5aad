// Proves on a generated platform, whose truth is known, that the models find what was planted: courses of one language
// and topic lie together, learner and course effects add to the global part, and the blend is at least as good as each
// model. Expected values: base rates computed here from the catalogue; margins far below what was seen (docs/
// benchmarks.md), far above chance.

import Foundation
import ShardKinds
import Shards
import Testing

@Suite(.serialized) struct PlantedTruthTests {
    @Test func modelsFindWhatWasPlanted() throws {
        let place = try Workplace(learners: 4_000, courses: 500, days: 500)
        defer { place.remove() }
        let outcome = try place.make("stages", "SET=run.seed=1")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let run = "\(place.out)/latest"
        try coursesOfOneKindLieTogether(run)
        try effectsAddToTheGlobalPart(run)
        try blendIsAtLeastAsGood(run)
    }

    /// Share of the ten nearest courses with the same language (topic), beside the share among random pairs.
    private func coursesOfOneKindLieTogether(_ run: String) throws {
        let logs = try StageInput(run: run, stage: "import-logs", folder: "logs")
        let topk = try StageInput(run: run, stage: "export-topk", folder: "topk")
        let courses = try logs.shard(LogsShards.courses)
        let related = try TopKShards.related(topk.shard(TopKShards.related))
        for (column, factor) in [("language", 1.3), ("topic", 4.0)] {
            let codes: [UInt32] = try courses.values("attribute." + column)
            var sizes: [UInt32: Double] = [:]
            for code in codes { sizes[code, default: 0] += 1 }
            let base = sizes.values.reduce(0) { $0 + $1 * $1 } / Double(codes.count * codes.count)
            var (same, all) = (0.0, 0.0)
            for course in 0..<related.count {
                for neighbour in related[course].prefix(10) {
                    same += codes[Int(neighbour)] == codes[course] ? 1 : 0
                    all += 1
                }
            }
            #expect(all > 1_000)
            #expect(same / all > factor * base, "\(column): share \(same / all), base rate \(base)")
        }
    }

    private func effectsAddToTheGlobalPart(_ run: String) throws {
        let facts = try Manifest.read(stageFolder: run + "/glmix").manifest.facts
        guard case .number(let both)? = facts["validation: AUC"],
            case .number(let fixed)? = facts["validation: AUC of the fixed effect"]
        else {
            Issue.record("glmix/manifest.json has no AUC")
            return
        }
        #expect(both > fixed + 0.02, "AUC \(both) with effects, \(fixed) without")
    }

    private func blendIsAtLeastAsGood(_ run: String) throws {
        let blended = try StageInput(run: run, stage: "blend", folder: "blended")
        let table = try BlendedShards.validation(blended.shard(BlendedShards.validation))
        for other in ["ncf", "glmix", "popular"] {
            let entry = table.first {
                $0.model == "blend" && $0.against == other && $0.group == "all" && $0.metric == "ndcg"
            }
            #expect((entry?.mean ?? -1) > 0, "blend − \(other): \(String(describing: entry))")
        }
    }
}
