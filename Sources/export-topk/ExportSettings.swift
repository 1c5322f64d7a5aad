import Platform
import Ranking
import Shards
import StageKit

/// The `export` section.
struct ExportSettings {
    enum Languages: String { case any, learner, history }

    let k: Int
    let exclusion: HistoryExclusion
    let completedFraction: Float
    let excludesDismissed: Bool
    /// Seconds; nil: for ever.
    let dismissedFor: Int64?
    let languages: Languages
    let require: [(column: String, values: [String])]
    let bar: [(column: String, values: [String])]
    let maxPer: [(column: String, most: Int)]
    let relevanceShare: Float
    let related: Int
    let formats: Set<String>
    let redisSeconds: Int

    init(_ slice: Slice) {
        k = slice.integer("export.k")
        exclusion = HistoryExclusion(rawValue: slice.text("export.exclude"))!
        completedFraction = Float(slice.number("export.completed_fraction"))
        excludesDismissed = slice.boolean("export.exclude_dismissed")
        let days = slice.integer("export.dismissed_days")
        dismissedFor = days == 0 ? nil : Int64(days) * 86_400
        languages = Languages(rawValue: slice.text("export.languages"))!
        require = Self.columnValues(slice.value("export.require"))
        bar = Self.columnValues(slice.value("export.bar"))
        relevanceShare = Float(slice.number("export.relevance_share"))
        related = slice.integer("export.related")
        formats = Set(slice.texts("export.formats"))
        redisSeconds = slice.integer("export.redis_days") * 86_400
        if case .map(let caps) = slice.value("export.max_per") {
            maxPer = caps.sorted { $0.key < $1.key }.compactMap { column, most in
                if case .integer(let most) = most { (column, most) } else { nil }
            }
        } else {
            maxPer = []
        }
    }

    private static func columnValues(_ value: Value) -> [(column: String, values: [String])] {
        guard case .map(let columns) = value else { return [] }
        return columns.sorted { $0.key < $1.key }.compactMap { column, values in
            guard case .list(let items) = values else { return nil }
            return (column, items.map { if case .text(let text) = $0 { text } else { $0.yaml } })
        }
    }
}

/// The catalogue's columns as rules need them.
extension Catalogue {
    /// Codes of a column's values by course; a categorical column has at most one each.
    /// - Throws: `.configuration` naming the parameter if the catalogue has no such column.
    func codes(_ column: String, for parameter: String) throws -> (offsets: [Int], values: [UInt32]) {
        switch attributes.columns[column] {
        case .categorical(let codes, let valid)?:
            var result = (offsets: [0], values: [UInt32]())
            for (code, isValid) in zip(codes, valid) {
                if isValid { result.values.append(code) }
                result.offsets.append(result.values.count)
            }
            return result
        case .list(let offsets, let values)?: return (offsets, values)
        default:
            let known = attributes.names.filter { dictionaries[$0] != nil }
            throw LecternError.configuration(
                "\(parameter): the catalogue has no column \"\(column)\" of categories; it has "
                    + (known.isEmpty ? "none" : known.joined(separator: ", ")))
        }
    }

    /// By course, whether the column has one of the values.
    func has(_ column: String, _ wanted: [String], for parameter: String) throws -> [Bool] {
        let (offsets, values) = try codes(column, for: parameter)
        let dictionary = dictionaries[column]?.values ?? []
        let codes = try Set(
            wanted.map { value in
                guard let code = dictionary.firstIndex(where: { $0.utf8.elementsEqual(value.utf8) }) else {
                    throw LecternError.configuration(
                        "\(parameter): no course has \"\(value)\" in column \"\(column)\"; remove it or mend it")
                }
                return UInt32(code)
            })
        return (0..<count).map { course in values[offsets[course]..<offsets[course + 1]].contains { codes.contains($0) }
        }
    }
}
