import CLibdeflate
import CZlib
import Foundation
import Shards

/// The bytes of a file from the front; gzip is recognised by its content, and may have any number of members.
///
/// A single member of moderate size is inflated at once by libdeflate, in a third of zlib's time; whatever that cannot
/// do (several members, a large or damaged file) zlib does piece by piece, with a message where one is due.
/// Memory: a buffer of 256 KiB; at once, the file and what it inflates to, at most `mostAtOnce` bytes each.
/// Not safe from several threads at once.
final class ByteSource {
    let path: String
    private let descriptor: Int32
    private let input: UnsafeMutablePointer<UInt8>
    private let inputBytes: Int
    /// Bytes of `input` that are still to be used.
    private var pending: Range<Int> = 0..<0
    private var stream: UnsafeMutablePointer<z_stream>?
    private var withinMember = false
    private var ended = false
    /// All of it, if it was inflated at once, and how much of it has been read.
    private var whole: [UInt8] = []
    private var wholeRead = 0

    static let mostAtOnce = 1 << 27

    /// - Parameters:
    ///   - atOnce: whether all of it will be read; a look at the front is cheaper without.
    ///   - inputBytes: how many are read from the file in one go.
    init(path: String, atOnce: Bool = true, inputBytes: Int = 1 << 18) throws {
        (self.path, self.inputBytes) = (path, inputBytes)
        descriptor = try FileSystem.open(path, O_RDONLY)
        input = .allocate(capacity: inputBytes)
        try refill()
        guard pending.count >= 2 && input[0] == 0x1f && input[1] == 0x8b else { return }
        if atOnce, let inflated = try inflatedAtOnce() {
            (whole, pending) = (inflated, 0..<0)
        } else {
            try startInflating()
        }
    }

    deinit {
        if let stream {
            inflateEnd(stream)
            stream.deallocate()
        }
        input.deallocate()
        close(descriptor)
    }

    /// Fills as much of a buffer as it can.
    /// - Returns: the number of bytes; 0 at the end of the file.
    func read(into out: UnsafeMutablePointer<UInt8>, capacity: Int) throws -> Int {
        if !whole.isEmpty {
            let count = min(capacity, whole.count - wholeRead)
            whole.withUnsafeBufferPointer {
                if count > 0 { out.update(from: $0.baseAddress! + wholeRead, count: count) }
            }
            wholeRead += count
            return count
        }
        var filled = 0
        while filled < capacity && !ended {
            let got =
                stream == nil
                ? try copy(into: out + filled, capacity: capacity - filled)
                : try inflated(into: out + filled, capacity: capacity - filled)
            filled += got
        }
        return filled
    }

    private func copy(into out: UnsafeMutablePointer<UInt8>, capacity: Int) throws -> Int {
        if pending.isEmpty { try refill() }
        if pending.isEmpty {
            ended = true
            return 0
        }
        let count = min(capacity, pending.count)
        out.update(from: input + pending.lowerBound, count: count)
        pending = pending.dropFirst(count)
        return count
    }

    private func refill() throws {
        var got = Foundation.read(descriptor, input, inputBytes)
        while got < 0 && errno == EINTR { got = Foundation.read(descriptor, input, inputBytes) }
        if got < 0 { throw Self.failure(path, "read") }
        pending = 0..<got
    }

    // MARK: gzip

    /// nil unless the file is a single sound member of moderate size.
    private func inflatedAtOnce() throws -> [UInt8]? {
        guard let (size, _) = FileSystem.status(path), size >= 18, size <= Self.mostAtOnce else { return nil }
        let file = try FileSystem.read(path)
        guard file.count >= 18 else { return nil }
        let length = (0..<4).reduce(0) { $0 | Int(file[file.count - 4 + $1]) << (8 * $1) }
        guard length > 0, length <= Self.mostAtOnce else { return nil }
        let decompressor = libdeflate_alloc_decompressor()!
        defer { libdeflate_free_decompressor(decompressor) }
        var (consumed, produced) = (0, 0)
        let out = [UInt8](unsafeUninitializedCapacity: length) { out, count in
            let result = file.withUnsafeBytes {
                libdeflate_gzip_decompress_ex(
                    decompressor, $0.baseAddress, $0.count, out.baseAddress, length, &consumed, &produced)
            }
            count = result == LIBDEFLATE_SUCCESS ? produced : 0
        }
        return out.count == length && consumed == file.count ? out : nil
    }

    private func startInflating() throws {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        self.stream = stream
        // 15 + 16: a gzip wrapper around the largest window; zlib checks header, CRC-32 and length of each member.
        let status = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "inflateInit2: \(status)")
    }

    private func inflated(into out: UnsafeMutablePointer<UInt8>, capacity: Int) throws -> Int {
        let stream = stream!
        if pending.isEmpty { try refill() }
        if pending.isEmpty {
            if withinMember { throw LecternError.data("\(path): the gzip data ends in the middle: the file is cut") }
            ended = true
            return 0
        }
        if !withinMember {
            inflateReset(stream)
            withinMember = true
        }
        let room = min(capacity, 1 << 30)
        stream.pointee.next_in = input + pending.lowerBound
        stream.pointee.avail_in = UInt32(pending.count)
        stream.pointee.next_out = out
        stream.pointee.avail_out = UInt32(room)
        let status = inflate(stream, Z_NO_FLUSH)
        pending = (pending.upperBound - Int(stream.pointee.avail_in))..<pending.upperBound
        switch status {
        case Z_STREAM_END: withinMember = false
        case Z_OK, Z_BUF_ERROR: break
        default:
            let why = stream.pointee.msg.map { String(cString: $0) } ?? "error \(status)"
            throw LecternError.data("\(path): damaged gzip data: \(why)")
        }
        return room - Int(stream.pointee.avail_out)
    }

    private static func failure(_ path: String, _ action: String) -> LecternError {
        let why = String(cString: strerror(errno))
        return LecternError(errno == ENOENT ? .inputMissing : .ioError, "\(path): cannot \(action): \(why)")
    }
}
