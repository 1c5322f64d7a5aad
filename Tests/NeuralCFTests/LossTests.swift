// Losses of one row against plain loops in double with libm, and the sampling correction against the full softmax.
import Foundation
import LinearAlgebra
import NeuralCF
import Testing

@Suite struct LossTests {
    let logits: [Float] = [0.5, -1, 2, 0.25, RowLoss.excluded, 1.5, -0.5]
    let open = [0, 1, 2, 3, 5, 6]
    let labels = [2, 3]

    private func run(_ body: (UnsafeMutablePointer<Float>) -> Double) -> (Double, [Float]) {
        var row = logits
        let loss = row.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
        return (loss, row)
    }

    private func exps(_ list: [Int]) -> Double { list.reduce(0) { $0 + exp(Double(logits[$1])) } }

    @Test func softmaxOverAllCandidates() {
        let (loss, gradient) = run { RowLoss.softmax($0, 7, labels: labels, rho: 0.5) }
        let weight = pow(2, -0.5)
        let expected = weight * labels.reduce(0) { $0 + log(exps(open)) - Double(logits[$1]) }
        #expect(abs(loss - expected) < 1e-5)
        for i in open {
            let p = exp(Double(logits[i])) / exps(open)
            #expect(abs(Double(gradient[i]) - weight * (2 * p - (labels.contains(i) ? 1 : 0))) < 1e-6)
        }
        #expect(gradient[4] == 0, "no candidate, no gradient")
    }

    @Test func bceOverAllCandidates() {
        let (loss, gradient) = run { RowLoss.bce($0, 7, labels: labels) }
        var expected = 0.0
        for i in open { expected += log(1 + exp(Double(logits[i]))) - (labels.contains(i) ? Double(logits[i]) : 0) }
        #expect(abs(loss - expected) < 1e-5)
        for i in open {
            let p = 1 / (1 + exp(-Double(logits[i])))
            #expect(abs(Double(gradient[i]) - (p - (labels.contains(i) ? 1 : 0))) < 1e-6)
        }
        #expect(gradient[4] == 0)
    }

    @Test func bceDoesNotOverflow() {
        var row: [Float] = [80, -80, 30, 0, 60, 70, 80, 75, 88]
        let loss = row.withUnsafeMutableBufferPointer { RowLoss.bce($0.baseAddress!, 9, labels: [0]) }
        #expect(loss.isFinite && abs(loss - (30 + 0.6931471805599453 + 60 + 70 + 80 + 75 + 88)) < 1e-3)
    }

