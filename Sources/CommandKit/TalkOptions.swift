import ArgumentParser

/// How an executable talks.
package struct TalkOptions: ParsableArguments {
    @Option(name: .customLong("log-format"), help: "text or json, on standard error.")
    package var logFormat: LogFormat = .text

    @Flag(name: .long, help: "Say only warnings and errors.")
    package var quiet = false

    package init() {}
}

extension LogFormat: ExpressibleByArgument {}
