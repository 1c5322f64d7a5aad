import LinearAlgebra
import Platform
import StageKit

/// Until when moments after T count.
enum WindowRule {
    case seconds(Int64)
    case everything
    /// Until a moment.
    case until(Int64)
    /// The next so large a part of the watches that pass the filter, before and after T.
    case shareOfEvents(Double)

    init(_ value: Value, labelWindow: Int64) {
        guard case .text(let text) = value else {
            guard case .integer(let moment) = value else { preconditionFailure("evaluate.window was not checked") }
            self = .until(Int64(moment))
            return
        }
        switch text {
        case "label_window": self = .seconds(labelWindow)
        case "all": self = .everything
        default:
            if let seconds = Duration.seconds(text) {
                self = .seconds(seconds)
            } else if let moment = Moment.parse(text) {
                self = .until(moment)
            } else {
                self = .shareOfEvents(Double(text.dropLast())! / 100)
            }
        }
    }

    /// End of the window `[asOf, end)`.
    /// - Parameter events: watches that pass the filter, before and after T.
    func end(asOf: Int64, events: EventQuantiles) -> Int64 {
        switch self {
        case .seconds(let seconds): return asOf + seconds
        case .everything: return .max
        case .until(let moment): return moment
        case .shareOfEvents(let share): return events.end(from: asOf, share: share) ?? .max
        }
    }
}

/// The `evaluate` section.
struct EvaluateSettings {
    let window: WindowRule
    let cutoffs: [Int]
    let tableCutoff: Int
    let baselines: [String]
    let recentWindow: Int64
    let historyBuckets: [Int]
    let resamples: Int
    let seed: UInt64

    init(_ slice: Slice, labelWindow: Int64) {
        window = WindowRule(slice.value("evaluate.window"), labelWindow: labelWindow)
        cutoffs = Set(slice.integers("evaluate.cutoffs")).sorted()
        tableCutoff = slice.integer("evaluate.table_cutoff")
        baselines = slice.texts("evaluate.baselines")
        recentWindow = slice.seconds("evaluate.recent_window")!
        historyBuckets = Set(slice.integers("evaluate.history_buckets")).sorted()
        resamples = slice.integer("evaluate.resamples")
        seed = UInt64(slice.integer("run.seed"))
    }

    /// How deep lists are looked into.
    var depth: Int { cutoffs.last ?? 20 }
}
