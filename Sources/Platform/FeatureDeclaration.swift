/// What `glmix.features` may declare, one line each. `learner.` columns come from the profile, `course.` columns from
/// the catalogue (`course.title` and `course.duration_seconds` among them).
///
///     learner.job                          one-hot, multi-hot (1/√n) or standardised, as the column's type is
///     learner.age buckets 8                quantiles of a number, one-hot
///     course.title text 1024               words hashed into so many features
///     cross learner.job course.topic       products of the features of two columns
///     match learner.skills course.skills   number and cosine of common values
///     course-now                           age, decayed engagements, engagement rate: as of the row's own day
///     learner-now                          the learner's engagements so far
package enum FeatureDeclaration: Sendable, Equatable {
    package enum Side: String, Sendable, Codable { case learner, course }

    case column(Side, String)
    case buckets(Side, String, count: Int)
    case text(Side, String, dimensions: Int)
    case cross(learner: String, course: String)
    case match(learner: String, course: String)
    case courseNow
    case learnerNow

    /// What is wrong with a line.
    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    package init(_ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        func problem(_ text: String) -> Problem { Problem(description: "\"\(line)\": \(text)") }
        func column(_ word: String) throws -> (Side, String) {
            let parts = word.split(separator: ".", maxSplits: 1).map(String.init)
            guard parts.count == 2, let side = Side(rawValue: parts[0]), !parts[1].isEmpty else {
                throw problem("expected learner.<column> or course.<column>, found \(word)")
            }
            return (side, parts[1])
        }
        func pair() throws -> (String, String) {
            guard words.count == 3 else { throw problem("expected a learner column and a course column") }
            let (a, b) = (try column(words[1]), try column(words[2]))
            guard a.0 == .learner, b.0 == .course else { throw problem("expected learner.<column> course.<column>") }
            return (a.1, b.1)
        }
        func count(_ range: ClosedRange<Int>) throws -> Int {
            guard words.count == 3, let n = Int(words[2]), range.contains(n) else {
                throw problem("expected a number from \(range.lowerBound) to \(range.upperBound) after \(words[1])")
            }
            return n
        }
        switch words.first {
        case "cross": self = .cross(learner: try pair().0, course: try pair().1)
        case "match": self = .match(learner: try pair().0, course: try pair().1)
        case "course-now" where words.count == 1: self = .courseNow
        case "learner-now" where words.count == 1: self = .learnerNow
        case nil: throw problem("is empty")
        default:
            let (side, name) = try column(words[0])
            switch words.dropFirst().first {
            case nil: self = .column(side, name)
            case "buckets": self = .buckets(side, name, count: try count(2...100))
            case "text": self = .text(side, name, dimensions: try count(16...1_048_576))
            case let word?: throw problem("expected nothing, buckets or text after the column, found \(word)")
            }
        }
    }

    /// The line that declares it.
    package var line: String {
        switch self {
        case .column(let side, let name): "\(side.rawValue).\(name)"
        case .buckets(let side, let name, let count): "\(side.rawValue).\(name) buckets \(count)"
        case .text(let side, let name, let dimensions): "\(side.rawValue).\(name) text \(dimensions)"
        case .cross(let learner, let course): "cross learner.\(learner) course.\(course)"
        case .match(let learner, let course): "match learner.\(learner) course.\(course)"
        case .courseNow: "course-now"
        case .learnerNow: "learner-now"
        }
    }
}
