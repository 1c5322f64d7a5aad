/// One shard, decoded and checked against the profile of docs/shards.md. Columns are copied out on access.
package struct Shard: Sendable {
    package struct Column: Sendable, Equatable {
        package let name: String
        package let type: ElementType
        /// One extent for a column, two for a matrix.
        package let shape: [Int]
        let begin: Int
    }

    /// How the shard is called in messages: usually its path.
    package let name: String
    package let metadata: [String: String]
    /// In the order of the file's bytes.
    package let columns: [Column]
    /// SHA-256 of the uncompressed bytes.
    package let digest: String
    private let bytes: [UInt8]
    private let dataStart: Int
    private let indexByName: [String: Int]

    package static let maximumHeaderBytes = 1 << 20
    /// The reader's guard against absurd sizes, uncompressed.
    package static let maximumBytes = 1 << 30

    package var kind: String { metadata["kind"] ?? "" }
    package var rows: Int { metadata["rows"].flatMap(Int.init) ?? 0 }
    package func integer(_ key: String) -> Int64? { metadata[key].flatMap(Int64.init) }

    /// Reads and checks in this order: gzip header, safetensors header, size, CRC-32, tensors, ragged columns.
    package init(contentsOf path: String, maximumBytes: Int = maximumBytes) throws {
        // What deflate cannot shrink it makes larger by less than 1 in 1,000.
        let file = try FileSystem.read(path, atMost: maximumBytes + maximumBytes / 1000 + 1024)
        try self.init(gzipped: file, name: path, maximumBytes: maximumBytes)
    }

    package init(gzipped file: [UInt8], name: String, maximumBytes: Int = maximumBytes) throws {
        var header: HeaderJSON?
        let bytes = try Gzip.decompress(file, name: name, prefix: 8 + Self.maximumHeaderBytes) { prefix in
            let (parsed, total) = try Self.header(of: prefix, name: name, maximumBytes: maximumBytes)
            header = parsed
            if total >= 1 << 24 { try Memory.require(2 * total, for: name) }
            return total
        }
        let ours = header!.metadata["lectern.version"] != nil
        if ours && file[0..<10] != Gzip.ownHeader[0..<10] {
            throw LecternError.data("\(name): offset 8: gzip header differs from the one every stage writes")
        }
        try self.init(header: header!, bytes: bytes, name: name)
    }

    private static func header(of prefix: [UInt8], name: String, maximumBytes: Int) throws -> (HeaderJSON, Int) {
        guard prefix.count >= 8 else { throw LecternError.data("\(name): too short for a safetensors header") }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(prefix[$1]) << (8 * UInt64($1)) }
        guard length <= UInt64(maximumHeaderBytes), length % 8 == 0, length >= 8 else {
            throw LecternError.data(
                "\(name): offset 0: header length \(length), expected a multiple of 8 up to \(maximumHeaderBytes)")
        }
        let end = 8 + Int(length)
        guard prefix.count >= end else { throw LecternError.data("\(name): cut within the header") }
        let header = try HeaderJSON(Array(prefix[8..<end]), file: name)
        var at = 0
        for tensor in header.tensors.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
            let label = "\(name): tensor \"\(tensor.name)\""
            guard tensor.begin == at else {
                throw LecternError.data("\(label): starts at \(tensor.begin), expected \(at): hole or overlap")
            }
            var size = tensor.type.width
            for extent in tensor.shape {
                let (product, overflow) = size.multipliedReportingOverflow(by: extent)
                guard !overflow else { throw LecternError.data("\(label): shape is too large") }
                size = product
            }
            guard tensor.end >= tensor.begin, tensor.end - tensor.begin == size else {
                throw LecternError.data("\(label): \(tensor.end - tensor.begin) bytes, its shape needs \(size)")
            }
            guard tensor.begin % tensor.type.width == 0 else {
                throw LecternError.data("\(label): offset \(tensor.begin) is not aligned to \(tensor.type.width) bytes")
            }
            guard (1...2).contains(tensor.shape.count) else {
                throw LecternError.data("\(label): \(tensor.shape.count) dimensions, expected 1 or 2")
            }
            at = tensor.end
            guard end + at <= maximumBytes else {
                throw LecternError.data(
                    "\(name): declares \(end + at) bytes, more than max_shard_bytes \(maximumBytes)")
            }
        }
        return (header, end + at)
    }

    private init(header: HeaderJSON, bytes: [UInt8], name: String) throws {
        self.name = name
        self.bytes = bytes
        metadata = header.metadata
        digest = Digest.sha256(bytes)
        dataStart = 8 + (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        columns = header.tensors.sorted { ($0.begin, $0.name) < ($1.begin, $1.name) }
            .map { Column(name: $0.name, type: $0.type, shape: $0.shape, begin: $0.begin) }
        indexByName = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1.name, $0) })
        try checkTable()
    }

    /// Lengths, ragged offsets, and that booleans are 0 or 1.
    private func checkTable() throws {
        guard metadata["kind"] != nil else { throw LecternError.data("\(name): metadata \"kind\" is missing") }
        guard let text = metadata["rows"], let rows = Int(text), (0...Self.maximumBytes).contains(rows) else {
            throw LecternError.data("\(name): metadata \"rows\" is missing or not a count")
        }
        for column in columns {
            let label = "\(name): column \"\(column.name)\""
            if column.type == .bool {
                let from = dataStart + column.begin
                if let bad = bytes[from..<from + column.shape.reduce(1, *)].firstIndex(where: { $0 > 1 }) {
                    throw LecternError.data("\(label): row \(bad - from): BOOL byte \(bytes[bad]), expected 0 or 1")
                }
            }
            if column.shape.count == 2 { continue }
            if column.name.hasSuffix(".offsets") {
                try checkOffsets(column, rows: rows)
            } else if self[column.name + ".offsets"] == nil && column.shape[0] != rows {
                throw LecternError.data("\(label): \(column.shape[0]) values, the table has \(rows) rows")
            }
        }
    }

    private func checkOffsets(_ column: Column, rows: Int) throws {
        let label = "\(name): column \"\(column.name)\""
        guard column.type == .i64, column.shape == [rows + 1] else {
            throw LecternError.data("\(label): expected \(rows + 1) offsets of type I64")
        }
        guard let values = self[String(column.name.dropLast(8))], values.shape.count == 1 else {
            throw LecternError.data("\(label): the column of values is missing")
        }
        let offsets: [Int64] = copy(column)
        guard offsets[0] == 0 else {
            throw LecternError.data("\(label): row 0: first offset \(offsets[0]), expected 0")
        }
        for row in 0..<rows where offsets[row + 1] < offsets[row] {
            throw LecternError.data("\(label): row \(row + 1): offsets descend")
        }
        guard offsets[rows] == Int64(values.shape[0]) else {
            throw LecternError.data("\(label): last offset \(offsets[rows]), expected \(values.shape[0])")
        }
    }

    package subscript(name: String) -> Column? { indexByName[name].map { columns[$0] } }

    /// Whether a column is the same in another shard, byte by byte. - Precondition: both have it, with one type and shape.
    package func hasSameBytes(_ other: Shard, column name: String) -> Bool {
        let (mine, others) = (self[name]!, other[name]!)
        let size = mine.shape.reduce(1, *) * mine.type.width
        return bytes[dataStart + mine.begin..<dataStart + mine.begin + size].elementsEqual(
            other.bytes[other.dataStart + others.begin..<other.dataStart + others.begin + size])
    }

    private func copy<Element: ShardElement>(_ column: Column) -> [Element] {
        let count = column.shape.reduce(1, *)
        return bytes.withUnsafeBytes { raw in
            [Element](unsafeUninitializedCapacity: count) { out, filled in
                if count > 0 {
                    UnsafeMutableRawPointer(out.baseAddress!).copyMemory(
                        from: raw.baseAddress! + dataStart + column.begin, byteCount: count * MemoryLayout<Element>.size
                    )
                }
                filled = count
            }
        }
    }

    private func find(_ name: String, _ type: ElementType, dimensions: Int) throws -> Column {
        guard let column = self[name] else { throw LecternError.data("\(self.name): column \"\(name)\" is missing") }
        guard column.type == type, column.shape.count == dimensions else {
            throw LecternError.data(
                "\(self.name): column \"\(name)\": \(column.type.rawValue) with \(column.shape.count) dimension(s), "
                    + "expected \(type.rawValue) with \(dimensions)")
        }
        return column
    }

    package func has(_ name: String) -> Bool { indexByName[name] != nil }

    /// A plain column: one value a row.
    /// - Throws: `.badData` also for a column of lists, whose values are not as many as the rows.
    package func values<Element: ShardElement>(_ name: String, as type: Element.Type = Element.self) throws -> [Element]
    {
        let column = try find(name, Element.elementType, dimensions: 1)
        guard !has(name + ".offsets") else {
            throw LecternError.data("\(self.name): column \"\(name)\": lists, expected one value a row")
        }
        return copy(column)
    }

    /// All values of a column, be they one a row or lists, which then follow each other.
    package func flat<Element: ShardElement>(_ name: String, as type: Element.Type = Element.self) throws -> [Element] {
        copy(try find(name, Element.elementType, dimensions: 1))
    }

    /// A column of lists.
    package func ragged<Element: ShardElement>(_ name: String, as type: Element.Type = Element.self) throws
        -> Ragged<Element>
    {
        Ragged(offsets: try flat(name + ".offsets"), values: try flat(name))
    }

    /// A column of strings.
    package func strings(_ name: String) throws -> Ragged<UInt8> { try ragged(name) }

    /// A row-major matrix.
    package func matrix(_ name: String) throws -> (rows: Int, columns: Int, values: [Float]) {
        let column = try find(name, .f32, dimensions: 2)
        return (column.shape[0], column.shape[1], copy(column))
    }

    /// The check that course numbers of this shard mean the given catalogue.
    package func requireCatalogue(_ catalogue: String) throws {
        guard metadata["catalogue"] == catalogue else {
            throw LecternError.data(
                "\(name): made for the course catalogue \((metadata["catalogue"] ?? "none").prefix(12)), "
                    + "this run's is \(catalogue.prefix(12)); run make all to rebuild it")
        }
    }
}
