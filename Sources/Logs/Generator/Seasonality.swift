import LinearAlgebra

/// When people learn: by day of the year, day of the week and local hour.
struct Seasonality: Sendable {
    let firstDay: Int
    let days: Int
    /// Ascending sums of the daily weights, days + 1 entries, last 1.
    private let byDay: [Double]
    private let byHour: [Double]

    // Monday first.
    private static let weekdays = [1.15, 1.25, 1.2, 1.15, 0.9, 0.6, 0.75]
    // Good intentions in January, quiet summers and Decembers.
    private static let months = [1.35, 1.15, 1.1, 1.0, 1.0, 0.9, 0.75, 0.75, 1.1, 1.1, 1.05, 0.75]
    private static let hours: [Double] = [
        2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 10, 9, 8, 8, 8, 8, 9, 11, 12, 11, 8, 4,
    ]

    init(options: GeneratorOptions) {
        (firstDay, days) = (options.start, options.days)
        var sums = [0.0]
        for day in options.start..<options.end {
            // 1970-01-01 was a Thursday.
            let weight = Self.weekdays[(day + 3) % 7] * Self.months[CivilDate.civil(day).month - 1]
            sums.append(sums.last! + weight)
        }
        let total = sums.last!
        byDay = sums.map { $0 / total }
        var hours = [0.0]
        for hour in Self.hours { hours.append(hours.last! + hour) }
        byHour = hours
    }

    /// The share of all learning that falls between two times (seconds since 1970), in [0, 1].
    func share(from: Int, to: Int) -> Double { max(0, share(before: to) - share(before: from)) }

    private func share(before time: Int) -> Double {
        let offset = time - firstDay * 86_400
        if offset <= 0 { return 0 }
        let day = offset / 86_400
        if day >= days { return 1 }
        return byDay[day] + (byDay[day + 1] - byDay[day]) * Double(offset % 86_400) / 86_400
    }

    /// A time (seconds since 1970) between two, by season and local hour; it may fall just outside of them.
    func draw(from: Int, to: Int, hoursFromUTC: Int, using random: inout CounterRandom) -> Int {
        let low = share(before: from)
        let value = low + random.uniform() * (share(before: to) - low)
        let day = byDay.withUnsafeBufferPointer { slot($0.baseAddress!, 0..<days, value) }
        let ofHours = random.uniform() * byHour[24]
        let hour = byHour.withUnsafeBufferPointer { slot($0.baseAddress!, 0..<24, ofHours) }
        let utc = ((hour - hoursFromUTC) % 24 + 24) % 24
        return (firstDay + day) * 86_400 + utc * 3_600 + random.below(3_600)
    }
}
