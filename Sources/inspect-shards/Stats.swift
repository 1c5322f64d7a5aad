import ArgumentParser
import CommandKit
import Shards
import StageKit

/// `stats`: what the columns hold, over all shards of a name.
struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count, nulls, min, max, mean, quantiles and a small histogram of each column.",
        discussion: """
            All shards of one name are taken together. Memory: one shard and up to 4 million values of each column; \
            beyond that quantiles and histogram come from every 2nd, 4th … value, and the line says so.
            """)

    @OptionGroup var place: PathArgument
    @Option(help: "Columns, split by commas.")
    var columns: String?
    @Flag(help: "Leave codes as numbers.")
    var raw = false
    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("inspect-shards", talk) { _ in
            for group in try ShardGroup.find(place.path) {
                if try !Terminal.write(describe(group) + "\n") { return }
            }
        }
    }

    private func describe(_ group: ShardGroup) throws -> String {
        let names = raw ? nil : try Names(forShard: group.files[0])
        var summaries: [ColumnSummary] = []
        var rows = 0
        for file in group.files {
            let table = try Table(Shard(contentsOf: file), columns: columns.map(commaList), names: names)
            rows += table.rows
            for column in table.columns {
                let at = summaries.firstIndex { $0.name == column.name } ?? summaries.count
                if at == summaries.count { summaries.append(ColumnSummary(name: column.name)) }
                summaries[at].add(column, rows: table.rows)
            }
        }
        let files = group.files.count == 1 ? "1 file" : "\(group.files.count) files"
        return "\(group.label): \(files), \(rows) rows\n" + summaries.map(\.text).joined()
    }
}
