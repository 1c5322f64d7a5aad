import Foundation
import Metrics
import Platform
import Synchronization

/// In how many lists each course stands, by slice, model and cut-off. One table for all threads: counts are integers, so
/// the order in which shards arrive cannot show.
final class SliceStatistics: Sendable {
    /// Slice → model → cut-off.
    private let table = Mutex<[String: [[ListStatistics]]]>([:])
    private let empty: [[ListStatistics]]

    init(courseCount: Int, models: Int, cutoffs: [Int]) {
        let row = cutoffs.map { ListStatistics(courseCount: courseCount, k: $0) }
        empty = [[ListStatistics]](repeating: row, count: models)
    }

    /// - Parameter learners: each one's slices, and lists by model.
    func add(_ learners: [(slices: [String], lists: [[UInt32]])]) {
        table.withLock { table in
            for (slices, lists) in learners {
                for slice in slices {
                    for (model, list) in lists.enumerated() {
                        for at in empty[model].indices { table[slice, default: empty][model][at].add(list) }
                    }
                }
            }
        }
    }

    /// What it holds.
    var counts: [String: [[ListStatistics]]] { table.withLock { $0 } }

    /// Takes what others have counted, instead of its own.
    func replace(bySumOf others: [[String: [[ListStatistics]]]]) {
        table.withLock { table in
            table = others[0]
            for (slice, rows) in others.dropFirst().joined() {
                for (model, row) in rows.enumerated() {
                    for at in row.indices { table[slice, default: empty][model][at] += row[at] }
                }
            }
        }
    }

    subscript(slice: String) -> [[ListStatistics]] { table.withLock { $0[slice] } ?? empty }
}

/// The mean distance within lists, in parts: one per shard, added in shard order.
struct MeanDistance: Codable {
    var sum = 0.0
    /// Lists of at least two courses.
    var lists = 0

    mutating func add(_ distance: Double?) {
        guard let distance else { return }
        sum += distance
        lists += 1
    }
}

/// The language of most of a learner's courses, for platforms whose profiles do not say it; ties to the smaller code.
struct HistoryLanguages {
    private let codes: [UInt32]
    private let valid: [Bool]
    private let names: [String]

    /// Without a `language` column of courses no learner has one.
    init(_ catalogue: Catalogue) {
        guard case .categorical(let codes, let valid)? = catalogue.attributes.columns["language"] else {
            (codes, valid, names) = ([], [], [])
            return
        }
        (self.codes, self.valid, names) = (codes, valid, catalogue.dictionaries["language"]?.values ?? [])
    }

    func name(of courses: some Collection<UInt32>) -> String {
        var counts: [UInt32: Int] = [:]
        for course in courses where Int(course) < codes.count && valid[Int(course)] {
            counts[codes[Int(course)], default: 0] += 1
        }
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return most.map { names[Int($0.key)] } ?? ""
    }
}

/// As its cut-off, the number of lists, and the counts as bytes: what ranks send each other.
extension ListStatistics: Codable {
    private enum Key: CodingKey { case k, lists, counts }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        let counts = try values.decode(Data.self, forKey: .counts).withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
        }
        self.init(
            k: try values.decode(Int.self, forKey: .k), lists: try values.decode(Int.self, forKey: .lists),
            counts: counts)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(k, forKey: .k)
        try values.encode(lists, forKey: .lists)
        try values.encode(counts.withUnsafeBytes { Data($0) }, forKey: .counts)
    }
}
