import CZlib

/// A piece of a gzip member that was compressed on its own: raw deflate, ended on a byte by an empty block
/// (Z_SYNC_FLUSH), so that pieces can be made by several threads and written one after the other.
struct DeflatedBlock: Sendable {
    var bytes: [UInt8]
    var checksum: UInt
    var length: Int

    init(_ raw: borrowing RowBytes) { self.init(UnsafeBufferPointer(start: raw.base, count: raw.count)) }

    init(_ raw: UnsafeBufferPointer<UInt8>) {
        length = raw.count
        checksum = raw.count == 0 ? 0 : crc32_z(0, raw.baseAddress, raw.count)
        bytes = []
        if raw.count > 0 { bytes = Self.deflated(raw) }
    }

    private static func deflated(_ raw: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        precondition(raw.count < Int(Int32.max))
        var stream = z_stream()
        // Level 1: generated rows are read once or twice, and written by the gigabyte.
        let status = deflateInit2_(
            &stream, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib refused its parameters")
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(raw.count))) + 16
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bound) { out in
            stream.next_in = UnsafeMutablePointer(mutating: raw.baseAddress)
            stream.avail_in = UInt32(raw.count)
            stream.next_out = out.baseAddress
            stream.avail_out = UInt32(bound)
            let status = CZlib.deflate(&stream, Z_SYNC_FLUSH)
            precondition(status == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)
            // A copy of the right size: a batch of these is held at once.
            return Array(out[0..<bound - Int(stream.avail_out)])
        }
    }
}

/// The gzip member around such pieces (RFC 1952): no time, no name.
struct GzipMember {
    private var checksum: UInt = 0
    private var length = 0

    static let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255]

    mutating func add(_ block: DeflatedBlock) {
        checksum = crc32_combine(checksum, block.checksum, block.length)
        length += block.length
    }

    /// An empty last block, CRC-32 and length.
    var trailer: [UInt8] {
        var bytes: [UInt8] = [3, 0]
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: checksum >> shift)) }
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        return bytes
    }
}
