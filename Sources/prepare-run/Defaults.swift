import ArgumentParser
import CommandKit
import StageKit

/// Prints `pipeline.yaml` as it is shipped, or the reference page: both come from the declarations alone.
struct Defaults: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "defaults", abstract: "Prints every parameter with its default: as YAML, or as a Markdown page.")

    @Flag(help: "A Markdown reference page instead of YAML.")
    var markdown = false

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("prepare-run defaults", talk) { _ in
            try Terminal.write(markdown ? Reference.markdown() : Reference.yaml())
        }
    }
}
