import LinearAlgebra
import Platform
import Ranking
import ShardKinds
import Shards
import StageKit

/// Lists for learners unknown to the run: one for everybody, one by segment.
struct DefaultLists {
    let inputs: ExportInputs

    init(_ inputs: ExportInputs) { self.inputs = inputs }

    func write(_ formats: ServingFiles) throws {
        let candidates = try BlendedShards.candidates(inputs.blended.shard(BlendedShards.defaults))
        let segments = inputs.learnerDictionaries[BlendSegments.column]?.values ?? []
        guard candidates.lists.count == segments.count + 1 else {
            throw LecternError.data(
                "\(inputs.blended.folder)/\(BlendedShards.defaults): \(candidates.lists.count) rows, expected "
                    + "\(segments.count + 1); run make blend")
        }
        let anyone = ListRules.Learner()
        var top = TopLists()
        for row in 0..<candidates.lists.count {
            let range = candidates.lists.range(row)
            let list = inputs.rules.list(
                candidates.lists.courses[range], candidates.lists.scores[range], wanted: inputs.blend.candidates,
                learner: anyone)
            let rows = list.positions.map { range.lowerBound + $0 }
            let reason: (Reason, UInt32) = (row == 0 ? .popular : .popularInSegment, 0)
            top.append(
                rows.map { candidates.lists.courses[$0] }, scores: rows.map { candidates.lists.scores[$0] }, list,
                rows.map { _ in reason }, row == 0 ? .trend : .segment)
            if let problem = inputs.rules.problem(top, list: row, learner: anyone) {
                preconditionFailure("default list \(row): \(problem)")
            }
        }
        try inputs.stage.write(TopKShards.encodeDefaults(top), as: TopKShards.defaults)
        try formats.write(top, keys: [nil] + segments, .segment, name: "default", shard: nil, fits: [])
    }
}

/// The courses closest to each course by the cosine of NCF's course embeddings, those left out that nobody gets.
struct RelatedLists {
    let inputs: ExportInputs

    init(_ inputs: ExportInputs) { self.inputs = inputs }

    func write(_ formats: ServingFiles) throws {
        let all = try NCFShards.related(inputs.ncf)
        var related = RankedLists()
        for course in 0..<inputs.catalogue.count {
            let rows = all.range(course).filter { !inputs.rules.barredCourses[Int(all.columns[$0])] }
                .prefix(inputs.settings.related)
            related.courses += rows.map { all.columns[$0] }
            related.scores += rows.map { all.values[$0] }
            related.offsets.append(related.courses.count)
        }
        try check(related)
        inputs.stage.count("related courses", related.courses.count)
        try inputs.stage.write(TopKShards.encodeRelated(related), as: TopKShards.related)
        try formats.write(related: related)
    }

    private func check(_ related: RankedLists) throws {
        for course in 0..<related.count {
            let range = related.range(course)
            for at in range {
                precondition(related.courses[at] != UInt32(course) && related.scores[at].isFinite)
                precondition(at == range.lowerBound || related.scores[at - 1] >= related.scores[at])
            }
        }
    }
}
