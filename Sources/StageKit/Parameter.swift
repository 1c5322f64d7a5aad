/// One parameter, declared once: from this come validation, `--set`, slices, `pipeline.yaml` and the reference page.
package struct Parameter: Sendable {
    package enum Kind: Sendable {
        case integer(ClosedRange<Int>)
        /// `auto` or an integer in the range.
        case automaticInteger(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        /// `auto` or a number in the range.
        case automaticNumber(ClosedRange<Double>)
        case boolean
        case choice([String])
        case text
        /// `28d`, `12h`, `30m`, `45s`; with `auto` where allowed.
        case duration(orAuto: Bool)
        /// `latest`, a date, a date with time, or seconds since 1970.
        case moment
        case texts
        case integers(ClosedRange<Int>)
        case numbers(ClosedRange<Double>)
        /// Anything with an inner structure; the closure returns what is wrong, or nil.
        case structured(@Sendable (Value) -> String?)
    }

    /// `section.name`.
    package let path: String
    package let kind: Kind
    package let standard: Value
    /// Unit, or empty.
    package let unit: String
    /// One sentence.
    package let meaning: String

    package init(_ path: String, _ kind: Kind, _ standard: Value, unit: String = "", _ meaning: String) {
        (self.path, self.kind, self.standard, self.unit, self.meaning) = (path, kind, standard, unit, meaning)
    }

    package var section: String { String(path.prefix { $0 != "." }) }
    package var name: String { String(path.drop { $0 != "." }.dropFirst()) }

    /// What is allowed, for messages and the reference.
    package var allowed: String {
        switch kind {
        case .integer(let r): "an integer from \(r.lowerBound) to \(r.upperBound)"
        case .automaticInteger(let r): "auto or an integer from \(r.lowerBound) to \(r.upperBound)"
        case .number(let r): "a number from \(Value.number(r.lowerBound).yaml) to \(Value.number(r.upperBound).yaml)"
        case .automaticNumber(let r):
            "auto or a number from \(Value.number(r.lowerBound).yaml) to \(Value.number(r.upperBound).yaml)"
        case .boolean: "true or false"
        case .choice(let names): names.joined(separator: ", ")
        case .text: "a text"
        case .duration(let auto): "a duration above 0 such as 28d, 12h, 30m or 45s" + (auto ? ", or auto" : "")
        case .moment: "latest, YYYY-MM-DD, YYYY-MM-DD HH:MM:SS (UTC) or seconds since 1970"
        case .texts: "a list of texts"
        case .integers(let r): "a list of integers from \(r.lowerBound) to \(r.upperBound)"
        case .numbers(let r):
            "a list of numbers from \(Value.number(r.lowerBound).yaml) to \(Value.number(r.upperBound).yaml)"
        case .structured: "see its meaning (docs/configuration.md)"
        }
    }

    /// The value as it is stored in slices, or nil if it is not allowed. Integers are taken where numbers are.
    package func accept(_ value: Value) -> Value? {
        switch (kind, value) {
        case (.integer(let r), .integer(let v)), (.automaticInteger(let r), .integer(let v)):
            return r.contains(v) ? value : nil
        case (.automaticInteger, .text("auto")): return value
        case (.automaticNumber, .text("auto")): return value
        case (.number(let r), .integer(let v)), (.automaticNumber(let r), .integer(let v)):
            return r.contains(Double(v)) ? .number(Double(v)) : nil
        case (.number(let r), .number(let v)), (.automaticNumber(let r), .number(let v)):
            return r.contains(v) ? value : nil
        case (.boolean, .boolean): return value
        case (.choice(let names), .text(let v)): return names.contains(v) ? value : nil
        case (.choice(let names), .boolean), (.choice(let names), .integer):
            return names.contains(value.yaml) ? .text(value.yaml) : nil
        case (.choice(let names), .null): return names.contains("none") ? .text("none") : nil
        case (.text, .text): return value
        case (.text, .integer), (.text, .number): return .text(value.yaml)
        case (.duration(let auto), .text(let v)):
            return (auto && v == "auto") || Duration.seconds(v) ?? 0 > 0 ? value : nil
        case (.moment, .text(let v)): return v == "latest" || Moment.parse(v) != nil ? value : nil
        case (.moment, .integer(let v)): return Moment.supported.contains(Int64(v)) ? value : nil
        case (.texts, .list(let items)):
            let texts = items.compactMap { if case .text = $0 { $0 } else { Value?.none } }
            return texts.count == items.count ? value : nil
        case (.integers(let r), .list(let items)):
            return items.allSatisfy { if case .integer(let v) = $0 { r.contains(v) } else { false } } ? value : nil
        case (.numbers(let r), .list(let items)):
            let numbers = items.compactMap { item -> Value? in
                switch item {
                case .integer(let v): r.contains(Double(v)) ? .number(Double(v)) : nil
                case .number(let v): r.contains(v) ? item : nil
                default: nil
                }
            }
            return numbers.count == items.count ? .list(numbers) : nil
        case (.structured(let problem), _): return problem(value) == nil ? value : nil
        default: return nil
        }
    }

    /// What exactly is wrong with a structured value.
    package func problem(_ value: Value) -> String? {
        if case .structured(let problem) = kind { problem(value) } else { nil }
    }
}

/// `28d` and the like.
package enum Duration {
    package static func seconds(_ text: String) -> Int64? {
        guard let unit = text.last, let count = Int64(text.dropLast()), count >= 0, count <= 100_000_000 else {
            return nil
        }
        switch unit {
        case "d": return count * 86_400
        case "h": return count * 3_600
        case "m": return count * 60
        case "s": return count
        default: return nil
        }
    }
}

/// Calendar dates as seconds since 1970 UTC, without Foundation (proleptic Gregorian, Hinnant's days_from_civil).
package enum Moment {
    /// Years 0 to 9999: what ISO 8601 can write, and no arithmetic with windows overflows.
    package static let supported: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

    /// `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS`, `YYYY-MM-DDTHH:MM:SSZ`, or seconds.
    package static func parse(_ text: String) -> Int64? {
        if let seconds = Int64(text), text.count > 4 { return supported.contains(seconds) ? seconds : nil }
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        guard bytes.count >= 10, bytes[4] == 45, bytes[7] == 45, let year = number(0..<4), let month = number(5..<7),
            let day = number(8..<10), (1...12).contains(month), day >= 1, day <= days(inMonth: month, year)
        else { return nil }
        var seconds = Int64(daysFromCivil(year, month, day)) * 86_400
        if bytes.count == 10 { return seconds }
        guard bytes.count == 19 || (bytes.count == 20 && bytes[19] == 90), bytes[10] == 32 || bytes[10] == 84,
            bytes[13] == 58, bytes[16] == 58, let hour = number(11..<13), let minute = number(14..<16),
            let second = number(17..<19), hour < 24, minute < 60, second < 60
        else { return nil }
        seconds += Int64(hour * 3600 + minute * 60 + second)
        return seconds
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`; of a time that is not `supported`, the seconds.
    package static func text(_ seconds: Int64) -> String {
        if !supported.contains(seconds) { return String(seconds) }
        let day = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let rest = Int(seconds - day * 86_400)
        let (year, month, dayOfMonth) = civil(Int(day))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let padded = String(repeating: "0", count: 4 - "\(year)".count) + "\(year)"
        return
            "\(padded)-\(two(month))-\(two(dayOfMonth))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }

    private static func days(inMonth month: Int, _ year: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int) -> (Int, Int, Int) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted + (shifted < 10 ? 3 : -9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
