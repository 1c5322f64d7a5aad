// Proves what ranks send each other: rows arrive as they were. Expected values: by hand.

import Foundation
import ShardKinds
import Testing

@Suite struct SentBetweenRanksTests {
    @Test func learnerMetrics() throws {
        var rows = MetricsShards.LearnerMetrics(models: ["popular", "blend"], depths: [50, 20])
        rows.ids = ["a", "ü\u{1f600}"]
        rows.history = [0, 7]
        rows.segments = ["", "staff"]
        rows.languages = ["de", ""]
        rows.rungs = ["trend", "towers"]
        rows.relevant = [2, 3]
        rows.ranks = [[[], [1, 4]], [[2], []]]
        let back = try PropertyListDecoder().decode(
            MetricsShards.LearnerMetrics.self, from: PropertyListEncoder().encode(rows))
        #expect(back.models == ["popular", "blend"] && back.depths == [50, 20])
        #expect(back.ids == ["a", "ü\u{1f600}"] && back.history == [0, 7] && back.relevant == [2, 3])
        #expect(back.segments == ["", "staff"] && back.languages == ["de", ""] && back.rungs == ["trend", "towers"])
        #expect(back.ranks == [[[], [1, 4]], [[2], []]])
    }
}
