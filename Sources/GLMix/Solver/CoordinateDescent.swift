import LinearAlgebra
import Platform

/// A fitted GLMix model: coefficients per coordinate, in the order of `coordinates`.
package struct GLMixModel: Sendable, Equatable {
    package var coordinates: [Coordinate]
    package var coefficients: [Coefficients]

    package init(coordinates: [Coordinate], coefficients: [Coefficients]) {
        (self.coordinates, self.coefficients) = (coordinates, coefficients)
    }
}

/// How a fit went.
package struct FitTrace: Sendable, Equatable, Codable {
    /// The joint objective before the first pass, then after every coordinate of every pass.
    package var objectives: [Double] = []
    /// The joint objective after each pass.
    package var passes: [Double] = []
    /// Coordinates in which `max_rows` removed rows: they optimise another objective than the joint one.
    package var limited: [String] = []
    /// Certified bound on (F(θ) − F*), and the Newton estimate of it, where the joint finish ran.
    package var gap: Double?
    package var estimatedGap: Double?
    /// Newton steps of the joint finish, and the Hessian products inside them.
    package var jointSteps = 0
    package var jointProducts = 0

    package init() {}
}

/// Trains a GLMix model.
///
///     F(θ) = Σ_i w_i·ℓ(z_i, y_i) + Σ_k (λ_k/2)·‖θ_k‖²      z_i = o_i + Σ_k x_ik·θ_k,entity(i)
///
/// Sums, not means, in Float64; only the fixed effect's intercept is free of a penalty. Block coordinate descent
/// (X. Zhang et al.: GLMix: Generalized Linear Mixed Models For Large-Scale Response Prediction, KDD 2016,
/// algorithm 1): each coordinate in turn is fitted, from where it was, with the other coordinates' scores as offsets.
/// After `passes` of it the joint finish (`JointObjective`) closes the gap that block descent would leave for tens of
/// passes, until F − F* ≤ `tolerance`·F is certified. Where `max_rows` removed rows there is no joint objective: then
/// block descent goes on, at most `mostPasses`, until a pass changes F by less than `tolerance`·F.
package struct CoordinateDescent: Sendable {
    package var passes = 2
    package var mostPasses = 20
    package var tolerance = 1e-6
    package var jointFinish = true
    /// Seeds the choice of rows under `max_rows`.
    package var seed: UInt64 = 1
    /// Called after each coordinate with (pass, coordinate number or −1 for the joint finish, F).
    package var progress: (@Sendable (Int, Int, Double) -> Void)?

    package init() {}

    /// - Throws: `GLMixError` for data or coordinates that have no optimum.
    package func fit(
        _ examples: Examples, _ coordinates: [Coordinate], workers: Workers
    ) throws -> (model: GLMixModel, trace: FitTrace) {
        try Coordinate.validate(coordinates, on: examples)
        try Self.checkLabels(examples)
        let state = FitState(examples, coordinates, seed: seed, workers: workers)
        var trace = FitTrace()
        trace.limited = state.limitedNames
        trace.objectives = [state.objective()]
        let finishes = jointFinish && trace.limited.isEmpty
        for pass in 0..<(finishes ? passes : mostPasses) {
            for k in coordinates.indices {
                state.improve(k)
                let value = state.objective()
                // max_rows makes a coordinate descend on its own rows, not on F
                precondition(
                    !trace.limited.isEmpty || value <= trace.objectives.last! * (1 + 1e-9),
                    "the joint objective rose in \(coordinates[k].name)")
                trace.objectives.append(value)
                progress?(pass, k, value)
            }
            let before = trace.passes.last ?? trace.objectives[0]
            trace.passes.append(trace.objectives.last!)
            if !finishes && abs(before - trace.passes.last!) <= tolerance * trace.passes.last! { break }
        }
        if finishes { finish(state, &trace) }
        return (state.model, trace)
    }

    private func finish(_ state: FitState, _ trace: inout FitTrace) {
        let joint = JointObjective(state, tolerance: tolerance)
        let outcome = joint.minimise()
        precondition(outcome.value <= trace.passes.last! * (1 + 1e-9), "the joint objective rose in the joint finish")
        trace.objectives.append(outcome.value)
        trace.passes.append(outcome.value)
        trace.jointSteps = outcome.steps
        trace.jointProducts = outcome.products
        trace.gap = outcome.gap
        trace.estimatedGap = outcome.estimatedGap
        progress?(trace.passes.count - 1, -1, outcome.value)
    }

    static func checkLabels(_ examples: Examples) throws {
        let positives = examples.labels.reduce(0) { $0 + Int($1) }
        if examples.count == 0 || positives == 0 || positives == examples.count {
            throw GLMixError.allLabelsAlike(label: positives == 0 ? 0 : 1, rows: examples.count)
        }
    }
}

