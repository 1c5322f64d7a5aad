/// A growing buffer of bytes to format rows into: no String, no check per byte beyond the capacity of a row.
struct RowBytes: ~Copyable {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 1 << 16) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// Makes room for `more` bytes; every append below relies on its own call.
    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if count + more > capacity { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let wider = max(2 * capacity, count + more)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: wider)
        moved.update(from: base, count: count)
        base.deallocate()
        (base, capacity) = (moved, wider)
    }

    var text: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }

    @inline(__always)
    mutating func append(byte: UInt8) {
        reserve(1)
        base[count] = byte
        count += 1
    }

    @inline(__always)
    mutating func append(_ bytes: [UInt8]) {
        reserve(bytes.count)
        bytes.withUnsafeBufferPointer {
            if let from = $0.baseAddress { (base + count).update(from: from, count: $0.count) }
        }
        count += bytes.count
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 {
            reserve($0.count)
            if let from = $0.baseAddress { (base + count).update(from: from, count: $0.count) }
            count += $0.count
        }
    }

    /// A number ≥ 0 in decimal, with zeros before it up to `width`.
    @inline(__always)
    mutating func append(_ number: Int, width: Int = 1) {
        var digits = 1
        var bound = 10
        while digits < 18 && (number >= bound || digits < width) {
            digits += 1
            bound *= 10
        }
        reserve(digits)
        var rest = number
        for i in stride(from: digits - 1, through: 0, by: -1) {
            base[count + i] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// A number rounded to four decimals.
    mutating func append(decimal: Double) {
        let scaled = Int((decimal.magnitude * 10_000).rounded())
        if decimal < 0 && scaled > 0 { append(byte: UInt8(ascii: "-")) }
        append(scaled / 10_000)
        append(byte: UInt8(ascii: "."))
        append(scaled % 10_000, width: 4)
    }

    /// A field as RFC 4180 has it: in quotes if it holds a comma, a quote or a line break, quotes doubled.
    mutating func append(field: String) {
        let special: (UInt8) -> Bool = { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        if !field.utf8.contains(where: special) { return append(field) }
        append(byte: 0x22)
        for byte in field.utf8 {
            if byte == 0x22 { append(byte: 0x22) }
            append(byte: byte)
        }
        append(byte: 0x22)
    }

    /// A list as one field, its entries split by `|`.
    mutating func append(list: [String]) { append(field: list.joined(separator: "|")) }

    @inline(__always)
    mutating func comma() { append(byte: 0x2C) }
    @inline(__always)
    mutating func newline() { append(byte: 0x0A) }
}

/// `YYYY-MM-DDThh:mm:ssZ` for the days of the logs, dates looked up.
struct TimeText: Sendable {
    let firstDay: Int
    let dates: [[UInt8]]

    init(firstDay: Int, days: Int) {
        self.firstDay = firstDay
        dates = (0..<days).map { Array(CivilDate.text(firstDay + $0).utf8) + [UInt8(ascii: "T")] }
    }

    /// - Parameter time: seconds since 1970, within the days.
    @inline(__always)
    func append(_ time: Int, to bytes: inout RowBytes) {
        let day = time / 86_400
        let second = time - day * 86_400
        bytes.append(dates[day - firstDay])
        bytes.append(second / 3_600, width: 2)
        bytes.append(byte: UInt8(ascii: ":"))
        bytes.append(second / 60 % 60, width: 2)
        bytes.append(byte: UInt8(ascii: ":"))
        bytes.append(second % 60, width: 2)
        bytes.append(byte: UInt8(ascii: "Z"))
    }
}
