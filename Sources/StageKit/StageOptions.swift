import ArgumentParser
import CommandKit

/// Options that all stages share.
package struct StageOptions: ParsableArguments {
    @Option(name: .long, help: "The run folder.")
    package var run = "out/latest"

    @Option(name: .long, help: "Threads; results do not depend on it. Default: all cores.")
    package var threads: Int?

    @Option(
        name: .long,
        help: "The stage's configuration slice. Default: <run>/config/<stage>.json, as prepare-run writes it.")
    package var config: String?

    @OptionGroup package var talk: TalkOptions

    package init() {}

    package mutating func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): expected 1 to 1024")
        }
    }
}
