import Foundation

/// Times in fields, as seconds since 1970 UTC; nil where the text is none. Fractions of a second are cut off.
extension Field {
    package func time(_ form: Conversion.TimeForm) -> Int64? {
        switch form {
        case .iso8601: iso8601
        case .epochSeconds: epoch(perSecond: 1)
        case .epochMilliseconds: epoch(perSecond: 1000)
        case .year: count == 4 ? iso8601 : nil
        case .random, .heldOut: nil
        }
    }

    private func epoch(perSecond: Double) -> Int64? {
        guard let value = number, abs(value) < 1e15 else { return nil }
        return Int64((value / perSecond).rounded(.down))
    }

    /// Digits at a place as a number; -1 if there are others or too few.
    @inline(__always)
    private func digits(_ at: Int, _ length: Int) -> Int {
        if at + length > count { return -1 }
        var value = 0
        for i in at..<(at + length) {
            let digit = self[i] &- 48
            if digit > 9 { return -1 }
            value = value * 10 + Int(digit)
        }
        return value
    }

    /// `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, then after `T` or a blank `HH:MM`, `:SS`, a fraction, and `Z` or an offset.
    /// What is left out means its first moment; without an offset UTC is meant.
    private var iso8601: Int64? {
        let year = digits(0, 4)
        if year < 1 { return nil }
        if count == 4 { return CalendarDay.number(year, 1, 1) * 86_400 }
        let month = digits(5, 2)
        guard self[4] == UInt8(ascii: "-"), month >= 1, month <= 12 else { return nil }
        if count == 7 { return CalendarDay.number(year, month, 1) * 86_400 }
        let day = digits(8, 2)
        guard count >= 10, self[7] == UInt8(ascii: "-"), day >= 1, day <= CalendarDay.days(inMonth: month, of: year)
        else {
            return nil
        }
        let midnight = CalendarDay.number(year, month, day) * 86_400
        if count == 10 { return midnight }
        guard self[10] == UInt8(ascii: "T") || self[10] == UInt8(ascii: " "), let rest = timeOfDay(from: 11) else {
            return nil
        }
        return midnight + rest
    }

    private func timeOfDay(from start: Int) -> Int64? {
        let hour = digits(start, 2)
        let minute = digits(start + 3, 2)
        guard hour >= 0, hour < 24, minute >= 0, minute < 60, self[start + 2] == UInt8(ascii: ":") else { return nil }
        var at = start + 5
        var second = 0
        if at < count && self[at] == UInt8(ascii: ":") {
            second = digits(at + 1, 2)
            // 60 is a leap second; it counts as the first of the next minute.
            guard second >= 0, second <= 60 else { return nil }
            at += 3
            if at < count && (self[at] == UInt8(ascii: ".") || self[at] == UInt8(ascii: ",")) {
                at += 1
                guard digits(at, 1) >= 0 else { return nil }
                while at < count && self[at] &- 48 < 10 { at += 1 }
            }
        }
        guard let offset = offset(from: at) else { return nil }
        return Int64(hour * 3600 + minute * 60 + second) - offset
    }

    /// Seconds east of UTC.
    private func offset(from start: Int) -> Int64? {
        if start == count { return 0 }
        if self[start] == UInt8(ascii: "Z") || self[start] == UInt8(ascii: "z") { return start + 1 == count ? 0 : nil }
        let sign: Int64
        switch self[start] {
        case UInt8(ascii: "+"): sign = 1
        case UInt8(ascii: "-"): sign = -1
        default: return nil
        }
        let hour = digits(start + 1, 2)
        guard hour >= 0, hour <= 18 else { return nil }
        if start + 3 == count { return sign * Int64(hour) * 3600 }
        let colon = self[start + 3] == UInt8(ascii: ":") ? 1 : 0
        let minute = digits(start + 3 + colon, 2)
        guard minute >= 0, minute < 60, start + 5 + colon == count else { return nil }
        return sign * Int64(hour * 3600 + minute * 60)
    }
}

/// The proleptic Gregorian calendar (Howard Hinnant, chrono-compatible low-level date algorithms).
enum CalendarDay {
    /// Days since 1970-01-01.
    @inline(__always)
    static func number(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return Int64(era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468)
    }

    @inline(__always)
    static func days(inMonth month: Int, of year: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }
}
