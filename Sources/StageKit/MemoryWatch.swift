import Foundation
import Shards

/// Ends a stage with a line before Linux ends it without one: in a control group, whoever takes more than its limit is
/// killed. What a stage can tell of its needs it asks for beforehand (`StageRun.requireMemory`); this sees the rest.
enum MemoryWatch {
    /// No process takes fresh pages faster, so the next look comes before what is left can be gone. Bytes a second.
    private static let fastest = 4 << 30
    /// What the last steps may take, and what the system counts late. Bytes.
    private static let reserve = 4 << 20

    /// Looks until the process ends, on a thread of its own; does nothing where no control group sets a limit.
    /// - Parameter end: called once, with what is held, when next to nothing is left. Must end the process.
    static func begin(_ end: @escaping @Sendable (_ held: Int) -> Void) {
        if Memory.left == nil { return }
        Thread.detachNewThread {
            while let left = Memory.left {
                if left < reserve { return end(Memory.held) }
                usleep(UInt32(min(max((left - reserve) / (fastest / 1_000_000), 1_000), 250_000)))
            }
        }
    }
}

extension StageName {
    /// - Throws: `.ioError` if `bytes` more are not to be had, naming what lowers them.
    func requireMemory(_ bytes: Int) throws { try Memory.require(bytes, for: "\(rawValue) (\(lowersMemory))") }

    /// Parameters and options that lower what a stage takes, beside THREADS and run.shards, which lower all.
    package var lowersMemory: String {
        switch self {
        case .importLogs: "a lower --spill-mib, as in make IMPORT_FLAGS=\"--spill-mib 64\", lowers it"
        case .buildCooccurrence: "cowatch.wide: cowatch or a shorter filter.history lower it"
        case .trainNCF:
            "smaller ncf.batch, ncf.hidden, ncf.embedding or ncf.moments_mib and fewer filter.snapshots lower it"
        case .trainGLMix: "fewer glmix.features or glmix.negatives, or glmix.write_examples: false, lower it"
        case .blend: "fewer blend.candidates or blend.max_learners lower it"
        case .exportTopK: "fewer export.formats or a smaller export.k lower it"
        case .evaluate: "fewer evaluate.baselines or evaluate.cutoffs lower it"
        case .prepareRun, .filterWatches, .renderReport, .publishRun: "one shard of learners per thread"
        }
    }
}