/// All coordinates with their present scores.
final class FitState {
    enum Part {
        case fixed(FixedEffect, b: [Double])
        case random(RandomEffect)
    }

    let examples: Examples
    let coordinates: [Coordinate]
    var parts: [Part]
    /// Score of each coordinate on each row.
    var scores: [[Double]]
    let workers: Workers

    init(_ examples: Examples, _ coordinates: [Coordinate], seed: UInt64, workers: Workers) {
        (self.examples, self.coordinates, self.workers) = (examples, coordinates, workers)
        parts = coordinates.map { coordinate in
            if coordinate.by == nil {
                let fixed = FixedEffect(coordinate, examples, workers: workers)
                return .fixed(fixed, b: [Double](repeating: 0, count: fixed.count))
            }
            return .random(RandomEffect(coordinate, examples, seed: seed, workers: workers))
        }
        scores = coordinates.map { _ in [Double](repeating: 0, count: examples.count) }
    }

    /// Fits coordinate k with everything else as offset, computed anew so that no rounding piles up.
    func improve(_ k: Int) {
        let offsets = margins(without: k)
        switch parts[k] {
        case .fixed(let fixed, var b):
            fixed.fit(&b, offsets: offsets)
            scores[k] = fixed.scores
            parts[k] = .fixed(fixed, b: b)
        case .random(let effect):
            effect.fit(offsets: offsets, scores: &scores[k])
        }
    }

    /// Row offsets plus the scores of all coordinates but one, added in the coordinates' order.
    func margins(without skipped: Int? = nil) -> [Double] {
        var total = [Double](unsafeUninitializedCapacity: examples.count) { _, count in count = examples.count }
        let own = examples.offsets
        total.withUnsafeMutableBufferPointer { total in
            forBlocks(examples.count, workers) { rows in for i in rows { total[i] = Double(own[i]) } }
            for k in coordinates.indices where k != skipped {
                scores[k].withUnsafeBufferPointer { score in
                    forBlocks(examples.count, workers) { rows in for i in rows { total[i] += score[i] } }
                }
            }
        }
        return total
    }

    /// F at the present coefficients.
    func objective() -> Double {
        let z = margins()
        let (labels, weights) = (examples.labels, examples.weights)
        let loss = blockSum(examples.count, workers) { rows in
            var total = 0.0
            for i in rows { total += Double(weights[i]) * LogisticLoss.value(z[i], positive: labels[i] == 1) }
            return total
        }
        return parts.reduce(loss) { $0 + Self.penalty($1) }
    }

    static func penalty(_ part: Part) -> Double {
        switch part {
        case .fixed(let fixed, let b): 0.5 * fixed.l2 * b.dropLast().reduce(0) { $0 + $1 * $1 }
        case .random(let effect): effect.penalty
        }
    }

    var limitedNames: [String] {
        parts.compactMap {
            if case .random(let effect) = $0, effect.layout.limited > 0 { effect.coordinate.name } else { nil }
        }
    }

    var model: GLMixModel {
        GLMixModel(
            coordinates: coordinates,
            coefficients: parts.map {
                switch $0 {
                case .fixed(_, let b):
                    Coefficients(offsets: [0, b.count], features: b.indices.map(UInt32.init), values: b)
                case .random(let effect): effect.coefficients
                }
            })
    }
}
