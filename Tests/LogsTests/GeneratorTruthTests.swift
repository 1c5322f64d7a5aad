// Proves that the generated files hold the structure that docs/generator.md says was planted. Clicks are held against
// probabilities computed here from the documented formula and the side files alone.
import Foundation
import Testing

@Suite struct GeneratorTruthTests {
    private let platform: GeneratedPlatform

    init() throws { platform = try GeneratedPlatform.small.get() }

    private func list(_ text: String) -> [String] { text.split(separator: "|").map(String.init) }

    /// Pairs of (learner truth with profile, course) of all watches.
    private func share(_ holds: ([String: String], [String: String]) -> Bool) -> Double {
        var (hits, all) = (0, 0)
        for watch in platform.watches {
            guard let learner = platform.learners[watch["learner_id"]!] else { continue }
            all += 1
            if holds(learner, platform.courses[watch["course_id"]!]!) { hits += 1 }
        }
        return Double(hits) / Double(all)
    }

    @Test func watchesKeepToOneLanguageAndFewTopics() {
        // By chance a quarter of the courses have the learner's language: Σ share of courses × share of learners.
        #expect(share { $0["language"] == $1["language"] } > 0.8)
        let ofInterest = share { learner, course in
            let truth = platform.learnerTruth[learner["learner_id"]!]!
            return (list(truth["topics"]!) + [truth["adopted_topic"]!]).contains(course["topic"]!)
        }
        // Three of eighteen topics.
        #expect(ofInterest > 0.6)
    }

    @Test func profilesTellSomethingOfInterests() {
        var (hits, all) = (0, 0)
        for (id, learner) in platform.learners {
            for topic in list(learner["topics_followed"]!) {
                all += 1
                if list(platform.learnerTruth[id]!["topics"]!).contains(topic) { hits += 1 }
            }
        }
        // Planted: .55 of about 2.75 topics against .15 others, so about .9.
        #expect(Double(hits) / Double(all) > 0.8)
        #expect(Double(hits) / Double(all) < 0.98)
    }

    @Test func coursesAreOftenWatchedInSequence() {
        var last: [String: String] = [:]
        var (hits, changes) = (0, 0)
        for watch in platform.watches {
            let (learner, course) = (watch["learner_id"]!, watch["course_id"]!)
            if let before = last[learner], before != course {
                changes += 1
                if platform.courseTruth[before]!["next_course_id"] == course { hits += 1 }
            }
            last[learner] = course
        }
        // By chance one in hundreds.
        #expect(Double(hits) / Double(changes) > 0.05)
    }

    @Test func manyWatchesLastSecondsAndInterestLengthensThem() {
        let seconds = platform.watches.map { Double($0["watched_seconds"]!)! }
        let short = Double(seconds.count { $0 < 30 }) / Double(seconds.count)
        #expect(short > 0.2 && short < 0.5)
        func meanLog(_ interested: Bool) -> Double {
            let logs = platform.watches.compactMap { watch -> Double? in
                let truth = platform.learnerTruth[watch["learner_id"]!]!
                let of = list(truth["topics"]!).contains(platform.courses[watch["course_id"]!]!["topic"]!)
                return of == interested ? log(Double(watch["watched_seconds"]!)!) : nil
            }
            return logs.reduce(0, +) / Double(logs.count)
        }
        #expect(meanLog(true) > meanLog(false) + 0.5)
    }

    @Test func activityIsHeavyTailedAndSomeLearnersAreNew() throws {
        var counts: [String: Int] = [:]
        for watch in platform.watches { counts[watch["learner_id"]!, default: 0] += 1 }
        let sorted = counts.values.sorted(by: >)
        let top = sorted.prefix(platform.learnerTruth.count / 10).reduce(0, +)
        #expect(Double(top) / Double(platform.watches.count) > 0.35)
        #expect(counts.count < platform.learnerTruth.count)
        let lastMonth = try seconds("2025-06-03")
        let new = try platform.learners.values.count { try seconds($0["joined_at"]!) >= lastMonth }
        // Half of the learners arrive evenly in 180 days: 8 % in the last 28.
        #expect(Double(new) / Double(platform.learners.count) > 0.05)
        #expect(Double(new) / Double(platform.learners.count) < 0.11)
    }

