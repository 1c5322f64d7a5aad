import Metrics

/// Numbers as people read them; the same text on every machine. A unit never parts from its number: between them stands a
/// no-break space.
package enum Format {
    /// `12,345`
    package static func count(_ value: Int) -> String {
        let digits = String(abs(value))
        var text = ""
        for (at, digit) in digits.enumerated() {
            if at > 0 && (digits.count - at) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return (value < 0 ? "−" : "") + text
    }

    /// Fixed decimals, rounded half away from zero, with a real minus sign. Not finite: an en dash.
    package static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "–" }
        var power = 1.0
        for _ in 0..<digits { power *= 10 }
        let scaled = Int((abs(value) * power).rounded())
        let whole = scaled / Int(power)
        let sign = value < 0 && scaled > 0 ? "−" : ""
        if digits == 0 { return sign + count(whole) }
        let rest = String(Int(power) + scaled % Int(power)).dropFirst()
        return "\(sign)\(count(whole)).\(rest)"
    }

    /// A metric in [0, 1]: `.1234`.
    package static func metric(_ value: Double) -> String { RankingSummary.number(value) }

    package static func signed(_ value: Double) -> String { (value < 0 ? "−" : "+") + metric(abs(value)) }

    /// `12 %`, below ten `1.2 %`, `< 0.1 %` for what is little but not nothing.
    package static func percent(_ share: Double) -> String {
        let percent = share * 100
        if percent > 0 && percent < 0.05 { return "<\u{a0}0.1\u{a0}%" }
        return decimal(percent, abs(percent) < 9.95 && percent != 0 ? 1 : 0) + "\u{a0}%"
    }

    /// `8.2 s`, `2 min 53 s`, `3 h 12 min`.
    package static func seconds(_ seconds: Double) -> String {
        if seconds < 60 { return decimal(seconds, 1) + "\u{a0}s" }
        let whole = Int(seconds.rounded())
        if whole < 3_600 { return "\(whole / 60)\u{a0}min \(whole % 60)\u{a0}s" }
        return "\(whole / 3_600)\u{a0}h \(whole / 60 % 60)\u{a0}min"
    }

    /// `630 MiB`, `1.2 GiB`.
    package static func bytes(_ bytes: Int) -> String {
        if bytes < 1 << 20 { return "\(count(bytes >> 10))\u{a0}KiB" }
        if bytes < 1 << 30 { return "\(count(bytes >> 20))\u{a0}MiB" }
        return decimal(Double(bytes) / Double(1 << 30), 1) + "\u{a0}GiB"
    }

    /// At most `limit` characters.
    package static func short(_ text: String, _ limit: Int) -> String {
        text.count > limit ? text.prefix(limit - 1) + "…" : text
    }

    /// A drawing's coordinate: at most one decimal, ASCII.
    package static func coordinate(_ value: Double) -> String {
        let scaled = Int((value * 10).rounded())
        let (whole, rest) = (abs(scaled) / 10, abs(scaled) % 10)
        return (scaled < 0 ? "-" : "") + String(whole) + (rest == 0 ? "" : ".\(rest)")
    }

    /// `a`, `a and b`, `a, b and c`.
    package static func list(_ names: [String]) -> String {
        guard names.count > 1, let last = names.last else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }
}
