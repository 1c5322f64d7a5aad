import LinearAlgebra

/// Lives through the logs with each learner of a block in turn, and formats the rows.
///
/// Memory: the block's rows and a few numbers per course; nothing outlives the block.
struct BlockSimulation: ~Copyable {
    let platform: SyntheticPlatform
    var watches = RowBytes()
    var engagements = RowBytes()
    var counts = GeneratorCounts()

    // The learner who is being lived through.
    var learner: SyntheticLearner
    var random = RandomKey(seed: 0, purpose: "").stream()
    /// Course last watched.
    var last: Int?
    /// Bookmarked, to be watched in some later session.
    var wanted: [Int] = []

    // Per course, valid where `stamp` is that of the learner.
    private var stamp: [Int32]
    private var current: Int32 = 0
    private var states: [CourseState]

    struct CourseState {
        var seconds: Int32 = 0
        /// Hours since 1970 of the last impression.
        var shown: Int32 = .min
        /// Watched or dismissed.
        var known = false
    }

    init(platform: SyntheticPlatform) {
        self.platform = platform
        let courses = platform.catalogue.courses.count
        stamp = [Int32](repeating: 0, count: courses)
        states = [CourseState](repeating: CourseState(), count: courses)
        learner = SyntheticLearner.draw(0, options: platform.options, using: &random)
    }

    /// Simulates a learner; `random` goes on where drawing the learner stopped.
    mutating func simulate(_ learner: SyntheticLearner, random: CounterRandom) {
        self.learner = learner
        self.random = random
        current += 1
        last = nil
        wanted.removeAll(keepingCapacity: true)
        let before = (counts.watches, counts.impressions)
        for visit in visits() {
            if visit.isShelf { showShelf(at: visit.time) } else { learn(from: visit.time) }
        }
        counts.learners += 1
        if (counts.watches, counts.impressions) != before { counts.activeLearners += 1 }
    }

    // MARK: State per course

    @inline(__always)
    func state(_ course: Int) -> CourseState { stamp[course] == current ? states[course] : CourseState() }

    @inline(__always)
    mutating func change(_ course: Int, _ body: (inout CourseState) -> Void) {
        if stamp[course] != current {
            stamp[course] = current
            states[course] = CourseState()
        }
        body(&states[course])
    }

    /// Published and not retired on the day of a time.
    func isAvailable(_ course: Int, at time: Int) -> Bool {
        let day = time / 86_400
        let found = platform.catalogue.courses[course]
        return found.published <= day && day < found.retired ?? .max
    }

    // MARK: Visits

    private struct Visit {
        var time: Int
        var isShelf: Bool
    }

    /// Sessions and shelves of recommendations of the learner's membership, in order of time.
    private mutating func visits() -> [Visit] {
        let (from, to) = (max(learner.joins, platform.start), min(learner.leaves, platform.end))
        let share = platform.season.share(from: from, to: to)
        if share <= 0 { return [] }
        let sessions = random.poisson(platform.sessionRate * learner.activity * share)
        // Impressions reach also those who hardly ever come: half of them do not depend on activity.
        let reach = 0.5 + 0.5 * min(learner.activity, 6)
        let shelves = platform.shelfRate == 0 ? 0 : random.poisson(platform.shelfRate * reach * share)
        var visits: [Visit] = []
        visits.reserveCapacity(sessions + shelves + 1)
        if learner.joins >= platform.start && random.chance(0.75) {
            visits.append(Visit(time: learner.joins, isShelf: false))
        }
        appendTimes(sessions, isShelf: false, from: from, to: to, &visits)
        appendTimes(shelves, isShelf: true, from: from, to: to, &visits)
        visits.sort { ($0.time, $0.isShelf ? 1 : 0) < ($1.time, $1.isShelf ? 1 : 0) }
        return visits
    }

    /// Half of the visits follow another within days: people learn in spells.
    private mutating func appendTimes(_ count: Int, isShelf: Bool, from: Int, to: Int, _ visits: inout [Visit]) {
        let offset = Taxonomy.countries[learner.language][learner.country].offset
        var previous = 0
        for i in 0..<count {
            var time = 0
            if i > 0 && random.chance(0.5) {
                time = previous + 86_400 * Int(random.exponential(mean: 3)) + random.below(7_200) - 3_600
            }
            if time < from || time >= to {
                time = platform.season.draw(from: from, to: to, hoursFromUTC: offset, using: &random)
            }
            previous = time
            if time >= from && time < to { visits.append(Visit(time: time, isShelf: isShelf)) }
        }
    }
}
