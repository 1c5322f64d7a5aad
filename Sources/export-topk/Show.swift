import ArgumentParser
import CommandKit
import Foundation
import Platform
import ShardKinds
import Shards
import StageKit

/// Prints some learners' lists for people.
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Prints some learners' lists with titles and reasons on standard output.")

    @Option(name: .customLong("run"), help: "The run folder.")
    var runFolder = "out/latest"

    @Option(name: .long, help: "How many learners: the first of each rung, then the next ones.")
    var learners = 3

    @Option(name: .long, help: "The id of one learner.")
    var learner: String?

    @Option(name: .long, help: "How many courses of each list.")
    var courses = 10

    @OptionGroup var talk: TalkOptions

    func run() throws {
        try reportingErrors("export-topk", talk) { _ in
            let lists = try ShownLists(run: runFolder)
            let chosen = try learner.map { [try lists.find($0)] } ?? lists.examples(learners)
            for place in chosen {
                guard try Terminal.write(lists.text(place, courses: courses)) else { return }
            }
        }
    }
}

/// The lists of a finished run, with the names that people read.
private struct ShownLists {
    typealias Place = (shard: Int, row: Int)

    let topk: StageInput
    let logs: StageInput
    let catalogue: Catalogue
    let shards: Int

    init(run: String) throws {
        topk = try StageInput(run: run, stage: StageName.exportTopK.rawValue, folder: StageName.exportTopK.folder)
        logs = try StageInput(run: run, stage: StageName.importLogs.rawValue, folder: StageName.importLogs.folder)
        catalogue = try LogsShards.catalogue(logs)
        shards = topk.names("topk").count
    }

    private func top(_ shard: Int) throws -> TopLists {
        try TopKShards.lists(topk.shard(TopKShards.topk(shard, of: shards)))
    }

    private func ids(_ shard: Int) throws -> [String] {
        try logs.shard(LogsShards.learners(shard, of: shards)).strings("id").strings
    }

    func find(_ id: String) throws -> Place {
        let shard = LearnerHash.shard(LearnerHash.of(id.utf8), of: shards)
        guard let row = try ids(shard).firstIndex(where: { $0.utf8.elementsEqual(id.utf8) }) else {
            throw LecternError.missing("\(topk.folder): no learner \"\(id)\"")
        }
        return (shard, row)
    }

    /// The first learner of each rung with a full list, then the next ones, in shard order.
    func examples(_ count: Int) throws -> [Place] {
        var byRung: [Rung: Place] = [:]
        var others: [Place] = []
        for shard in 0..<shards where byRung.count + others.count < max(count, 1) || shard < 4 {
            let top = try top(shard)
            for row in 0..<top.lists.count where top.shortness[row] == .full {
                if byRung[top.rungs[row]] == nil {
                    byRung[top.rungs[row]] = (shard, row)
                } else if others.count < count {
                    others.append((shard, row))
                }
            }
        }
        let first = Rung.allCases.compactMap { byRung[$0] }
        return Array((first + others).prefix(count))
    }

    func text(_ place: Place, courses limit: Int) throws -> String {
        let top = try top(place.shard)
        let learners = try LogsShards.learners(logs.shard(LogsShards.learners(place.shard, of: shards)))
        let fits = try LogsShards.dictionary(topk.shard(TopKShards.fits(place.shard, of: shards))).values
        let watched = try LogsShards.watches(logs.shard(LogsShards.watches(place.shard, of: shards)))
        let history = Set(
            watched.learner.indices.filter { Int(watched.learner[$0]) == place.row }.map { watched.course[$0] })
        let range = top.lists.range(place.row)
        var text =
            "\(learners.ids[place.row])\(try segment(learners, place.row)): \(history.count) courses watched; "
            + "list of \(range.count), rung \(top.rungs[place.row].label)\n"
        let shown = range.prefix(limit)
        let titles = shown.map { title(top.lists.courses[$0]) }
        let width = titles.map(\.count).max() ?? 0
        for (at, title) in zip(shown, titles) {
            let rank = String(at - range.lowerBound + 1)
            text += String(repeating: " ", count: max(0, 4 - rank.count)) + rank + "  " + title
            text += String(repeating: " ", count: width - title.count) + "  " + reason(top, at, fits) + "\n"
        }
        return text + "\n"
    }

    private func segment(_ learners: Learners, _ row: Int) throws -> String {
        guard case .categorical(let codes, let valid)? = learners.attributes.columns["segment"], valid[row] else {
            return ""
        }
        let name = LogsShards.dictionary("learners.segment")
        return " (\(try LogsShards.dictionary(logs.shard(name)).values[Int(codes[row])]))"
    }

    private func title(_ course: UInt32) -> String {
        let title = catalogue.titles[Int(course)]
        let text = title.isEmpty ? catalogue.ids[Int(course)] : title
        return text.count > 60 ? text.prefix(59) + "…" : text
    }

    private func reason(_ top: TopLists, _ at: Int, _ fits: [String]) -> String {
        switch top.reasons[at] {
        case .watched: "because you watched \(title(top.because[at]))"
        case .fits: "fits your \(fits[Int(top.because[at])])"
        case .popularInSegment: "popular in your segment"
        case .popular: "popular now"
        }
    }
}
