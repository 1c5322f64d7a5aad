import ArgumentParser
import CommandKit
import Foundation
import Metrics
import Reporting
import ShardKinds
import Shards
import StageKit

/// `make history`: the metrics of the published runs over time.
struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Draws the metrics of the published runs into history.html, and prints them.",
        discussion: "Runs after whose T nothing followed have only the validation table and are drawn from that.")

    @Option(help: "The folder with published/; history.html is written there.")
    var out = "out"

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("render-report history", talk) { log in
            let folder = out + "/published"
            let names = ((try? FileSystem.list(folder)) ?? []).filter { !$0.hasSuffix(".partial") }
            let runs = names.compactMap { PublishedRun(folder + "/" + $0, name: $0) }
            guard !runs.isEmpty else {
                throw LecternError.missing("\(folder): no published run with metrics; make all publishes one")
            }
            let ordered = runs.sorted { ($0.asOf, $0.name) < ($1.asOf, $1.name) }
            let page = Page(
                title: "Published runs", facts: ["\(ordered.count) runs in \(folder)"],
                sections: [Trend(ordered).section],
                colophon: "Lectern \(Lectern.release). Only what publish.keep keeps is drawn.")
            try FileSystem.replace(out + "/history.html", with: page.bytes)
            try Terminal.write(Trend(ordered).text)
            log.info("done: \(out)/history.html, \(ordered.count) runs")
        }
    }
}

/// What a publication says of its quality.
struct PublishedRun {
    let name: String
    let asOf: Int64
    /// After T, or of the validation table.
    let isAfterT: Bool
    /// Model → NDCG@20 of all learners.
    let ndcg: [String: Interval]
    let coverage: Double?

    private struct File: Decodable {
        struct Validation: Decodable {
            var model: String
            var against: String
            var group: String
            var metric: String
            var mean: Double
            var low: Double
            var high: Double
        }
        var asOf: [Int64]
        var ranking: Comparison?
        var validation: [Validation]?
    }

    init?(_ folder: String, name: String) {
        guard let file = FinishedRun.json("\(folder)/metrics/\(MetricsShards.report)", as: File.self),
            let asOf = file.asOf.first
        else { return nil }
        (self.name, self.asOf, isAfterT) = (name, asOf, file.ranking != nil)
        var found: [String: Interval] = [:]
        if let all = file.ranking?.slices.first(where: { $0.name == "all" }) {
            found = all.metrics.compactMapValues { $0["ndcg@20"] }
        } else {
            for line in file.validation ?? []
            where line.against.isEmpty && line.group == "all" && line.metric == "ndcg" {
                found[line.model] = Interval(mean: line.mean, low: line.low, high: line.high)
            }
        }
        ndcg = found
        let topk = try? Manifest.read(stageFolder: folder + "/topk").manifest
        coverage = FinishedRun.number(topk?.facts["coverage"])
    }
}

private struct Trend {
    let runs: [PublishedRun]

    init(_ runs: [PublishedRun]) { self.runs = runs }

    var section: Page.Section {
        let newest = runs.last!
        let answer =
            newest.ndcg["blend"].map {
                "The newest, as of \(FinishedRun.day(newest.asOf)), has NDCG@20 \(Format.metric($0.mean)) (\(Format.metric($0.low))–\(Format.metric($0.high)))."
            } ?? "The newest says nothing of its quality."
        return Page.Section(id: "history", question: "How has quality developed?", answer: answer, [curves, rows])
    }

    private var curves: HTML {
        let times = runs.map { Double($0.asOf) }
        let span = Scale(times.first! - 86_400, times.last! + 86_400)
        let axis = Plot.Axis(
            "T", span, ticks: [times.first!] + (times.last! > times.first! ? [times.last!] : []),
            text: { FinishedRun.day(Int64($0)) })
        func line(_ name: String, _ colour: Int, _ value: (PublishedRun) -> Double?) -> Plot.Series {
            Plot.Series(
                name, colour: colour, .line, runs.compactMap { run in value(run).map { (x: Double(run.asOf), y: $0) } })
        }
        let quality = [line("blend", 2) { $0.ndcg["blend"]?.mean }, line("popular", 8) { $0.ndcg["popular"]?.mean }]
        let coverage = line("", 1, \.coverage)
        return Piece.row([
            Piece.figure(
                "history-ndcg",
                Plot(
                    "NDCG at 20 of published runs", x: axis,
                    y: .init("NDCG@20", Scale(covering: quality.flatMap { $0.points.map(\.y) }, including: [0])),
                    quality),
                "NDCG@20, all learners.", "Each run on the learners who came after its own T."),
            Piece.figure(
                "history-coverage",
                Plot("Coverage of published runs", x: axis, y: .init("coverage", Scale(0, 1)), [coverage]),
                "Coverage.", "Share of the eligible courses that stand in some list."),
        ])
    }

    private var lines: [[String]] {
        runs.map { run in
            func cell(_ model: String) -> String {
                run.ndcg[model].map { "\(Format.metric($0.mean)) (\(Format.metric($0.low))–\(Format.metric($0.high)))" }
                    ?? "–"
            }
            return [
                run.name, cell("blend"), cell("popular"), run.coverage.map(Format.percent) ?? "–",
                run.isAfterT ? "after T" : "validation",
            ]
        }
    }

    private static let heads = ["published", "blend NDCG@20", "popular NDCG@20", "coverage", "measured on"]

    private var rows: HTML {
        Piece.figure(
            "history-runs", "Every published run.", "The newest first.", Piece.table(Self.heads, lines.reversed()))
    }

    var text: String { RankingSummary.aligned([Self.heads] + lines) }
}
