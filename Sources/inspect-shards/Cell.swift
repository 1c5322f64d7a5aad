import Shards
import StageKit

/// One value of a table, ready to be written in any form.
enum Cell: Equatable {
    case null
    case text(String)
    case number(String)
    case boolean(Bool)
    case list([Cell])

    /// Without quotes or escapes; a list's entries are split by `|`.
    var plain: String {
        switch self {
        case .null: ""
        case .text(let text), .number(let text): text
        case .boolean(let value): value ? "true" : "false"
        case .list(let cells): cells.map(\.plain).joined(separator: "|")
        }
    }

    /// Lists of more than `limit` entries are cut, and say how long they are.
    func shortened(_ limit: Int) -> Cell {
        guard case .list(let cells) = self, cells.count > limit else { return self }
        return .text(Cell.list(Array(cells.prefix(limit))).plain + "|… (\(cells.count))")
    }
}

extension Table {
    func cell(_ row: Int, _ column: Column) -> Cell {
        if let valid = column.valid, !valid[row] { return .null }
        if case .text(let strings) = column.meaning { return .text(strings.string(row)) }
        guard let offsets = column.offsets else { return scalar(row, column) }
        return .list((offsets[row]..<offsets[row + 1]).map { scalar($0, column) })
    }

    private func scalar(_ at: Int, _ column: Column) -> Cell {
        switch column.values {
        case .integers(let values): integer(values[at], column.meaning)
        case .floats(let values): .number("\(values[at])")
        case .doubles(let values): .number("\(values[at])")
        case .booleans(let values): .boolean(values[at])
        }
    }

    private func integer(_ value: Int64, _ meaning: Meaning) -> Cell {
        switch meaning {
        case .time: return .text(Moment.text(value))
        case .codes(let names):
            // A code beyond its dictionary (a mark for "none") stays a number.
            return value < names.count ? .text(names.string(Int(value))) : .number(String(value))
        case .plain, .text: return .number(String(value))
        }
    }
}
