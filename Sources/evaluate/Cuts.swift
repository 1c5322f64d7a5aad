import ArgumentParser
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
            Let the n watches of logs/ and logs/after/ that pass the filter of watched/ be sorted by time. The cut of
            quantile q is the time of watch number ⌊q·n⌋, counted from 0. Its window ends at the cut of q + next, or,
            where that is 1 or more, a second after the newest. One line per quantile, tab-separated: quantile, T, end
            (both UTC), T, end (seconds since 1970), relevant watches before T, relevant watches in the window.
            Memory: 8 bytes a watch.
            """)

    @Option(name: .customLong("run"), help: "The run folder; its logs/ and watched/ must be there.")
    var folder = "out/latest"

    @Option(help: "Comma-separated quantiles from 0 to 1.")
    var quantiles: String

    @Option(help: "Length of the window after each cut, as a share of the relevant watches.")
    var next = 0.1

    @OptionGroup var talk: TalkOptions

    func validate() throws {
        if !(next > 0 && next <= 1) { throw ValidationError("--next \(next): expected a share above 0, at most 1") }
        if parsedQuantiles == nil {
            throw ValidationError("--quantiles \(quantiles): expected numbers from 0 to below 1, such as .5,.6,.7")
        }
    }

    private var parsedQuantiles: [Double]? {
        let parts = quantiles.split(separator: ",").map { part in
            Double(String(part)).flatMap { $0 >= 0 && $0 < 1 ? $0 : nil }
        }
        return parts.isEmpty || parts.contains(where: { $0 == nil }) ? nil : parts.map { $0! }
    }

    func run() throws {
        try reportingErrors("evaluate cuts", talk) { _ in
            let cuts = EventQuantiles(times: try relevantTimes())
            var text = ""
            for quantile in parsedQuantiles! {
                let from = cuts.cut(quantile)
                let to = quantile + next >= 1 - 1e-9 ? cuts.end : cuts.cut(quantile + next)
                let fields = [
                    "\(quantile)", Moment.text(from), Moment.text(to), "\(from)", "\(to)",
                    "\(cuts.count(before: from))",
                    "\(cuts.count(before: to) - cuts.count(before: from))",
                ]
                text += fields.joined(separator: "\t") + "\n"
            }
            try Terminal.write(text)
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
