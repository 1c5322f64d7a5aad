// Reads   topk/, metrics/, blended/ (validation table), logs/ (volume), every stage's and the report's manifest, what
//         OUT/current points at
// Writes  OUT/published/<as_of>-<8 hex of topk's digest>/ (hard links, delta/), OUT/current; OUT is the run's parent
// Memory  one learner shard of lists, now and before (all of before if the number of shards changed)

import ArgumentParser
import CommandKit
import LinearAlgebra
import Logging
import ShardKinds
import Shards
import StageKit

@main
struct PublishRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish-run",
        abstract:
            "Lets a run go live: gates, a folder of hard links, the difference to the last one, the current link.",
        discussion: """
            A failed gate is exit 65: the run stays, and so does what is published. Publishing the same lists again does \
            nothing. Backtests must not be published.
            """,
        version: Lectern.release)

    @OptionGroup var options: StageOptions

    @Flag(help: "Only evaluate the gates and write <run>/gates.json, for the report; a failed gate is no error.")
    var gatesOnly = false

    func run() throws {
        try reportingErrors(StageName.publishRun.rawValue, options.talk, run: options.run) { log in
            let lock = try RunLock(run: options.run)
            let workers = Workers(count: options.threads ?? 1)
            let inputs = try PublicationInputs(options)
            let shelf = try Shelf(run: options.run, log: log)
            // Another run's publication takes a moment: no reason to lose a night's work.
            let outLock = try RunLock(run: shelf.out, patience: 600) {
                log.info("\(shelf.out): another run publishes; waiting for it")
            }
            try shelf.tidy()
            if gatesOnly {
                try record(inputs, shelf, log)
                return
            }
            if try shelf.serves(inputs.publicationName) {
                log.info("done: \(shelf.path(inputs.publicationName)) is current already")
            } else {
                try inputs.requireReport()
                let now = PublishedLists(topk: inputs.topk)
                let (difference, absent) = try Self.difference(now, shelf.current(), workers)
                if let absent { log.warning("\(absent); delta/ has every list, and no ids to delete") }
                let gates = try Gates(inputs, churn: difference?.churn, absent: absent).evaluate()
                try gates.record(inputs.run)
                for gate in gates.results { log.info("\(gate.line)") }
                try gates.require(current: shelf.current())
                try Publication(inputs, gates).write(to: shelf, now: now, difference: difference)
                try shelf.makeCurrent(inputs.publicationName)
                try shelf.keepNewest(inputs.slice.integer("publish.keep"))
                log.info(
                    "done: \(shelf.path(inputs.publicationName)) is current; \(difference?.summary ?? "compared with none")"
                )
            }
            FailureNote.clear(run: options.run, stage: StageName.publishRun.rawValue)
            _ = consume outLock
            _ = consume lock
        }
    }

    /// The difference to what is published, or why there is none: lists in a format of an older release and damaged ones
    /// cannot be compared with, and that is no reason to go on serving them. A read that fails is no answer: it is thrown.
    private static func difference(
        _ now: PublishedLists, _ current: String?, _ workers: Workers
    ) throws -> (ListDifference?, absent: String?) {
        guard let current else { return (nil, nil) }
        do {
            let before = try PublishedLists.published { try PublishedLists(current) }
            return (try ListDifference(now, against: before, workers: workers), nil)
        } catch let error as NotComparable {
            return (nil, "\(current) cannot be compared with: \(error.reason)")
        } catch let error as LecternError where error.code == .ioError && error.message.hasPrefix(current + "/") {
            let remedy = "run it again; if that does not help, remove \(current), and nothing is compared"
            throw LecternError(.ioError, "\(error.message); not published; \(remedy)")
        }
    }

    /// What is published already keeps the gates it passed: its churn was measured against what served before it.
    private func record(_ inputs: PublicationInputs, _ shelf: Shelf, _ log: Logger) throws {
        let note = inputs.run + "/gates.json"
        if try shelf.serves(inputs.publicationName), let bytes = try? FileSystem.read(note) {
            try FileSystem.replace(note, with: bytes)
            return
        }
        let (difference, absent) = try Self.difference(
            PublishedLists(topk: inputs.topk), shelf.current(), Workers(count: 1))
        try Gates(inputs, churn: difference?.churn, absent: absent).evaluate().record(inputs.run)
        log.info("gates: \(note)")
    }
}