    /// One label 900 above everything else: more than exp spans, of whatever precision.
    @Test func sampledSoftmaxOfLabelsFarApart() {
        var logits: [Float] = [0, 1, 900, -2, 3]
        let loss = logits.withUnsafeMutableBufferPointer {
            RowLoss.sampledSoftmax($0.baseAddress!, 5, labels: [2, 3], rho: 0)
        }
        let others = 1 + exp(1.0) + exp(3.0)
        let own = exp(-2.0) / (others + exp(-2.0))
        #expect(abs(loss - (-log(own))) < 1e-5)  // the far label loses nothing
        let expected = [1, exp(1.0), 0, 0, exp(3.0)].map { $0 / (others + exp(-2.0)) }
        for course in [0, 1, 4] { #expect(abs(Double(logits[course]) - expected[course]) < 1e-6) }
        #expect(abs(Double(logits[2])) < 1e-6 && abs(Double(logits[3]) - (own - 1)) < 1e-6)
    }

    @Test func sampledSoftmaxLeavesOwnOtherLabelsOut() {
        let (loss, gradient) = run { RowLoss.sampledSoftmax($0, 7, labels: labels, rho: 0.5) }
        let others = open.filter { !labels.contains($0) }
        let weight = pow(2, -0.5)
        var expected = 0.0
        for label in labels { expected += weight * (log(exps(others + [label])) - Double(logits[label])) }
        #expect(abs(loss - expected) < 1e-5)
        for label in labels {
            let p = exp(Double(logits[label])) / exps(others + [label])
            #expect(abs(Double(gradient[label]) - weight * (p - 1)) < 1e-6)
        }
        for i in others {
            let both = labels.reduce(0) { $0 + exp(Double(logits[i])) / exps(others + [$1]) }
            #expect(abs(Double(gradient[i]) - weight * both) < 1e-6)
        }
    }

    // A course is in the sample with the stated probability: counted over many draws, 4 standard deviations.
    @Test func samplingProbability() {
        let share: [Double] = [0.5, 0.2, 0.1, 0.1, 0.05, 0.05, 0, 0, 0, 0]
        let key = RandomKey(seed: 11, purpose: "test")
        var (present, claimed) = ([Double](repeating: 0, count: 10), [Double](repeating: -1, count: 10))
        let rounds = 4_000
        for round in 0..<rounds {
            var random = key.stream(round)
            let labels = (0..<3).map { _ -> UInt32 in
                var u = random.uniform()
                for (course, p) in share.enumerated() {
                    u -= p
                    if u < 0 { return UInt32(course) }
                }
                return 5
            }
            let drawn = Candidates.sampled(labels: labels, negatives: 4, labelShare: share, using: &random)
            for (k, course) in drawn.courses.enumerated() {
                present[Int(course)] += 1
                claimed[Int(course)] = exp(Double(drawn.logProbability[k]))
                #expect(Int(drawn.slots[Int(course)]) == k)
            }
            #expect(labels.allSatisfy { drawn.slots[Int($0)] >= 0 })
        }
        for course in 0..<10 {
            let rate = present[course] / Double(rounds)
            #expect(abs(rate - claimed[course]) < 4 * (rate * (1 - rate) / Double(rounds)).squareRoot() + 1e-9)
        }
    }

    @Test func samplingEverythingIsTheFullSoftmax() {
        var random = RandomKey(seed: 1, purpose: "test").stream()
        let share = [Double](repeating: 0.1, count: 10)
        let all = Candidates.sampled(labels: [3], negatives: 10, labelShare: share, using: &random)
        #expect(all.courses == (0..<10).map { UInt32($0) })
        #expect(all.logProbability.allSatisfy { $0 == 0 })
    }

    // Weighted by 1/(expected draws), the drawn pairs' loss has the mean of the loss over all candidates: 4 standard
    // deviations over 400 seeds. With weight 1 it does not.
    @Test(arguments: [0, 0.75]) func sampledBCEIsUnbiased(_ power: Double) {
        let fixture = Fixture()
        let data = fixture.data()
        let share = (0..<data.courseCount).map {
            Double($0 + 1) / Double(data.courseCount * (data.courseCount + 1) / 2)
        }
        let (full, step) = trainer(data, fixture.windows, smallParameters { $0.loss = .bce })
        let expected = full.accumulate(step, epoch: 1, labelShare: share)
        func mean(_ weight: NCFParameters.NegativeWeight) -> (mean: Double, error: Double) {
            let losses = (0..<400).map { seed in
                let parameters = smallParameters {
                    ($0.loss, $0.negativePower, $0.negativeWeight) = (.sampledBCE, power, weight)
                    $0.seed = UInt64(seed)
                }
                let sampled = trainer(data, fixture.windows, parameters).0
                sampled.towers.weights = full.towers.weights
                return sampled.accumulate(step, epoch: 1, labelShare: share)
            }
            let mean = losses.reduce(0, +) / 400
            let squares = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (mean, (squares / 399 / 400).squareRoot())
        }
        let weighted = mean(.expected)
        #expect(abs(weighted.mean - expected) < 4 * weighted.error, "\(weighted) against \(expected)")
        #expect(weighted.error < 0.05 * expected)
        let papers = mean(.none)
        #expect(abs(papers.mean - expected) > 10 * papers.error)
    }
}
