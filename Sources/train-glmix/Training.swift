import Foundation
import GLMix
import LinearAlgebra
import StageKit
import Synchronization

/// Fits, and tells how: the objective and the seconds of every coordinate, pass by pass, then the certificate.
func train(
    _ examples: Examples, _ coordinates: [Coordinate], _ settings: GLMixSettings, prior: FitPrior? = nil,
    start: GLMixModel? = nil, label: String, _ stage: StageRun
) throws -> (model: GLMixModel, trace: FitTrace) {
    let clock = PassClock()
    var descent = settings.descent
    descent.progress = { pass, coordinate, objective in clock.note(pass, coordinate, objective) }
    let (model, trace) = try stage.step("train \(label)") {
        try descent.fit(examples, coordinates, prior: prior, start: start, workers: stage.allWorkers)
    }
    for line in clock.lines(coordinates.map(\.name)) { stage.say("\(label): \(line)") }
    stage.manifest.facts["\(label): objective per pass"] = .numbers(trace.passes)
    if let gap = trace.gap, let estimate = trace.estimatedGap {
        stage.manifest.facts["\(label): certified gap"] = .number(gap)
        stage.manifest.facts["\(label): estimated gap"] = .number(estimate)
        stage.say(
            "\(label): F \(number(trace.passes.last!)) after \(trace.jointSteps) joint steps (\(trace.jointProducts) products); F - F* <= \(number(gap)) certified, "
                + "about \(number(estimate)) by Newton's estimate")
    } else if trace.limited.isEmpty {
        stage.say("\(label): \(examples.count == 0 ? "no rows" : "rows of one label alone"): the prior's means stay")
    } else {
        stage.say("\(label): no joint certificate: max_rows bound in \(trace.limited.joined(separator: ", "))")
    }
    return (model, trace)
}

extension FitTrace {
    /// The objectives with what led to each, as `glmix-trace` has them.
    func steps(_ coordinates: [Coordinate]) -> [(pass: Int, coordinate: String, objective: Double)] {
        let last = gap == nil ? objectives.count : objectives.count - 1
        return objectives.enumerated().map { at, objective in
            if at == 0 { return (0, "", objective) }
            let pass = (at - 1) / coordinates.count + 1
            return (pass, at < last ? coordinates[(at - 1) % coordinates.count].name : "", objective)
        }
    }
}

func number(_ value: Double) -> String { String(format: "%.6g", value) }

/// Times the coordinates as they report; for talk and statistics, never for results.
final class PassClock: Sendable {
    private struct State {
        var last = ProcessInfo.processInfo.systemUptime
        var notes: [(pass: Int, coordinate: Int, objective: Double, seconds: Double)] = []
    }
    private let state = Mutex(State())

    func note(_ pass: Int, _ coordinate: Int, _ objective: Double) {
        let now = ProcessInfo.processInfo.systemUptime
        state.withLock {
            $0.notes.append((pass, coordinate, objective, now - $0.last))
            $0.last = now
        }
    }

    func lines(_ names: [String]) -> [String] {
        let notes = state.withLock { $0.notes }
        let passes = Set(notes.map(\.pass)).sorted()
        return passes.map { pass in
            let own = notes.filter { $0.pass == pass }
            let parts = own.map { note in
                (note.coordinate >= 0 ? names[note.coordinate] : pass < 0 ? "layout" : "joint finish") + " "
                    + String(format: "%.2f s", note.seconds)
            }
            if pass < 0 { return "start: F \(number(own.last!.objective)) (\(parts.joined(separator: ", ")))" }
            return "pass \(pass + 1): F \(number(own.last!.objective)) (\(parts.joined(separator: ", ")))"
        }
    }
}
