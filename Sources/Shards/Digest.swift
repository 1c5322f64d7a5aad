import Crypto

package enum Digest {
    /// SHA-256 as 64 lower-case hexadecimal digits.
    package static func sha256(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }

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
