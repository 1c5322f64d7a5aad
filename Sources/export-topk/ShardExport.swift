import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

/// The final lists of one learner shard.
struct ShardExport {
    let inputs: ExportInputs
    let shard: Int
    let learners: Learners
    let rules: LearnerRules
    let candidates: Candidates

    init(_ inputs: ExportInputs, shard: Int) throws {
        (self.inputs, self.shard) = (inputs, shard)
        learners = try LogsShards.learners(inputs.logs.shard(LogsShards.learners(shard, of: inputs.shards)))
        rules = try LearnerRules(inputs, shard: shard, learners: learners)
        candidates = try BlendedShards.candidates(
            inputs.blended.shard(BlendedShards.candidates(shard, of: inputs.shards)))
        guard candidates.lists.count == learners.count else {
            throw LecternError.data(
                "\(inputs.blended.folder): shard \(shard): \(candidates.lists.count) candidate lists, \(learners.count) "
                    + "learners; run make blend")
        }
    }

    func write(_ formats: ServingFiles) throws -> ListTally {
        var explainer = try Explainer(inputs, shard: shard, learners: learners)
        let top = lists(&explainer)
        try check(top)
        let stage = inputs.stage
        try stage.write(TopKShards.encode(top, ids: learners.ids), as: TopKShards.topk(shard, of: inputs.shards))
        try stage.write(
            LogsShards.encode(ValueDictionary(values: explainer.fits)), as: TopKShards.fits(shard, of: inputs.shards))
        try formats.write(
            top, keys: learners.ids, .learner, name: "topk", shard: (shard, inputs.shards), fits: explainer.fits)
        var tally = ListTally(courses: inputs.catalogue.count)
        tally.add(top)
        return tally
    }

    private func lists(_ explainer: inout Explainer) -> TopLists {
        var top = TopLists()
        for learner in 0..<learners.count {
            let range = candidates.lists.range(learner)
            let list = inputs.rules.list(
                candidates.lists.courses[range], candidates.lists.scores[range], wanted: inputs.blend.candidates,
                learner: rules.learners[learner])
            let rows = list.positions.map { range.lowerBound + $0 }
            let courses = rows.map { candidates.lists.courses[$0] }
            let reasons = explainer.reasons(learner, courses)
            top.append(
                courses, scores: rows.map { candidates.lists.scores[$0] }, list, reasons, explainer.rung(learner))
        }
        return top
    }

    /// The last check before the commit.
    private func check(_ top: TopLists) throws {
        precondition(top.lists.count == learners.count && top.rungs.count == learners.count)
        for learner in 0..<learners.count {
            if let problem = inputs.rules.problem(top, list: learner, learner: rules.learners[learner]) {
                preconditionFailure("shard \(shard), learner \(learners.ids[learner]): \(problem)")
            }
        }
    }
}

extension TopLists {
    mutating func append(
        _ courses: [UInt32], scores: [Float], _ list: ListRules.List, _ reasons: [(reason: Reason, because: UInt32)],
        _ rung: Rung
    ) {
        lists.courses += courses
        lists.scores += scores
        lists.offsets.append(lists.courses.count)
        listScores += list.listScores
        self.reasons += reasons.map(\.reason)
        because += reasons.map(\.because)
        rungs.append(rung)
        shortness.append(list.shortness)
    }
}
