import Shards

/// Mass insertion for `redis-cli --pipe` (docs/serving.md): commands in RESP, the Redis serialisation protocol.
///
///     SET rec:<version>:<learner> <list as JSON> EX <seconds>        lists, each with its expiry
///     SADD rec-files:<version> <file>                                at the end of every file
///     EVAL "the pointer, if all files are there"                     the last file
///
/// Strings are counted, not quoted: any id passes unchanged. A load that is cut, or lacks a file, changes nothing for
/// readers: `rec:current` is set by the last command, and only if every file's own last command was seen.
package struct Redis: Sendable {
    package static let suffix = ".redis.gz"
    /// The file that sets the pointer: to be loaded last.
    package static let pointerFile = "current" + suffix
    package static let pointer = "rec:current"

    /// Names this generation of lists: letters, digits and dashes.
    package let version: String
    package let secondsToLive: Int

    package init(version: String, secondsToLive: Int) {
        precondition(secondsToLive > 0 && version.utf8.allSatisfy { $0 != UInt8(ascii: ":") })
        (self.version, self.secondsToLive) = (version, secondsToLive)
    }

    /// - Returns: `rec:<version>:<learner>`, `rec-default:<version>:<segment>` (everybody: without the segment),
    ///   `rec-related:<version>:<course>`.
    package func key(_ kind: ListKind, _ id: String?) -> String {
        let family =
            switch kind {
            case .learner: "rec"
            case .segment: "rec-default"
            case .course: "rec-related"
            }
        return "\(family):\(version)" + (id.map { ":" + $0 } ?? "")
    }

    private var files: String { "rec-files:" + version }

    package func append(_ list: ServedList, _ kind: ListKind, to bytes: inout [UInt8]) {
        var line: [UInt8] = []
        JSONLines.append(list, kind, to: &line)
        line.removeLast()
        Self.append(["SET", key(kind, list.key), nil, "EX", "\(secondsToLive)"], body: line, to: &bytes)
    }

    /// The end of a file of lists.
    package func end(_ file: String, to bytes: inout [UInt8]) {
        Self.append(["SADD", files, file], to: &bytes)
        Self.append(["EXPIRE", files, "\(secondsToLive)"], to: &bytes)
    }

    /// The last file.
    /// - Parameter count: files of lists that must have been loaded to their ends.
    package func setPointer(files count: Int, to bytes: inout [UInt8]) {
        let script =
            "local n = redis.call('SCARD', KEYS[1]) "
            + "if n ~= tonumber(ARGV[1]) then return redis.error_reply('ERR ' .. n .. ' of ' .. ARGV[1] .. "
            + "' files loaded, rec:current stays') end return redis.call('SET', KEYS[2], ARGV[2])"
        Self.append(["EVAL", script, "2", files, Self.pointer, "\(count)", version], to: &bytes)
    }

    /// A command as an array of bulk strings; nil stands for the body.
    private static func append(_ words: [String?], body: [UInt8] = [], to bytes: inout [UInt8]) {
        bytes += "*\(words.count)\r\n".utf8
        for word in words {
            bytes += "$\(word?.utf8.count ?? body.count)\r\n".utf8
            if let word { bytes += word.utf8 } else { bytes += body }
            bytes += "\r\n".utf8
        }
    }
}
