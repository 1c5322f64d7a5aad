// Proves the configuration: layers, errors with file and line, and that the shipped pipeline.yaml is the declarations.
// Expected values: by hand.

import Foundation
import Shards
import StageKit
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

@Suite struct ConfigurationTests {
    @Test func laterLayersWin() throws {
        var configuration = Configuration()
        try configuration.apply(yaml: "filter:\n  quantile: 0.5\n  history: 10d\n", file: "a.yaml")
        try configuration.apply(assignment: "filter.quantile=0")
        let slice = configuration.slice(.filterWatches)
        #expect(slice.number("filter.quantile") == 0)
        #expect(slice.seconds("filter.history") == 864_000)
        #expect(slice.seconds("filter.label_window") == nil)
    }

    @Test(arguments: [
        (
            "filter:\n  quantil: 0.5\n",
            "p.yaml:2: unknown parameter \"filter.quantil\"; did you mean \"filter.quantile\"?"
        ),
        ("filtr:\n  quantile: 0.5\n", "p.yaml:1: unknown section \"filtr\"; did you mean \"filter\"?"),
        (
            "filter:\n  min_seconds: 1\n  quantile: 7\n",
            "p.yaml:3: filter.quantile: found 7, allowed is a number from 0 to 0.99"
        ),
        ("filter:\n  history: soon\n", "p.yaml:2: filter.history: found soon, allowed is a duration"),
        ("filter:\n  stride: 0d\n", "p.yaml:2: filter.stride: found 0d, allowed is a duration above 0"),
        ("export:\n  k: 010\n", "p.yaml:2: export.k: found 010, allowed is an integer"),
        ("export:\n  k: 0x1F\n", "p.yaml:2: export.k: found 0x1F, allowed is an integer"),
        ("export:\n  k: 1_0\n", "p.yaml:2: export.k: found 1_0, allowed is an integer"),
        ("filter: 3\n", "p.yaml:1: section \"filter\": expected a mapping"),
        ("run:\n  seed: 1\nfilter: [\n", "p.yaml:4: not YAML: did not find"),
        (
            "run:\n  threads: 1\n  seed: 1\n  seed: 2\n",
            "p.yaml:3: key \"seed\" stands more than once in one mapping"
        ),
    ])
    func errorsNameThePlace(_ yaml: String, _ message: String) {
        var configuration = Configuration()
        let error = #expect(throws: LecternError.self) { try configuration.apply(yaml: yaml, file: "p.yaml") }
        #expect(error?.code == .configuration)
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    }

    @Test func sliceHoldsOnlyItsSection() {
        let paths = Configuration().slice(.filterWatches).values.keys
        #expect(!paths.isEmpty && paths.allSatisfy { $0.hasPrefix("filter.") })
    }

    @Test func aChangedParameterChangesOnlyItsSlice() throws {
        var changed = Configuration()
        try changed.apply(assignment: "filter.quantile=0.5")
        for stage in StageName.allCases {
            let same = Configuration().slice(stage).digest == changed.slice(stage).digest
            #expect(same == (stage != .filterWatches), "\(stage)")
        }
    }

    @Test func shippedFileIsTheDeclarations() throws {
        let shipped = try String(contentsOf: root.appendingPathComponent("pipeline.yaml"), encoding: .utf8)
        #expect(shipped == Reference.yaml(), "run make docs")
        let page = try String(contentsOf: root.appendingPathComponent("docs/configuration.md"), encoding: .utf8)
        #expect(page == Reference.markdown(), "run make docs")
        var configuration = Configuration()
        try configuration.apply(yaml: shipped, file: "pipeline.yaml")
        #expect(configuration.values == Configuration().values)
    }

    @Test func everyDefaultIsAllowed() {
        for parameter in Parameters.all { #expect(parameter.accept(parameter.standard) != nil, "\(parameter.path)") }
    }
}

@Suite struct MomentTests {
    /// From `date -u -d … +%s`.
    @Test(arguments: [
        ("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2020-11-18 11:32:59", 1_605_699_179),
        ("1998-03-27T22:07:03Z", 891_036_423), ("2038-01-19T03:14:08Z", 2_147_483_648),
    ])
    func known(_ text: String, _ seconds: Int64) {
        #expect(Moment.parse(text) == seconds)
        #expect(Moment.parse(Moment.text(seconds)) == seconds)
    }

    @Test(arguments: ["2001-02-29", "2020-13-01", "2020-01-01 24:00:00", "yesterday", "2020-1-1", ""])
    func refused(_ text: String) { #expect(Moment.parse(text) == nil) }
}
