/// A JSON object that carries the SHA-256 of the rest of itself in its first line: manifests and configuration slices,
/// whose every value matters and which no other file vouches for.
///
///     {
///       "check" : "<SHA-256 of all bytes from the next line break on>",
///       …
package enum SelfCheck {
    package static let key = "check"
    private static let prefix = Array("{\n  \"\(key)\" : \"".utf8)
    private static let suffix = Array("\",".utf8)
    private static let digits = 64

    /// - Parameter json: an object that is not empty.
    package static func sealed(_ json: [UInt8]) -> [UInt8] {
        precondition(json.count > 2 && json[0] == UInt8(ascii: "{"))
        let rest = Array(json.dropFirst())
        return prefix + Array(Digest.sha256(rest).utf8) + suffix + rest
    }

    /// Whether every byte is as it was written.
    package static func holds(_ file: [UInt8]) -> Bool {
        let end = prefix.count + digits
        guard file.count > end + suffix.count, file.starts(with: prefix), file[end...].starts(with: suffix) else {
            return false
        }
        return Digest.sha256(Array(file[(end + suffix.count)...])).utf8.elementsEqual(file[prefix.count..<end])
    }
}
