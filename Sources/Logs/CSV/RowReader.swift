import CKernels
import Foundation
import Shards

/// Whole rows of a file: a piece that one thread can parse without the others.
package final class RowBlock {
    fileprivate(set) var bytes: UnsafeMutablePointer<UInt8>
    fileprivate var capacity: Int
    /// Where the rows start and end in `bytes`.
    fileprivate(set) var range = 0..<0
    /// Line number of the first row, from 1.
    fileprivate(set) var firstLine = 1

    fileprivate init(capacity: Int) {
        self.capacity = capacity
        bytes = .allocate(capacity: capacity)
    }

    deinit { bytes.deallocate() }

    fileprivate func grow(to capacity: Int, keeping count: Int) {
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: bytes, count: count)
        bytes.deallocate()
        (bytes, self.capacity) = (larger, capacity)
    }
}

/// Cuts a CSV or TSV file into blocks of whole rows. Line breaks within quotes end no row.
/// Memory: one block and the unfinished row behind it.
package final class RowReader {
    let path: String
    let form: RowForm
    private let source: TextSource
    private let blockBytes: Int
    private var carry: [UInt8] = []
    private var line = 1
    private var ended = false
    /// The first block, between the header's reading and the first call of `next`.
    private var first: RowBlock?
    /// Fields of the header row; empty without one.
    package private(set) var header: [String] = []

    /// No row is that long: a quote was opened and never closed.
    static let longestRow = 1 << 26
    static let mostColumns = 10_000

    /// Opens a file and reads its header, if it has one.
    /// - Parameter headerOnly: whether no row will be asked for.
    /// - Throws: `.badData` if there is none.
    package init(path: String, form: RowForm, blockBytes: Int = 1 << 20, headerOnly: Bool = false) throws {
        (self.path, self.form, self.blockBytes) = (path, form, headerOnly ? 1 << 16 : blockBytes)
        let input = min(1 << 18, max(16, self.blockBytes))  // small ones, of tests, meet all ends of buffers
        source = TextSource(try ByteSource(path: path, atOnce: !headerOnly, inputBytes: input), form)
        guard let block = try read() else {
            throw LecternError.data("\(path): empty, expected \(form.hasHeader ? "a header line" : "rows")")
        }
        try checkEncoding(block)
        if !form.hasHeader {
            first = block
            return
        }
        let cursor = RowCursor(form: form, columns: min(Self.mostColumns, block.range.count + 1))
        cursor.start(block)
        guard cursor.next(), cursor.problem == nil, cursor.count <= Self.mostColumns else {
            throw LecternError.data("\(path):1: expected a header line with names of columns")
        }
        header = (0..<cursor.count).map { cursor[$0].string }
        block.range = cursor.consumed..<block.range.upperBound
        block.firstLine = cursor.nextLine
        first = block
    }

    /// The next whole rows; nil at the end.
    package func next() throws -> RowBlock? {
        if let block = first {
            first = nil
            return block
        }
        return try read()
    }

    private func checkEncoding(_ block: RowBlock) throws {
        let bytes = UnsafeBufferPointer(start: block.bytes, count: block.range.upperBound)
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { block.range = 3..<block.range.upperBound }
        if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
            throw LecternError.data("\(path): UTF-16, expected UTF-8; convert it (iconv -f UTF-16 -t UTF-8)")
        }
    }

    private func read() throws -> RowBlock? {
        if ended && carry.isEmpty { return nil }
        let block = RowBlock(capacity: carry.count + blockBytes)
        carry.withUnsafeBufferPointer {
            if let base = $0.baseAddress { block.bytes.update(from: base, count: $0.count) }
        }
        var count = carry.count
        carry = []
        while true {
            if !ended {
                count += try source.read(into: block.bytes + count, capacity: block.capacity - count)
                ended = count < block.capacity
            }
            let (end, open) = form.lastRowEnd(block.bytes, count)
            if let open, ended || count >= Self.longestRow { throw unclosed(block, at: open) }
            if !ended && end == 0 {
                guard count < Self.longestRow else {
                    throw LecternError.data(
                        "\(path):\(line): a row of more than \(count >> 20) MiB; is this a text file?")
                }
                block.grow(to: 2 * block.capacity, keeping: count)
                continue
            }
            let cut = ended ? count : end
            carry = Array(UnsafeBufferPointer(start: block.bytes + cut, count: count - cut))
            block.range = 0..<cut
            block.firstLine = line
            line += RowForm.lineBreaks(block.bytes, cut)
            return cut == 0 ? nil : block
        }
    }

    private func unclosed(_ block: RowBlock, at offset: Int) -> LecternError {
        let line = line + RowForm.lineBreaks(block.bytes, offset)
        return .data("\(path):\(line): a quote is opened and never closed; double the quotes within a field")
    }
}

/// What separates fields, and whether quotes mean anything.
package struct RowForm: Sendable, Equatable {
    package var delimiter: UInt8
    /// RFC 4180: a field that starts with `"` ends with `"`, may hold delimiters and line breaks, and `""` for a quote.
    package var quoted: Bool
    /// Whether the first row names the columns.
    package var hasHeader: Bool
    /// The last column may stand any number of times in a row, and each time makes a row of its own with the columns
    /// before it. Without quotes; empty values (of several blanks in a row) do not count.
    package var repeatsLast: Bool
    /// The byte that separates fields where it stands twice (`::`); the reader makes `pairMark` of it. Without quotes.
    package let pair: UInt8?
    /// Whether the file is Latin-1 (ISO 8859-1), not UTF-8.
    package var latin1: Bool

    /// - Parameter delimiter: one byte, or two that are equal.
    package init(
        delimiter: [UInt8], quoted: Bool, hasHeader: Bool = true, repeatsLast: Bool = false, latin1: Bool = false
    ) {
        precondition(delimiter.count == 1 || delimiter.count == 2 && delimiter[0] == delimiter[1] && !quoted)
        precondition(!quoted || !repeatsLast)
        pair = delimiter.count == 2 ? delimiter[0] : nil
        self.delimiter = delimiter.count == 2 ? Self.pairMark : delimiter[0]
        (self.quoted, self.hasHeader, self.repeatsLast, self.latin1) = (quoted, hasHeader, repeatsLast, latin1)
    }

    package init(delimiter: UInt8, quoted: Bool) { self.init(delimiter: [delimiter], quoted: quoted) }

    /// Unit separator: stands for a pair of delimiters.
    static let pairMark: UInt8 = 0x1f

    static let quote = UInt8(ascii: "\"")
    static let newline = UInt8(ascii: "\n")

    /// End of the last whole row (0 if there is none), and where a quote was opened that is not closed.
    func lastRowEnd(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (end: Int, open: Int?) {
        if !quoted || memchr(bytes, Int32(Self.quote), count) == nil {
            var end = count
            while end > 0 && bytes[end - 1] != Self.newline { end -= 1 }
            return (end, nil)
        }
        var end = 0
        var at = 0
        field: while at < count {
            if bytes[at] == Self.quote {
                let open = at
                at += 1
                while true {
                    guard let found = memchr(bytes + at, Int32(Self.quote), count - at) else { return (end, open) }
                    at = UnsafeRawPointer(found) - UnsafeRawPointer(bytes) + 1
                    if at == count || bytes[at] != Self.quote { break }
                    at += 1
                }
            }
            while at < count {
                let byte = bytes[at]
                at += 1
                if byte == delimiter { continue field }
                if byte == Self.newline {
                    end = at
                    continue field
                }
            }
        }
        return (end, nil)
    }

    static func lineBreaks(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int { lk_csv_lines(count, bytes) }
}
