import ArgumentParser
import CommandKit
import StageKit

/// What `make backtest` looks from: `evaluate.cuts` of a prepared run, one a line.
struct Cuts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cuts", abstract: "Prints the backtest cuts that the configuration names, one a line.")

    @Option(name: .customLong("run"), help: "A prepared run folder.")
    var runFolder = "out/latest"

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("prepare-run cuts", talk) { _ in
            let slice = try Slice(stage: .evaluate, path: "\(runFolder)/config/\(Slice.fileName(.evaluate))")
            guard case .list(let cuts) = slice.value("evaluate.cuts") else { preconditionFailure("checked on reading") }
            for cut in cuts {
                if case .text(let text) = cut {
                    try Terminal.write(text + "\n")
                } else {
                    try Terminal.write(cut.yaml + "\n")
                }
            }
        }
    }
}
