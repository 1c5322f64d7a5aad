import CLibdeflate
import CZlib

/// One gzip member (RFC 1952) with a fixed header: no name, no time, so equal content gives equal bytes.
package enum Gzip {
    static let ownHeader: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]

    /// libdeflate, level 1: a third of zlib's time at the same size (docs/decisions/0007-libdeflate.md).
    /// - Parameter stored: level 0, for files that live for minutes: framed and checked, not made smaller.
    package static func compress(_ bytes: [UInt8], stored: Bool = false) -> [UInt8] {
        let compressor = libdeflate_alloc_compressor(stored ? 0 : 1)!
        defer { libdeflate_free_compressor(compressor) }
        let room = libdeflate_deflate_compress_bound(compressor, bytes.count)
        var out = [UInt8](unsafeUninitializedCapacity: ownHeader.count + room + 8) { out, count in
            _ = out.update(fromContentsOf: ownHeader)
            let packed = bytes.withUnsafeBytes {
                libdeflate_deflate_compress(
                    compressor, $0.baseAddress, $0.count, out.baseAddress! + ownHeader.count, room)
            }
            precondition(packed > 0, "libdeflate found no room in its own bound")
            count = ownHeader.count + packed
        }
        appendLittleEndian(checksum(bytes), to: &out)
        appendLittleEndian(UInt32(truncatingIfNeeded: bytes.count), to: &out)
        return out
    }

    /// CRC-32 as gzip has it.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
    }

    private static func appendLittleEndian(_ value: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Inflates a single member. `declaredSize` is asked with the first bytes inflated, and says how long the whole
    /// must be: inflating never goes beyond that.
    static func decompress(
        _ file: [UInt8], name: String, prefix: Int, declaredSize: ([UInt8]) throws -> Int
    ) throws -> [UInt8] {
        if let whole = try atOnce(file, declaredSize) { return whole }
        return try stepwise(file, name: name, prefix: prefix, declaredSize: declaredSize)
    }

    /// Bytes of a shard in which its header usually ends.
    private static let peek = 1 << 14

    /// The fast way, by libdeflate, for what is sound. nil for everything else, which `stepwise` explains.
    private static func atOnce(_ file: [UInt8], _ declaredSize: ([UInt8]) throws -> Int) throws -> [UInt8]? {
        guard file.count >= 18, file[0..<4] == [0x1f, 0x8b, 8, 0], file[4...7].allSatisfy({ $0 == 0 }),
            let front = front(of: file), front.count >= 8,
            (0..<8).reduce(UInt64(8), { $0 &+ UInt64(front[$1]) << (8 * UInt64($1)) }) <= UInt64(front.count)
        else { return nil }
        let size = try declaredSize(front)
        let trailer = file.count - 8
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(file[at + $1]) << (8 * UInt32($1)) } }
        guard word(trailer + 4) == UInt32(truncatingIfNeeded: size) else { return nil }
        let decompressor = libdeflate_alloc_decompressor()!
        defer { libdeflate_free_decompressor(decompressor) }
        var consumed = 0
        let out = [UInt8](unsafeUninitializedCapacity: size) { out, count in
            var produced = 0
            let result = file.withUnsafeBytes {
                libdeflate_deflate_decompress_ex(
                    decompressor, $0.baseAddress! + 10, trailer - 10, out.baseAddress, size, &consumed, &produced)
            }
            count = result == LIBDEFLATE_SUCCESS ? produced : 0
        }
        return out.count == size && consumed == trailer - 10 && checksum(out) == word(trailer) ? out : nil
    }

    /// The first `peek` bytes of a member, or all if there are fewer; nil if they cannot be inflated.
    private static func front(of file: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        precondition(inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var status = Z_OK
        let front = file.withUnsafeBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: peek) { out, count in
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress! + 10)
                stream.avail_in = UInt32(clamping: input.count - 18)
                stream.next_out = out.baseAddress
                stream.avail_out = UInt32(peek)
                status = inflate(&stream, Z_SYNC_FLUSH)
                count = peek - Int(stream.avail_out)
            }
        }
        return status == Z_OK || status == Z_STREAM_END ? front : nil
    }

    /// The same by zlib, piece by piece: it can say where the damage lies.
    private static func stepwise(
        _ file: [UInt8], name: String, prefix: Int, declaredSize: ([UInt8]) throws -> Int
    ) throws -> [UInt8] {
        guard file.count >= 18 else {
            throw LecternError.data(
                "\(name): \(file.count) bytes is too short for a gzip member; the file is cut or empty")
        }
        guard file[0] == 0x1f, file[1] == 0x8b, file[2] == 8 else {
            throw LecternError.data("\(name): offset 0: no gzip header")
        }
        guard file[3] == 0 else {
            throw LecternError.data("\(name): offset 3: gzip flags \(file[3]), expected 0")
        }
        guard file[4...7].allSatisfy({ $0 == 0 }) else {
            throw LecternError.data("\(name): offset 4: gzip time is set, expected 0 (gzip.compress(b, mtime=0))")
        }
        var stream = z_stream()
        precondition(inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var out = [UInt8](repeating: 0, count: max(prefix, 1 << 16))
        var produced = 0
        var limit: Int? = nil
        let consumed: Int = try file.withUnsafeBufferPointer { input in
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress! + 10)
            stream.avail_in = UInt32(input.count - 18)
            while true {
                if produced == out.count {
                    if let limit {
                        if produced >= limit + 1 {
                            throw LecternError.data(
                                "\(name): inflates to more than the \(limit) bytes its header declares")
                        }
                        out.append(contentsOf: repeatElement(0, count: limit + 1 - out.count))
                    } else {
                        let size = try declaredSize(Array(out[0..<produced]))
                        limit = size
                        guard produced <= size else {
                            throw LecternError.data(
                                "\(name): inflates to more than the \(size) bytes its header declares")
                        }
                        out.append(contentsOf: repeatElement(0, count: size + 1 - out.count))
                    }
                }
                let room = min(out.count - produced, 1 << 30)
                let status = out.withUnsafeMutableBufferPointer {
                    stream.next_out = $0.baseAddress! + produced
                    stream.avail_out = UInt32(room)
                    return inflate(&stream, Z_NO_FLUSH)
                }
                produced += room - Int(stream.avail_out)
                if status == Z_STREAM_END { break }
                if status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0) {
                    throw LecternError.data(
                        "\(name): offset \(input.count - 8 - Int(stream.avail_in)): damaged or cut gzip data")
                }
            }
            return input.count - 8 - Int(stream.avail_in)
        }
        out.removeLast(out.count - produced)
        let size = try limit ?? declaredSize(out)
        if consumed != file.count - 8 {
            throw LecternError.data("\(name): offset \(consumed + 8): bytes after the gzip trailer")
        }
        if produced != size {
            throw LecternError.data("\(name): \(produced) bytes inflated, its header declares \(size)")
        }
        let trailer = file.count - 8
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(file[at + $1]) << (8 * UInt32($1)) } }
        if word(trailer) != checksum(out) {
            throw LecternError.data("\(name): offset \(trailer): CRC-32 does not match: the file is damaged")
        }
        if word(trailer + 4) != UInt32(truncatingIfNeeded: produced) {
            throw LecternError.data("\(name): offset \(trailer + 4): length does not match: the file is damaged")
        }
        return out
    }
}
