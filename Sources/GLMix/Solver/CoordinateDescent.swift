import LinearAlgebra
import Platform

/// A fitted GLMix model: coefficients per coordinate, in the order of `coordinates`.
package struct GLMixModel: Sendable, Equatable {
    package var coordinates: [Coordinate]
    package var coefficients: [Coefficients]
    /// Aligned with the values of each coordinate's coefficients; empty: not asked for.
    package var variances: [[Double]]

    package init(coordinates: [Coordinate], coefficients: [Coefficients], variances: [[Double]] = []) {
        (self.coordinates, self.coefficients, self.variances) = (coordinates, coefficients, variances)
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
///     F(θ) = Σ_i w_i·ℓ(z_i, y_i) + Σ_k (λ_k/2)·‖θ_k‖² + γ·‖b‖₁      z_i = o_i + Σ_k x_ik·θ_k,entity(i)
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
    package var variances = VarianceKind.none
    /// Bytes that random effects may take to lay out their rows for the many passes of the joint finish.
    package var mostRowBytes = 1 << 30
    /// Seeds the choice of rows under `max_rows`.
    package var seed: UInt64 = 1
    /// Called with (pass, coordinate number or −1 for the joint finish, F) after each coordinate, and first, when the data
    /// is laid out, with pass −1.
    package var progress: (@Sendable (Int, Int, Double) -> Void)?

    package init() {}

    /// - Parameters:
    ///   - prior: means and variances that take the place of 0 and 1/λ where they are known. Rows of one label alone (or
    ///     none) would drive the free intercept to infinity: then the means stay.
    ///   - start: a model of the same coordinates (λ's aside), entities and features: the joint finish goes on from there at
    ///     once. Not with a prior, whose fit has other variables.
    /// - Throws: `GLMixError` for data or coordinates that have no optimum.
    package func fit(
        _ examples: Examples, _ coordinates: [Coordinate], prior: FitPrior? = nil, start: GLMixModel? = nil,
        workers: Workers
    ) throws -> (model: GLMixModel, trace: FitTrace) {
        precondition(prior == nil || start == nil)
        try Coordinate.validate(coordinates, on: examples)
        try prior?.validate(coordinates)
        if prior == nil { try Self.checkLabels(examples) }
        try checkVariances(examples, coordinates)
        let state = FitState(examples, coordinates, prior: prior, seed: seed, workers: workers)
        var trace = FitTrace()
        trace.limited = state.limitedNames
        trace.objectives = [state.objective()]
        progress?(-1, -1, trace.objectives[0])
        if let prior, examples.labelsAreAlike {
            return (prior.moved(state, state.variances(variances, margins: state.margins())), trace)
        }
        let finishes = jointFinish && trace.limited.isEmpty
        if finishes {
            // what block descent leaves, the joint finish takes: blocks need not be solved to the end
            for case .fixed(let fixed, _) in state.parts { fixed.tolerance = max(1e-8, min(1e-4, 100 * tolerance)) }
            if let start { state.load(start) }
        }
        let skips = finishes && (start != nil || state.isOneLargeFixedEffect)
        for pass in 0..<(skips ? 0 : finishes ? passes : mostPasses) {
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
        let margins = finishes ? finish(state, &trace) : state.margins()
        let variances = state.variances(variances, margins: margins)
        return (prior?.moved(state, variances) ?? state.model(variances), trace)
    }

    private func checkVariances(_ examples: Examples, _ coordinates: [Coordinate]) throws {
        guard variances == .full, let fixed = coordinates.first(where: { $0.by == nil }) else { return }
        let count = fixed.bags.reduce(1) { $0 + examples.bag($1)!.featureCount }
        if count > FitState.mostFullFeatures {
            throw GLMixError.badCoordinate(
                name: fixed.name,
                reason:
                    "variances: full inverts a matrix of \(count) features; beyond \(FitState.mostFullFeatures) take "
                    + "diagonal")
        }
    }

    /// Returns the margins of the result, one per example.
    private func finish(_ state: FitState, _ trace: inout FitTrace) -> [Double] {
        let joint = JointObjective(state, tolerance: tolerance, mostRowBytes: mostRowBytes)
        let outcome = joint.minimise()
        precondition(
            outcome.value <= trace.objectives.last! * (1 + 1e-9), "the joint objective rose in the joint finish")
        trace.objectives.append(outcome.value)
        trace.passes.append(outcome.value)
        trace.jointSteps = outcome.steps
        trace.jointProducts = outcome.products
        trace.gap = outcome.gap
        trace.estimatedGap = outcome.estimatedGap
        progress?(trace.passes.count - 1, -1, outcome.value)
        return joint.margins
    }

    static func checkLabels(_ examples: Examples) throws {
        if examples.labelsAreAlike {
            throw GLMixError.allLabelsAlike(label: Int(examples.labels.first ?? 0), rows: examples.count)
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
    /// The rows' own offsets, and a prior's mean margin.
    let offsets: [Float]
    let coordinates: [Coordinate]
    let losses: RowLosses
    var parts: [Part]
    /// Score of each coordinate on each row.
    var scores: [[Double]]
    let workers: Workers

    init(
        _ examples: Examples, _ coordinates: [Coordinate], prior: FitPrior?, seed: UInt64, workers: Workers
    ) {
        (self.examples, self.coordinates, self.workers) = (examples, coordinates, workers)
        offsets = prior?.offsets(examples, coordinates, workers) ?? examples.offsets
        let losses = RowLosses(examples, workers)
        self.losses = losses
        parts = coordinates.indices.map { k in
            let coordinate = coordinates[k]
            if coordinate.by == nil {
                let count = coordinate.bags.reduce(1) { $0 + examples.bag($1)!.featureCount }
                let scale = prior?.scale(k, coordinate, featureCount: count) ?? []
                let fixed = FixedEffect(coordinate, examples, scale: scale, losses: losses)
                return .fixed(fixed, b: [Double](repeating: 0, count: fixed.count))
            }
            return .random(
                RandomEffect(
                    coordinate, examples, seed: seed, workers: workers,
                    scale: prior.map { prior in { prior.scale(k, coordinate, $0, $1) } }))
        }
        scores = coordinates.map { _ in [Double](zeros: examples.count) }
    }

    /// A fixed effect alone that Cholesky factors are too expensive for: the joint finish is its solver.
    var isOneLargeFixedEffect: Bool {
        if parts.count == 1, case .fixed(let fixed, _) = parts[0] { !fixed.usesCholesky } else { false }
    }

    /// Takes coefficients of the same entities and features; scores are left alone.
    func load(_ model: GLMixModel) {
        for k in parts.indices {
            switch parts[k] {
            case .fixed(let fixed, _): parts[k] = .fixed(fixed, b: model.coefficients[k].values)
            case .random(let effect): effect.takeValues(of: model.coefficients[k])
            }
        }
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
        var total = [Double](filledLater: examples.count)
        total.withUnsafeMutableBufferPointer { total in
            forBlocks(examples.count, workers) { addUp($0, without: skipped, into: total.baseAddress! + $0.lowerBound) }
        }
        return total
    }

    private func addUp(_ rows: Range<Int>, without skipped: Int?, into total: UnsafeMutablePointer<Double>) {
        let first = rows.lowerBound
        offsets.withUnsafeBufferPointer { own in for i in rows { total[i - first] = Double(own[i]) } }
        for k in coordinates.indices where k != skipped {
            scores[k].withUnsafeBufferPointer { score in for i in rows { total[i - first] += score[i] } }
        }
    }

    /// F at the present coefficients.
    func objective() -> Double {
        let loss = blockSum(examples.count, workers) { rows in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: rows.count) { margins in
                addUp(rows, without: nil, into: margins.baseAddress!)
                return losses.value(rows, margins.baseAddress!)
            }
        }
        return parts.reduce(loss) { $0 + Self.penalty($1) }
    }

    static func penalty(_ part: Part) -> Double {
        switch part {
        case .fixed(let fixed, let b): fixed.penalty(b)
        case .random(let effect): effect.penalty
        }
    }

    var limitedNames: [String] {
        parts.compactMap {
            if case .random(let effect) = $0, effect.layout.limited > 0 { effect.coordinate.name } else { nil }
        }
    }

    func model(_ variances: [[Double]]) -> GLMixModel {
        GLMixModel(
            coordinates: coordinates,
            coefficients: parts.map {
                switch $0 {
                case .fixed(_, let b):
                    Coefficients(offsets: [0, b.count], features: b.indices.map(UInt32.init), values: b)
                case .random(let effect): effect.coefficients
                }
            }, variances: variances)
    }
}
