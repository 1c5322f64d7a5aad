import Foundation
import Shards

/// What a run folder was last prepared from, `config/origin.json`: remedies repeat it, and it is not replaced by the sample.
package struct RunOrigin: Codable, Equatable, Sendable {
    /// Path of the dataset file.
    package var dataset: String
    /// nil: logs/ beside the dataset file.
    package var data: String?
    package var config: String
    package var asOf: String?
    /// As `--set` had them.
    package var settings: String

    package init(dataset: String, data: String?, config: String, asOf: String?, settings: String) {
        (self.dataset, self.data, self.config, self.asOf, self.settings) = (dataset, data, config, asOf, settings)
    }

    private static func path(_ run: String) -> String { run + "/config/origin.json" }

    /// nil: not there, of an older release, or damaged.
    package static func read(run: String) -> RunOrigin? {
        (try? FileSystem.read(path(run))).flatMap { try? JSONDecoder().decode(RunOrigin.self, from: Data($0)) }
    }

    package func write(run: String) throws {
        if Self.read(run: run) == self { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try FileSystem.replace(Self.path(run), with: Array(encoder.encode(self)) + [10])
    }

    /// A forgotten DATASET means the sample: it would replace a platform's run by one of the sample, and publish it. (The sample
    /// itself may be replaced, and backtests publish nothing.)
    /// - Throws: `.configuration`.
    package func requireNoForgottenDataset(after earlier: RunOrigin?, run: String) throws {
        guard let earlier, Self.absolute(earlier.dataset) != Self.absolute(dataset),
            Self.absolute(dataset).hasSuffix("/data/sample/dataset.yaml"),
            !(run as NSString).lastPathComponent.hasPrefix("backtest-")
        else { return }
        throw LecternError.configuration(
            "\(run) is a run of \(earlier.dataset), not of the sample: say \(earlier.variables), or take another OUT or RUN; to "
                + "use the folder for the sample, make clean-run first")
    }

    private static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

    /// make's variables that lead here again, without OUT and RUN; empty for the sample as it comes.
    package var variables: String {
        let folder = (dataset as NSString).deletingLastPathComponent
        let name = (folder as NSString).lastPathComponent
        var found: [String] = []
        if dataset != "data/sample/dataset.yaml" { found.append("DATASET=" + Self.quoted(name)) }
        if let data, data != "data/\(name)/logs" { found.append("DATA=" + Self.quoted(data)) }
        if config != "pipeline.yaml" { found.append("CONFIG=" + Self.quoted(config)) }
        if let asOf { found.append("AS_OF=" + Self.quoted(asOf)) }
        if !settings.isEmpty { found.append("SET=" + Self.quoted(settings)) }
        return found.joined(separator: " ")
    }

    /// For a shell.
    private static func quoted(_ text: String) -> String {
        let plain = text.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "./-_:=,+".utf8.contains($0)
        }
        return plain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
