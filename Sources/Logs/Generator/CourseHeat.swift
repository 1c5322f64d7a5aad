import LinearAlgebra

/// How strongly each course draws watchers in each week: popularity × novelty × slow trends of course and topic ×
/// campaigns. What is watched lately is therefore watched more next week, as on real platforms.
///
/// Memory: 8 bytes × weeks × (courses + 1).
struct CourseHeat: Sendable {
    let firstDay: Int
    let weeks: Int
    /// Row w: ascending sums of heat over the catalogue's `order`, courses + 1 entries.
    private let cumulative: [Double]
    private let width: Int

    init(options: GeneratorOptions, catalogue: SyntheticCatalogue) {
        let weeks = (options.days + 6) / 7
        let width = catalogue.courses.count + 1
        var table = [Double](repeating: 0, count: weeks * width)
        let topics = Self.topicTrends(seed: options.seed, weeks: weeks)
        let key = RandomKey(seed: options.seed, purpose: "generate.heat")
        for (position, number) in catalogue.order.enumerated() {
            let course = catalogue.courses[number]
            var random = key.stream(number)
            let campaign = random.chance(0.12) ? random.below(weeks) : -10
            var trend = random.normal(0, Self.deviation)
            for week in 0..<weeks {
                let age = options.start + 7 * week - course.published
                let leaves = course.retired.map { options.start + 7 * week + 7 > $0 } ?? false
                if age >= 0 && !leaves {
                    let novelty = 1 + 3 * Scalar.exp(-Double(age) / 30)
                    let boost = (campaign...campaign + 2).contains(week) ? 4.0 : 1
                    table[week * width + position + 1] =
                        course.popularity * novelty * boost * Scalar.exp(trend + topics[course.topic][week])
                }
                trend = Self.memory * trend + random.normal(0, Self.step)
            }
        }
        for week in 0..<weeks {
            for at in week * width + 1..<(week + 1) * width { table[at] += table[at - 1] }
        }
        (firstDay, self.weeks, cumulative, self.width) = (options.start, weeks, table, width)
    }

    // An AR(1) walk per week with standard deviation .7 and a half-life of about 14 weeks.
    private static let memory = 0.95
    private static let deviation = 0.7
    private static let step = deviation * (1 - memory * memory).squareRoot()

    private static func topicTrends(seed: UInt64, weeks: Int) -> [[Double]] {
        let key = RandomKey(seed: seed, purpose: "generate.topic-trend")
        return Taxonomy.topics.indices.map { topic in
            var random = key.stream(topic)
            var trend = random.normal(0, 0.4)
            return (0..<weeks).map { _ in
                defer { trend = memory * trend + random.normal(0, 0.4 * step / deviation) }
                return trend
            }
        }
    }

    func week(ofDay day: Int) -> Int { min(max((day - firstDay) / 7, 0), weeks - 1) }

    /// A position in the catalogue's order, drawn by heat among `range`; nil if nothing there can be watched.
    @inline(__always)
    func draw(_ range: Range<Int>, week: Int, using random: inout CounterRandom) -> Int? {
        cumulative.withUnsafeBufferPointer { all in
            let row = all.baseAddress! + week * width
            let mass = row[range.upperBound] - row[range.lowerBound]
            let value = row[range.lowerBound] + random.uniform() * mass
            if !(mass > 0) || value >= row[range.upperBound] { return nil }
            return slot(row, range.lowerBound..<range.upperBound, value)
        }
    }
}
