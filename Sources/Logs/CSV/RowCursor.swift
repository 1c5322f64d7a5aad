import CKernels
import Foundation

/// Bytes of one field. They lie in the block that is being read: copy what outlives it.
package struct Field {
    var start: UnsafePointer<UInt8>
    var count: Int

    @inline(__always)
    subscript(i: Int) -> UInt8 { start[i] }

    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }
    package var string: String { String(decoding: bytes, as: UTF8.self) }

    @inline(__always)
    func equals(_ other: [UInt8]) -> Bool {
        count == other.count && other.withUnsafeBufferPointer { memcmp(start, $0.baseAddress!, count) == 0 }
    }

    /// Without blanks at both ends.
    var trimmed: Field {
        var field = self
        while field.count > 0 && field[0] == 0x20 {
            field.start += 1
            field.count -= 1
        }
        while field.count > 0 && field[field.count - 1] == 0x20 { field.count -= 1 }
        return field
    }

    var isUTF8: Bool {
        var i = 0
        var high: UInt8 = 0
        while i < count {
            high |= start[i]
            i += 1
        }
        return high < 0x80 || String(validating: bytes, as: UTF8.self) != nil
    }
}

/// Goes through the rows of a block and splits them into fields (RFC 4180, or plain separators). Quoted fields are
/// unescaped in place, in the block. A block without any quote has its separators listed beforehand, by vector
/// comparisons; another is read byte by byte.
package final class RowCursor {
    let form: RowForm
    private let columns: Int
    private let fields: UnsafeMutablePointer<Field>
    @exclusivity(unchecked) private var base: UnsafeMutablePointer<UInt8>
    /// Keeps the bytes alive.
    private var block: RowBlock?
    @exclusivity(unchecked) private var at = 0
    @exclusivity(unchecked) private var end = 0
    /// Offsets of the block's separators behind `at`, or none where it has quotes. Room for `room` of them.
    @exclusivity(unchecked) private var ends: UnsafeMutablePointer<UInt32>
    private var room = 1
    @exclusivity(unchecked) private var endCount = 0
    @exclusivity(unchecked) private var nextEnd = 0
    @exclusivity(unchecked) private var isListed = false
    /// What the offsets count from.
    @exclusivity(unchecked) private var listStart = 0
    /// Where empty fields point.
    private let nothing = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)

    /// Fields of the current row; more than there is room for are counted, not kept.
    @exclusivity(unchecked) package private(set) var count = 0
    /// Line at which the current row starts.
    @exclusivity(unchecked) package private(set) var line = 1
    @exclusivity(unchecked) private(set) var nextLine = 1
    /// Within a row whose last column repeats.
    @exclusivity(unchecked) private var isInside = false
    /// What is wrong with the current row's quotes.
    @exclusivity(unchecked) package private(set) var problem: String?

    /// - Parameters:
    ///   - columns: fields kept of each row.
    ///   - extra: further places, from `columns` on, that keep what `set` put there.
    package init(form: RowForm, columns: Int, extra: Int = 0) {
        (self.form, self.columns) = (form, columns)
        fields = .allocate(capacity: columns + extra)
        fields.initialize(repeating: Field(start: nothing, count: 0), count: columns + extra)
        base = nothing
        ends = .allocate(capacity: room)
    }

    deinit {
        ends.deallocate()
        fields.deallocate()
        nothing.deallocate()
    }

    @inline(__always)
    package subscript(i: Int) -> Field { fields[i] }

    func set(_ place: Int, _ field: Field) { fields[place] = field }

    package func start(_ block: RowBlock) {
        self.block = block
        base = block.bytes
        (at, end) = (block.range.lowerBound, block.range.upperBound)
        isInside = false
        nextLine = block.firstLine
        isListed = !form.repeatsLast && (!form.quoted || memchr(base + at, Int32(RowForm.quote), end - at) == nil)
        if isListed { listEnds() }
    }

    private func listEnds() {
        if end - at > room {
            room = end - at
            ends.deallocate()
            ends = .allocate(capacity: room)
        }
        endCount = lk_csv_ends(end - at, base + at, form.delimiter, ends)
        nextEnd = 0
        listStart = at
    }

    /// Offset in the block behind the current row.
    var consumed: Int { at }

    /// Moves to the next row; lines without any byte are skipped.
    /// - Returns: false behind the last row.
    package func next() -> Bool {
        if form.repeatsLast { return nextRepeated() }
        while at < end {
            line = nextLine
            problem = nil
            count = 0
            if isListed { readListedRow() } else { readRow() }
            if count > 1 || fields[0].count > 0 || problem != nil || columns == 0 { return true }
        }
        return false
    }

    @inline(__always)
    private func readListedRow() {
        let (base, end, origin) = (base, end, listStart)
        var at = at
        var place = nextEnd
        var count = 0
        while true {
            let stop = place < endCount ? origin + Int(ends[place]) : end
            place += 1
            let endsRow = stop == end || base[stop] == RowForm.newline
            var length = stop - at
            if endsRow && length > 0 && base[stop - 1] == 0x0d { length -= 1 }
            if count < columns { fields[count] = Field(start: base + at, count: length) }
            count += 1
            at = stop + 1
            if endsRow { break }
        }
        if at <= end { nextLine += 1 }
        self.at = min(at, end)
        (nextEnd, self.count) = (place, count)
    }

    /// The plain twin, for blocks with quotes.
    /// The next value of the last column, beside the others of its row.
    private func nextRepeated() -> Bool {
        while at < end {
            if !isInside { (line, problem, count) = (nextLine, nil, 0) }
            let start = at
            while at < end && base[at] != form.delimiter && base[at] != RowForm.newline { at += 1 }
            isInside = at < end && base[at] != RowForm.newline
            var length = at - start
            if !isInside && length > 0 && base[at - 1] == 0x0d { length -= 1 }
            if at < end {
                if !isInside { nextLine += 1 }
                at += 1
            }
            if length == 0 { continue }
            let field = Field(start: base + start, count: length)
            if count < columns - 1 {
                fields[count] = field
                count += 1
                continue
            }
            fields[columns - 1] = field
            count = columns
            return true
        }
        return false
    }

    private func readRow() {
        let base = base
        let end = end
        let delimiter = form.delimiter
        let quoted = form.quoted
        var at = at
        while true {
            let start = at
            if quoted && at < end && base[at] == RowForm.quote {
                self.at = at
                keep(readQuoted())
                at = self.at
            } else {
                while at < end {
                    let byte = base[at]
                    if byte == delimiter || byte == RowForm.newline { break }
                    at += 1
                }
                var length = at - start
                let endsRow = at == end || base[at] == RowForm.newline
                if endsRow && length > 0 && base[at - 1] == 0x0d { length -= 1 }
                keep(Field(start: base + start, count: length))
            }
            if at == end { break }
            let byte = base[at]
            at += 1
            if byte == RowForm.newline {
                nextLine += 1
                break
            }
        }
        self.at = at
    }

    @inline(__always)
    private func keep(_ field: Field) {
        if count < columns { fields[count] = field }
        count += 1
    }

    /// From an opening quote to the separator behind the closing one.
    private func readQuoted() -> Field {
        let start = at + 1
        var read = start
        var write = start
        var closed = false
        while read < end {
            let byte = base[read]
            read += 1
            if byte == RowForm.quote {
                if read == end || base[read] != RowForm.quote {
                    closed = true
                    break
                }
                read += 1
            } else if byte == RowForm.newline {
                nextLine += 1
            }
            base[write] = byte
            write += 1
        }
        if !closed { problem = "a quote is opened and never closed" }
        if read < end && base[read] == 0x0d && (read + 1 == end || base[read + 1] == RowForm.newline) { read += 1 }
        while read < end && base[read] != form.delimiter && base[read] != RowForm.newline {
            problem = "characters follow a closing quote"
            read += 1
        }
        at = read
        return Field(start: base + start, count: write - start)
    }
}
