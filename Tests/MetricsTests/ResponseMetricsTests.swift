// Proves the response metrics on rows worked out by hand.
import Metrics
import Testing

private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-9 }

@Suite struct ResponseMetricsTests {
    @Test func logLoss() {
        // z = log 3 is p = ¾: −log ¾ for the response, −log ¼ for the other; weights 3 and 1.
        let z = 1.098_612_288_668_109_8
        let loss = ResponseMetrics.logLoss(logits: [z, z], labels: [true, false], weights: [3, 1])
        #expect(close(loss, (3 * 0.287_682_072_451_780_9 + 1.386_294_361_119_890_6) / 4))
        #expect(close(ResponseMetrics.logLoss(logits: [-1_000], labels: [true]), 1_000))
        #expect(ResponseMetrics.logLoss(logits: [], labels: []) == 0)
    }

    @Test func auc() {
        // Responses .8 and .4 against .4 and .1: won, won, tied, won = 3.5 of 4.
        let value = ResponseMetrics.auc(scores: [0.8, 0.4, 0.4, 0.1], labels: [true, true, false, false])
        #expect(value == 0.875)
        #expect(ResponseMetrics.auc(scores: [1, 1, 1], labels: [true, false, true]) == 0.5)
        #expect(ResponseMetrics.auc(scores: [1, 2], labels: [true, true]) == nil)
        #expect(ResponseMetrics.auc(scores: [], labels: []) == nil)
    }

    @Test func groupedAUC() {
        // Group 7: 1; group 3: 0; group 5 has responses only.
        let result = ResponseMetrics.groupedAUC(
            scores: [0.1, 0.9, 0.5, 0.2, 0.3], labels: [false, false, true, true, true], groups: [7, 3, 7, 3, 5])
        #expect(result.mean == 0.5)
        #expect(result.groups == 2 && result.dropped == 1)
        let none = ResponseMetrics.groupedAUC(scores: [1], labels: [true], groups: [0])
        #expect(none.mean == nil && none.dropped == 1)
    }

    @Test func calibration() {
        // Four rows in two buckets: (.1, .3 → one response), (.5, .9 → weights 1 and 3, the second a response).
        let calibration = Calibration(
            probabilities: [0.9, 0.1, 0.5, 0.3], labels: [true, false, false, true], weights: [3, 1, 1, 1],
            bucketCount: 2)
        let (low, high) = (calibration.buckets[0], calibration.buckets[1])
        #expect(low.rows == 2 && close(low.predicted, 0.2) && close(low.observed, 0.5))
        #expect(high.weight == 4 && close(high.predicted, 0.8) && close(high.observed, 0.75))
        #expect(close(calibration.expectedError, (2 * 0.3 + 4 * 0.05) / 6))
        #expect(Calibration(probabilities: [0.5], labels: [true]).buckets.count == 1)
        #expect(Calibration(probabilities: [], labels: []).buckets.isEmpty)
    }
}
