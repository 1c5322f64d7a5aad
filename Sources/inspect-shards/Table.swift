import Shards

/// A shard as a table: what a reader of rows sees. Helper columns (`.offsets`, `.valid`) are folded into theirs.
struct Table {
    struct Column {
        let name: String
        let values: Values
        /// Row i is the list `values[offsets[i]..<offsets[i + 1]]`.
        let offsets: [Int]?
        let valid: [Bool]?
        let meaning: Meaning
    }

    enum Values {
        case integers([Int64])
        case floats([Float])
        case doubles([Double])
        case booleans([Bool])
    }

    enum Meaning {
        case plain
        /// Seconds since 1970.
        case time
        /// A list of bytes that is a string.
        case text(Ragged<UInt8>)
        case codes(Ragged<UInt8>)
    }

    let rows: Int
    private(set) var columns: [Column] = []

    /// - Parameters:
    ///   - chosen: the columns to take, in this order; all if nil.
    ///   - names: spells out codes; numbers stay numbers without.
    init(_ shard: Shard, columns chosen: [String]? = nil, names: Names?) throws {
        rows = shard.rows
        let visible = Self.visible(shard)
        if let names, let row = try names.rowNames(of: shard) {
            // Where a column has that name, it is of something else: of the related courses of the row's course.
            let label = visible.contains(row.label) ? "row" : row.label
            if chosen?.contains(label) ?? true { columns.append(Self.text(label, row.names)) }
        }
        for name in chosen ?? visible where !columns.contains(where: { $0.name == name }) {
            guard visible.contains(name) else {
                throw LecternError(
                    .usage, "\(shard.name): no column \"\(name)\"; there are \(visible.joined(separator: ", "))")
            }
            columns.append(try Self.column(name, of: shard, names: names))
        }
        if let chosen { columns.sort { chosen.firstIndex(of: $0.name)! < chosen.firstIndex(of: $1.name)! } }
    }

    /// Names of the columns that have a value or list for each row, as ids and names first, then as stored.
    static func visible(_ shard: Shard) -> [String] {
        let shown = shard.columns.filter { column in
            if column.shape.count == 2 { return column.shape[0] == shard.rows && column.type == .f32 }
            return !isHelper(column.name, of: shard)
        }
        let first = ["id", "learner", "course", "title", "value", "time"]
        let leading = first.filter { name in shown.contains { $0.name == name } }
        return leading + shown.map(\.name).filter { !first.contains($0) }.sorted()
    }

    static func isHelper(_ name: String, of shard: Shard) -> Bool {
        [".offsets", ".valid"].contains { name.hasSuffix($0) && shard.has(String(name.dropLast($0.count))) }
    }

    private static func text(_ name: String, _ strings: Ragged<UInt8>) -> Column {
        Column(name: name, values: .integers([]), offsets: nil, valid: nil, meaning: .text(strings))
    }

    private static func column(_ name: String, of shard: Shard, names: Names?) throws -> Column {
        let stored = shard[name]!
        let valid: [Bool]? = shard.has(name + ".valid") ? try shard.values(name + ".valid") : nil
        if stored.shape.count == 2 {
            let matrix = try shard.matrix(name)
            let offsets = (0...matrix.rows).map { $0 * matrix.columns }
            return Column(name: name, values: .floats(matrix.values), offsets: offsets, valid: valid, meaning: .plain)
        }
        var offsets: [Int]?
        if shard.has(name + ".offsets") {
            if stored.type == .u8 {
                return Column(
                    name: name, values: .integers([]), offsets: nil, valid: valid,
                    meaning: .text(try shard.strings(name)))
            }
            offsets = try shard.values(name + ".offsets", as: Int64.self).map(Int.init)
        }
        var meaning = Meaning.plain
        if let table = try names?.names(of: name, in: shard) {
            meaning = .codes(table)
        } else if stored.type == .i64 && isTime(name) {
            meaning = .time
        }
        return Column(
            name: name, values: try values(name, of: shard), offsets: offsets, valid: valid, meaning: meaning)
    }

    static func isTime(_ name: String) -> Bool {
        name == "time" || name == "times" || name.hasSuffix("_at") || name.hasSuffix(".time")
    }

    static func values(_ name: String, of shard: Shard) throws -> Values {
        switch shard[name]!.type {
        case .i64: .integers(try shard.flat(name))
        case .i32: .integers(try shard.flat(name, as: Int32.self).map(Int64.init))
        case .u32: .integers(try shard.flat(name, as: UInt32.self).map(Int64.init))
        case .u16: .integers(try shard.flat(name, as: UInt16.self).map(Int64.init))
        case .u8: .integers(try shard.flat(name, as: UInt8.self).map(Int64.init))
        case .f32: .floats(try shard.flat(name))
        case .f64: .doubles(try shard.flat(name))
        case .bool: .booleans(try shard.flat(name))
        }
    }
}