    @Test func popularityOfRecentWeeksPredictsTheNextMonth() throws {
        // Rank correlation of a course's watches in the last 28 days with those of the 28 days before must exceed
        // that with the first 28 days: heat moves slowly.
        let end = try seconds("2025-07-01")
        func counts(_ from: Int, _ to: Int) throws -> [String: Double] {
            var counts: [String: Double] = [:]
            for watch in platform.watches {
                let age = (end - (try seconds(watch["started_at"]!))) / 86_400
                if age >= from && age < to { counts[watch["course_id"]!, default: 0] += 1 }
            }
            return counts
        }
        let (last, before, first) = (try counts(0, 28), try counts(28, 56), try counts(140, 180))
        let old = try platform.courses.filter { try seconds($0.value["published_at"]!) < end - 180 * 86_400 }.keys
        func correlation(_ a: [String: Double], _ b: [String: Double]) -> Double {
            let x = old.map { a[$0] ?? 0 }
            let y = old.map { b[$0] ?? 0 }
            let n = Double(x.count)
            let (mx, my) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
            let xy = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) }
            let xx = x.reduce(0) { $0 + ($1 - mx) * ($1 - mx) }
            let yy = y.reduce(0) { $0 + ($1 - my) * ($1 - my) }
            return xy / (xx * yy).squareRoot()
        }
        #expect(correlation(last, before) > correlation(last, first) + 0.04)
    }

    // MARK: Clicks

    private func number(_ value: Any?) -> Double { value as? Double ?? (value as? Int).map(Double.init) ?? .nan }

    /// The documented logit, from files alone.
    private func logit(_ event: [String: String], of platform: GeneratedPlatform) throws -> Double? {
        let response = try #require(platform.model["response"] as? [String: Any])
        guard let learner = platform.learners[event["learner_id"]!], !learner["industry"]!.isEmpty else { return nil }
        let course = platform.courses[event["course_id"]!]!
        let hidden = platform.learnerTruth[event["learner_id"]!]!
        let planted = platform.courseTruth[event["course_id"]!]!
        func effect(_ table: String, _ key: String) -> Double { number((response[table] as! [String: Any])[key]) }
        let time = try seconds(event["time"]!)
        let language = course["language"]!
        let match =
            language == learner["language"] ? "first" : language == hidden["second_language"] ? "second" : "other"
        let (mine, its) = (Set(list(learner["skills"]!)), Set(list(course["skills"]!)))
        let cosine =
            mine.isEmpty ? 0 : Double(mine.intersection(its).count) / Double(mine.count * its.count).squareRoot()
        let age = Double(time - (try seconds(course["published_at"]!))) / 86_400
        let d = Double(planted["duration_score"]!)!
        let pull = (response["pull"] as! [String: [String: Any]])[learner["industry"]!]![course["category"]!]
        let fixed =
            number(response["intercept"]) + effect("channel", event["channel"]!) + effect("language", match)
            + number(response["skills"]) * cosine + effect("difficulty", course["difficulty"]!)
            + number(response["duration"]) * d
            + number(response["novelty"]) * exp(-max(0, age) / number(response["noveltyDays"])) + number(pull)
        let topics = list(hidden["topics"]!)
        let weights = list(hidden["weights"]!).map { Double($0)! }
        var level = 0.0
        if let at = topics.firstIndex(of: course["topic"]!) { level = 0.4 + 0.6 * weights[at] / weights.max()! }
        if hidden["adopted_topic"] == course["topic"], try time >= seconds(hidden["adopted_at"]!) { level = 1 }
        let difficulty = Double(["beginner", "intermediate", "advanced"].firstIndex(of: course["difficulty"]!)!)
        let personal =
            Double(hidden["click_intercept"]!)! + Double(hidden["click_by_duration"]!)! * d
            + (level > 0 ? number(response["interest"]) * level : number(response["noInterest"]))
            + number(response["levelDistance"]) * abs(difficulty - Double(hidden["level"]!)!)
        let own = Double(planted["click_intercept"]!)! + Double(planted["click_" + learner["segment"]!]!)!
        let taste = (response["segmentTaste"] as? [String: [String: Any]])?[learner["segment"]!]![course["topic"]!]
        return fixed + personal + own + (taste.map(number) ?? 0)
    }

    @Test(arguments: [GeneratedPlatform.small, GeneratedPlatform.unusual])
    func clicksFollowTheDocumentedLogit(_ generated: Result<GeneratedPlatform, any Error>) throws {
        let platform = try generated.get()
        var answered: [String: [Int]] = [:]
        for event in platform.engagements where event["kind"] == "click" {
            answered[event["learner_id"]! + event["course_id"]!, default: []].append(try seconds(event["time"]!))
        }
        var bins = [(expected: Double, variance: Double, clicks: Double)](repeating: (0, 0, 0), count: 8)
        for event in platform.engagements where event["kind"] == "impression" {
            guard let z = try logit(event, of: platform) else { continue }
            let p = 1 / (1 + exp(-z))
            let time = try seconds(event["time"]!)
            let clicks = answered[event["learner_id"]! + event["course_id"]!] ?? []
            let clicked = clicks.contains { $0 > time && $0 < time + 600 }
            let bin = min(7, max(0, Int((z + 5) * 8 / 7)))
            bins[bin].expected += p
            bins[bin].variance += p * (1 - p)
            bins[bin].clicks += clicked ? 1 : 0
        }
        for bin in bins {
            // Four standard deviations, and a click for the answers lost at the very end of the logs.
            #expect(abs(bin.clicks - bin.expected) < 4 * bin.variance.squareRoot() + 1)
            #expect(bin.expected > 5)
        }
    }

    @Test func segmentsAndTitlesDifferOnlyWhereAsked() throws {
        let unusual = try GeneratedPlatform.unusual.get()
        func deviation(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
        }
        func intercepts(_ platform: GeneratedPlatform) -> Double {
            deviation(platform.courseTruth.values.map { Double($0["click_intercept"]!)! })
        }
        // 400 courses: standard errors of .02 and .04
        #expect(abs(intercepts(platform) - 0.6) < 0.1 && abs(intercepts(unusual) - 1.36.squareRoot()) < 0.2)
        func taste(_ platform: GeneratedPlatform) -> [Double] {
            let response = platform.model["response"] as! [String: Any]
            return (response["segmentTaste"] as? [String: [String: Any]] ?? [:]).values.flatMap {
                $0.values.map(number)
            }
        }
        #expect(taste(platform).isEmpty && taste(unusual).count == 4 * 18)
        #expect(abs(deviation(taste(unusual)) - 1) < 0.35)
        // no click leads to a watch at once
        let clicks = Set(
            unusual.engagements.lazy.filter { $0["kind"] == "click" }.map { $0["learner_id"]! + $0["time"]! })
        var followed = 0
        for watch in unusual.watches {
            let before = Date(timeIntervalSince1970: Double(try seconds(watch["started_at"]!) - 2))
            if clicks.contains(watch["learner_id"]! + before.formatted(.iso8601)) { followed += 1 }
        }
        #expect(followed <= 3)
    }

    @Test func effectsOfLearnersAndCoursesMatter() {
        let (planted, fixed) = (number(platform.model["plantedAUC"]), number(platform.model["fixedAUC"]))
        #expect(planted > fixed + 0.08)
        #expect(fixed > 0.6 && planted < 0.95)
    }
}
