import Platform
import Shards
import Yams

extension ColumnMapping {
    /// - Parameter free: the mapping chooses the column's type (attributes without a fixed meaning).
    init(
        _ reader: MappingReader, _ key: String, _ content: LogTable.Column.Content, isAttribute: Bool, free: Bool
    ) throws {
        target = key
        self.isAttribute = isAttribute
        let node = try reader.required(key)
        if let scalar = node.scalar {
            (origin, optional) = (.column(scalar.string), false)
            conversion = Self.standard(content)
            return
        }
        let own = try MappingReader(
            node, file: reader.file, path: "\(reader.path): \(key)",
            known: ["column", "constant", "as", "optional"] + Self.extraKeys(content, free: free))
        conversion = free ? try Self.attribute(own) : try Self.fixed(own, content)
        origin = try Self.origin(own, conversion)
        optional = try own.boolean("optional") ?? false
    }

    private static func origin(_ reader: MappingReader, _ conversion: Conversion) throws -> Origin {
        let column = try reader.text("column")
        let constant = try reader.text("constant")
        if case .time(let form) = conversion, form.isMadeUp { return .nothing }
        switch (column, constant) {
        case (let column?, nil): return .column(column)
        case (nil, let constant?): return .constant(constant)
        default: throw reader.error(nil, "expected either column: (a header of the file) or constant: (a value)")
        }
    }

    private static func extraKeys(_ content: LogTable.Column.Content, free: Bool) -> [String] {
        if free { return ["separator"] }
        return content == .label ? LabelNames.all.map(\.key) + ["positive_from"] : []
    }

    /// What a bare column name means.
    private static func standard(_ content: LogTable.Column.Content) -> Conversion {
        switch content {
        case .id, .text: .text
        case .category: .category
        case .time: .time(.iso8601)
        case .watchTime: .watchTime(.amount(1))
        case .duration: .duration(1)
        case .label: .label(.byValue(LabelNames.asTheyAre))
        case .scope: .scope
        }
    }

    private static func fixed(_ reader: MappingReader, _ content: LogTable.Column.Content) throws -> Conversion {
        let chosen: Conversion?
        switch content {
        case .time:
            chosen = try reader.choice(
                "as",
                [
                    "iso8601": .time(.iso8601), "epoch_seconds": .time(.epochSeconds),
                    "epoch_milliseconds": .time(.epochMilliseconds), "year": .time(.year), "random": .time(.random),
                    "held_out": .time(.heldOut),
                ])
        case .watchTime:
            chosen = try reader.choice(
                "as",
                [
                    "seconds": .watchTime(.amount(1)), "milliseconds": .watchTime(.amount(0.001)),
                    "minutes": .watchTime(.amount(60)), "fraction": .watchTime(.share(1)),
                    "percent": .watchTime(.share(0.01)),
                ])
        case .duration:
            chosen = try reader.choice(
                "as",
                [
                    "seconds": .duration(1), "milliseconds": .duration(0.001), "minutes": .duration(60),
                    "hours": .duration(3600),
                ])
        case .label:
            return .label(try LabelNames.rule(reader))
        case .id, .text, .category, .scope:
            if try reader.text("as") != nil {
                throw reader.error("as", "this column has only one form; leave the key out")
            }
            chosen = nil
        }
        return chosen ?? standard(content)
    }

    private static func attribute(_ reader: MappingReader) throws -> Conversion {
        let separator = try reader.text("separator").map { try SourceDefaults.byte($0, reader, "separator") }
        let list = Conversion.list(.split(separator ?? UInt8(ascii: "|")))
        let conversion: Conversion =
            try reader.choice(
                "as",
                [
                    "category": .category, "number": .number, "text": .text, "list": list,
                    "bracketed_list": .list(.bracketed),
                ]) ?? .category
        if separator != nil && conversion != list {
            throw reader.error("separator", "only columns with as: list have a separator")
        }
        return conversion
    }
}

extension Conversion {
    /// In messages.
    var attributeKind: String {
        switch self {
        case .category: "category"
        case .number: "number"
        case .list: "list"
        default: "text"
        }
    }
}

/// `positive: [click, bookmark]` and the like.
enum LabelNames {
    static let all: KeyValuePairs<String, EngagementLabel> = [
        "impression": .impression, "positive": .positive, "dismiss": .dismiss, "negative": .negative,
    ]

    static var asTheyAre: [String: UInt8] { Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0.value.rawValue) }) }

    static func rule(_ reader: MappingReader) throws -> Conversion.LabelRule {
        if try reader.text("as") != nil {
            throw reader.error("as", "a label is read by positive_from or by lists of values; leave the key out")
        }
        if let threshold = try reader.number("positive_from") {
            if let both = all.first(where: { reader.value($0.key) != nil }) {
                throw reader.error(both.key, "not beside positive_from")
            }
            return .positiveFrom(threshold)
        }
        var values: [String: UInt8] = [:]
        for (name, label) in all {
            for value in try reader.texts(name) ?? [] {
                if values.updateValue(label.rawValue, forKey: value) != nil {
                    throw reader.error(name, "\"\(value)\" has two labels")
                }
            }
        }
        return .byValue(values.isEmpty ? asTheyAre : values)
    }
}
