import Crypto

#if canImport(Glibc)
    import Glibc
#endif

package enum Digest {
    /// SHA-256 as 64 lower-case hexadecimal digits.
    package static func sha256(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }

    /// Of a file, read once in pieces.
    package static func sha256(file path: String) throws -> String {
        var digest = Running()
        let descriptor = try FileSystem.open(path, O_RDONLY)
        defer { close(descriptor) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let got = read(descriptor, buffer.baseAddress!, buffer.count)
            if got < 0 && errno == EINTR { continue }
            if got < 0 { throw FileSystem.fail(path, "read") }
            if got == 0 { return digest.finished() }
            digest.add(UnsafeRawBufferPointer(rebasing: buffer[0..<got]))
        }
    }

    /// For what does not fit in memory.
    package struct Running {
        private var hash = SHA256()
        package init() {}
        package mutating func add(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }
        package func finished() -> String { Digest.hex(hash.finalize()) }
    }

    private static func hex(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
