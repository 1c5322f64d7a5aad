// Proves what ranks send each other: rows and counts arrive as they were, nothing is lost in plists and bytes. Expected
// values: by hand.

import Foundation
import Metrics
import ShardKinds
import Testing

@Suite struct SentBetweenRanksTests {
    private func sent<Value: Codable>(_ value: Value) throws -> Value {
        try PropertyListDecoder().decode(Value.self, from: PropertyListEncoder().encode(value))
    }

    @Test func learnerMetrics() throws {
        var rows = MetricsShards.LearnerMetrics(models: ["popular", "blend"], depths: [50, 20])
        rows.ids = ["a", "ü\u{1f600}"]
        rows.history = [0, 7]
        rows.segments = ["", "staff"]
        rows.languages = ["de", ""]
        rows.rungs = ["trend", "towers"]
        rows.relevant = [2, 3]
        rows.ranks = [[[], [1, 4]], [[2], []]]
        let back = try sent(rows)
        #expect(back.models == ["popular", "blend"] && back.depths == [50, 20])
        #expect(back.ids == ["a", "ü\u{1f600}"] && back.history == [0, 7] && back.relevant == [2, 3])
        #expect(back.segments == ["", "staff"] && back.languages == ["de", ""] && back.rungs == ["trend", "towers"])
        #expect(back.ranks == [[[], [1, 4]], [[2], []]])
    }

    @Test func listStatistics() throws {
        var statistics = ListStatistics(courseCount: 5, k: 2)
        statistics.add([4, 0, 1])
        statistics.add([4])
        var back = try sent(statistics)
        #expect(back.k == 2 && back.lists == 2 && back.counts == [1, 0, 0, 0, 2])
        back += statistics
        #expect(back.counts == [2, 0, 0, 0, 4] && back.lists == 4)
    }
}
