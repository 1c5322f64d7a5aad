/// What a synthetic platform is made from. Equal options give equal bytes, whatever the number of threads.
package struct GeneratorOptions: Sendable, Equatable {
    package var learners = 6_000
    package var courses = 800
    /// Length of the logs in days; they end just before `end`.
    package var days = 540
    /// First day (UTC, days since 1970) after the logs. Fixed, so that no clock decides what is generated.
    package var end = CivilDate.day(year: 2025, month: 7, day: 1)
    package var seed: UInt64 = 1
    /// Mean number of rows of watches per learner, over the whole time.
    package var watchesPerLearner = 25.0
    /// Mean number of impressions per learner, over the whole time; 0 leaves engagements out.
    package var impressionsPerLearner = 33.0
    /// Standard deviation of what a course's title adds to the logit of a click and nothing to how it is watched.
    package var titleAppeal = 0.0
    /// Standard deviation of what each segment adds to the logit of a click on each topic.
    package var segmentTaste = 0.0
    /// Share of the clicks without a bookmark that are watched at once.
    package var watchedClicks = 0.6
    /// Number of files for watches, and as many for engagements.
    package var files = 4
    /// Whether the side files with the planted truth get a line per learner.
    package var learnerTruth = true

    package init() {}

    /// Learners simulated and compressed as one piece of work. A constant, so that threads cannot show.
    package static let blockSize = 512

    package var start: Int { end - days }
    package var blocks: Int { (learners + Self.blockSize - 1) / Self.blockSize }

    /// The file that holds a block: files are contiguous ranges of blocks, of almost equal size.
    package func file(ofBlock block: Int) -> Int { block * fileCount / blocks }
    /// Never more files than blocks.
    package var fileCount: Int { min(files, blocks) }

    /// The first thing wrong with the options, as a sentence for people; nil if they can be used.
    package var problem: String? {
        func outside<T: Comparable>(_ name: String, _ value: T, _ range: ClosedRange<T>) -> String? {
            range.contains(value)
                ? nil : "\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)"
        }
        return outside("--learners", learners, 1...100_000_000)
            ?? outside("--courses", courses, 1...1_000_000)
            ?? outside("--days", days, 7...7_300)
            ?? outside("--files", files, 1...999)
            ?? outside("--watches-per-learner", watchesPerLearner, 0.1...2_000)
            ?? outside("--impressions-per-learner", impressionsPerLearner, 0...5_000)
            ?? outside("--title-appeal", titleAppeal, 0...5)
            ?? outside("--segment-taste", segmentTaste, 0...5)
            ?? outside("--watched-clicks", watchedClicks, 0...1)
            ?? endProblem
    }

    private var endProblem: String? {
        let range = CivilDate.day(year: 1994, month: 1, day: 1)...CivilDate.day(year: 2099, month: 1, day: 1)
        if start - 1_500 >= CivilDate.day(year: 1990, month: 1, day: 1) && range.contains(end) { return nil }
        return "--end is \(CivilDate.text(end)): the logs and their catalogue must lie between 1990 and 2099"
    }
}

/// Days since 1970-01-01 and the proleptic Gregorian calendar, as in Howard Hinnant's "chrono-compatible
/// low-level date algorithms".
package enum CivilDate {
    package static func day(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    package static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let z = day + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    /// `YYYY-MM-DD`.
    package static func text(_ day: Int) -> String {
        let (year, month, day) = civil(day)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    /// The day that `YYYY-MM-DD` names, or nil.
    package static func parse(_ text: String) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let number = self.day(year: year, month: month, day: day)
        return civil(number) == (year, month, day) ? number : nil
    }
}
