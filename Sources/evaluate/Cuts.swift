import ArgumentParser
import CommandKit
import LinearAlgebra
import Platform
import ShardKinds
import Shards
import StageKit

struct Cuts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cuts",
        abstract: "Prints times that split a run's relevant watches by share: cuts for backtests.",
        discussion: """
            Let the n watches of logs/ and logs/after/ that pass the filter of watched/ be sorted by time. The cut of \
            quantile q is the time of watch number ⌊q·n⌋, counted from 0. Its window ends at the cut of q + next, or, \
            where that is 1 or more, a second after the newest. One line per quantile, tab-separated: quantile, T, end \
            (both UTC), T, end (seconds since 1970), relevant watches before T, relevant watches in the window. \
            With --count n instead of quantiles: n cuts one label window of the run apart, whose windows do not overlap \
            and end with the run's T; the first column then counts from 1.
            Memory: 8 bytes a watch.
            """)

    @Option(name: .customLong("run"), help: "The run folder; its logs/ and watched/ must be there.")
    var folder = "out/latest"

    @Option(help: "Comma-separated quantiles from 0 to 1.")
    var quantiles: String?

    @Option(help: "So many cuts, one label window apart.")
    var count: Int?

    @Option(help: "Length of the window after each cut, as a share of the relevant watches.")
    var next = 0.1

    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if !(next > 0 && next <= 1) { throw ValidationError("--next \(next): expected a share above 0, at most 1") }
        if (quantiles == nil) == (count == nil) { throw ValidationError("expected --quantiles or --count") }
        if let count, !(1...1_000).contains(count) { throw ValidationError("--count \(count): expected 1 to 1000") }
        if let quantiles, parsedQuantiles == nil {
            throw ValidationError("--quantiles \(quantiles): expected numbers from 0 to below 1, such as .5,.6,.7")
        }
    }

    private var parsedQuantiles: [Double]? {
        let parts = (quantiles ?? "").split(separator: ",").map { part in
            Double(String(part)).flatMap { $0 >= 0 && $0 < 1 ? $0 : nil }
        }
        return parts.isEmpty || parts.contains(where: { $0 == nil }) ? nil : parts.map { $0! }
    }

    func run() throws {
        try reportingErrors("evaluate cuts", talk) { _ in
            let cuts = EventQuantiles(times: try relevantTimes())
            var text = ""
            for (name, from, to) in try windows(cuts) {
                let fields = [
                    name, Moment.text(from), Moment.text(to), "\(from)", "\(to)",
                    "\(cuts.count(before: from))",
                    "\(cuts.count(before: to) - cuts.count(before: from))",
                ]
                text += fields.joined(separator: "\t") + "\n"
            }
            try Terminal.write(text)
        }
    }

    private func windows(_ cuts: EventQuantiles) throws -> [(name: String, from: Int64, to: Int64)] {
        guard let count else {
            return parsedQuantiles!.map {
                ("\($0)", cuts.cut($0), $0 + next >= 1 - 1e-9 ? cuts.end : cuts.cut($0 + next))
            }
        }
        let watched = try StageInput(
            run: folder, stage: StageName.filterWatches.rawValue, folder: StageName.filterWatches.folder)
        let windows = try TimeWindows(watched.manifest)
        return (1...Int64(count)).map { cut in
            let from = windows.asOf - (Int64(count) - cut + 1) * windows.labelWindow
            return ("\(cut)", from, from + windows.labelWindow)
        }
    }

    private func relevantTimes() throws -> [Int64] {
        let logs = try StageInput(
            run: folder, stage: StageName.importLogs.rawValue, folder: StageName.importLogs.folder)
        let watched = try StageInput(
            run: folder, stage: StageName.filterWatches.rawValue, folder: StageName.filterWatches.folder)
        let after = try AfterLogs(run: folder, logs: logs, watched: watched, catalogue: LogsShards.catalogue(logs))
        return try (0..<after.shards).flatMap(after.relevantTimes)
    }
}
