/// Collects columns and writes them as one shard in the canonical layout: `__metadata__` first with sorted keys,
/// then tensors by element width descending, then by name.
package struct ShardBuilder: Sendable {
    private struct Tensor: Sendable {
        var name: String
        var type: ElementType
        var shape: [Int]
        var bytes: [UInt8]
    }

    package let kind: String
    package let rows: Int
    package var metadata: [String: String] = [:]
    private var tensors: [Tensor] = []

    package init(kind: String, rows: Int) {
        self.kind = kind
        self.rows = rows
    }

    /// A plain column of `rows` values.
    package mutating func add<Element: ShardElement>(_ name: String, _ values: [Element]) {
        precondition(values.count == rows, "column \(name): \(values.count) values, \(rows) rows")
        append(name, [values.count], values)
    }

    /// A column of lists.
    package mutating func add<Element: ShardElement>(_ name: String, _ column: Ragged<Element>) {
        precondition(column.count == rows, "column \(name): \(column.count) rows, expected \(rows)")
        append(name, [column.values.count], column.values)
        append(name + ".offsets", [column.offsets.count], column.offsets)
    }

    /// A row-major matrix of any number of rows.
    package mutating func addMatrix(_ name: String, rows: Int, columns: Int, _ values: [Float]) {
        precondition(values.count == rows * columns)
        append(name, [rows, columns], values)
    }

    private mutating func append<Element: ShardElement>(_ name: String, _ shape: [Int], _ values: [Element]) {
        precondition(!tensors.contains { $0.name == name }, "column \(name) twice")
        let bytes = values.withUnsafeBytes { Array($0) }
        tensors.append(Tensor(name: name, type: Element.elementType, shape: shape, bytes: bytes))
    }

    /// The uncompressed safetensors bytes.
    package func encoded() -> [UInt8] {
        var metadata = self.metadata
        metadata["kind"] = kind
        metadata["rows"] = String(rows)
        let ordered = tensors.sorted { ($1.type.width, $0.name) < ($0.type.width, $1.name) }
        var header = Array("{\"__metadata__\":{".utf8)
        for (i, key) in metadata.keys.sorted().enumerated() {
            if i > 0 { header.append(0x2c) }
            header += HeaderJSON.quoted(key) + [0x3a] + HeaderJSON.quoted(metadata[key]!)
        }
        header.append(0x7d)
        var at = 0
        for tensor in ordered {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            header += [0x2c] + HeaderJSON.quoted(tensor.name) + [0x3a]
            header += Array(
                ("{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(at),\(at + tensor.bytes.count)]}").utf8)
            at += tensor.bytes.count
        }
        header.append(0x7d)
        while header.count % 8 != 0 { header.append(0x20) }
        precondition(header.count <= Shard.maximumHeaderBytes)
        var out: [UInt8] = []
        out.reserveCapacity(8 + header.count + at)
        for shift in stride(from: 0, to: 64, by: 8) { out.append(UInt8(truncatingIfNeeded: header.count >> shift)) }
        out += header
        for tensor in ordered { out += tensor.bytes }
        return out
    }
}
