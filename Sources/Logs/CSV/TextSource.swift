/// The bytes of a file as the row reader wants them: fields separated by one byte, text in UTF-8. A pair of delimiters
/// (`::`) becomes `RowForm.pairMark`, Latin-1 becomes UTF-8; other files pass untouched. Not safe from several threads.
final class TextSource {
    private let source: ByteSource
    private let pair: UInt8?
    private let latin1: Bool
    private let raw: UnsafeMutablePointer<UInt8>
    private static let rawBytes = 1 << 16
    /// Bytes of `raw` that are still to be used.
    private var pending = 0..<0
    private var ended = false
    /// Second byte of a letter that found no more room.
    private var held: UInt8?

    init(_ source: ByteSource, _ form: RowForm) {
        (self.source, pair, latin1) = (source, form.pair, form.latin1)
        raw = .allocate(capacity: Self.rawBytes)
    }

    deinit { raw.deallocate() }

    /// Fills a buffer, but at the end of the file.
    /// - Returns: the number of bytes; less than `capacity` only at the end.
    func read(into out: UnsafeMutablePointer<UInt8>, capacity: Int) throws -> Int {
        if pair == nil && !latin1 { return try source.read(into: out, capacity: capacity) }
        var filled = 0
        while filled < capacity {
            if let byte = held {
                out[filled] = byte
                (filled, held) = (filled + 1, nil)
                continue
            }
            if pending.count < 2 && !ended { try refill() }
            if pending.isEmpty && ended { break }
            filled = translate(into: out, from: filled, capacity)
        }
        return filled
    }

    private func refill() throws {
        let kept = pending.count
        if kept > 0 { raw.update(from: raw + pending.lowerBound, count: kept) }
        let got = try source.read(into: raw + kept, capacity: Self.rawBytes - kept)
        ended = got == 0
        pending = 0..<(kept + got)
    }

    /// The last byte stays while more may come: it may be half a pair.
    private func translate(into out: UnsafeMutablePointer<UInt8>, from start: Int, _ capacity: Int) -> Int {
        let (raw, last) = (raw, pending.upperBound)
        let end = ended ? last : last - 1
        let single = pair.map { Int($0) } ?? -1
        var (at, filled) = (pending.lowerBound, start)
        while at < end && filled < capacity {
            let byte = raw[at]
            at += 1
            if Int(byte) == single && at < last && raw[at] == byte {
                out[filled] = RowForm.pairMark
                at += 1
            } else if latin1 && byte >= 0x80 {
                out[filled] = 0xc0 | byte >> 6
                let second = 0x80 | byte & 0x3f
                if filled + 1 < capacity {
                    filled += 1
                    out[filled] = second
                } else {
                    held = second
                }
            } else {
                out[filled] = byte
            }
            filled += 1
        }
        pending = at..<last
        return filled
    }
}
