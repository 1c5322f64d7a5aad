import LinearAlgebra

/// One learner, with what the profile shows and what it hides.
package struct SyntheticLearner: Sendable {
    package var number: Int
    // What the profile shows, mostly.
    package var segment: Int
    package var industry: Int
    package var seniority: Int
    package var years: Int
    package var language: Int
    package var secondLanguage: Int?
    package var country: Int
    package var profileSkills: [Int] = []
    package var topicsFollowed: [Int] = []
    // What it hides.
    package var interests: [Interest] = []
    /// An interest that begins in the middle of the logs: what was clicked lately tells more than the profile.
    package var adopted: (topic: Int, from: Int)?
    /// Wanted difficulty, 0…2.
    package var level: Double
    /// Relative number of sessions; mean 1, heavy-tailed.
    package var activity: Double
    /// Seconds since 1970; membership is [joins, leaves).
    package var joins: Int
    package var leaves: Int
    package var clickIntercept: Double
    package var clickByDuration: Double
    package var style: (x: Double, y: Double)

    package struct Interest: Sendable, Equatable {
        package var topic: Int
        /// Share of attention; a learner's sum to 1.
        package var weight: Double
        /// Bit s: likes skill s of the topic.
        package var skills: UInt8
    }

    /// An adopted interest takes this share of attention once it has begun.
    static let adoptedShare = 0.6
}

extension SyntheticLearner {
    /// What a learner's clicks and watches know of a topic at a time: 0 no interest … 1 the strongest.
    func interest(in topic: Int, at time: Int) -> Double {
        if let adopted, adopted.topic == topic { return time >= adopted.from ? 1 : 0 }
        let strongest = interests.lazy.filter { $0.topic != adopted?.topic }.map(\.weight).max() ?? 1
        guard let found = interests.first(where: { $0.topic == topic }) else { return 0 }
        return 0.4 + 0.6 * found.weight / strongest
    }

    func likes(skill: Int, ofTopic topic: Int) -> Bool {
        interests.contains { $0.topic == topic && $0.skills >> UInt8(skill) & 1 == 1 }
    }

    /// A topic drawn by attention at a time.
    func drawTopic(at time: Int, using random: inout CounterRandom) -> Int {
        var value = random.uniform()
        if let adopted {
            if time >= adopted.from {
                if value < Self.adoptedShare { return adopted.topic }
                value = (value - Self.adoptedShare) / (1 - Self.adoptedShare)
            }
        }
        for interest in interests where interest.topic != adopted?.topic {
            value -= interest.weight
            if value < 0 { return interest.topic }
        }
        return interests[0].topic
    }
}

extension SyntheticLearner {
    /// Draws a learner; all numbers come from the learner's own stream.
    static func draw(_ number: Int, options: GeneratorOptions, using random: inout CounterRandom) -> SyntheticLearner {
        let seniority = random.index(weights: Taxonomy.seniorityShares)
        let language = random.index(weights: Taxonomy.learnerLanguageShares)
        let members = membership(options: options, using: &random)
        var learner = SyntheticLearner(
            number: number, segment: random.index(weights: Taxonomy.segmentShares),
            industry: random.index(weights: Taxonomy.industryShares), seniority: seniority,
            years: min(45, Int(random.exponential(mean: 2 + 5 * Double(seniority)))), language: language,
            secondLanguage: secondLanguage(besides: language, using: &random),
            country: min(Int(random.exponential(mean: 0.8)), Taxonomy.countries[language].count - 1),
            level: min(max(random.normal(0.2 + 0.5 * Double(seniority), 0.4), 0), 2),
            activity: min(random.logNormal(-0.5 * 1.1 * 1.1, 1.1), 40), joins: members.joins,
            leaves: members.leaves, clickIntercept: random.normal(0, 0.7), clickByDuration: random.normal(0, 0.35),
            style: (random.normal(), random.normal()))
        learner.drawInterests(using: &random)
        learner.drawProfile(using: &random)
        learner.adopt(options: options, using: &random)
        return learner
    }

    private static func secondLanguage(besides first: Int, using random: inout CounterRandom) -> Int? {
        if !random.chance(first == 0 ? 0.12 : 0.4) { return nil }
        if first != 0 { return 0 }
        return 1 + random.below(Taxonomy.languages.count - 1)
    }

    /// Half of the learners are there from before the logs; others arrive evenly to the very end. Some leave.
    static func membership(
        options: GeneratorOptions, using random: inout CounterRandom
    ) -> (joins: Int, leaves: Int) {
        let (start, end) = (options.start * 86_400, options.end * 86_400)
        let old = random.chance(0.5)
        let share = random.uniform()
        let joins = old ? start - Int(share * 700 * 86_400) - 1 : start + Int(share * Double(end - start))
        let stays = random.chance(0.4)
        let lifetime = 86_400 * (10 + Int(random.exponential(mean: 500)))
        return (joins, stays ? Int.max : max(joins, start) + lifetime)
    }

    /// Two to four topics, by the pull of industry and segment.
    private mutating func drawInterests(using random: inout CounterRandom) {
        var pull = Taxonomy.topics.indices.map { topic in
            let category = Taxonomy.category(ofTopic: topic)
            return Taxonomy.topicShares[topic] * Taxonomy.industryPull[industry][category]
                * Taxonomy.segmentPull[segment][category]
        }
        let count = 2 + (random.chance(0.5) ? 1 : 0) + (random.chance(0.25) ? 1 : 0)
        for _ in 0..<count { interests.append(Self.interest(&pull, using: &random)) }
        let total = interests.reduce(0) { $0 + $1.weight }
        for i in interests.indices { interests[i].weight /= total }
    }

    private static func interest(_ pull: inout [Double], using random: inout CounterRandom) -> Interest {
        let topic = random.index(weights: pull)
        pull[topic] = 0
        var skills: UInt8 = 0
        while skills.nonzeroBitCount < 3 { skills |= 1 << UInt8(random.below(Taxonomy.skillsPerTopic)) }
        return Interest(topic: topic, weight: random.logNormal(0, 0.7), skills: skills)
    }

    /// The profile names some of the skills and topics that the learner likes, and some others.
    private mutating func drawProfile(using random: inout CounterRandom) {
        for interest in interests {
            if random.chance(0.55) { topicsFollowed.append(interest.topic) }
            if !random.chance(0.7) { continue }
            for skill in 0..<Taxonomy.skillsPerTopic where interest.skills >> UInt8(skill) & 1 == 1 {
                if random.chance(0.6) { profileSkills.append(interest.topic * Taxonomy.skillsPerTopic + skill) }
            }
        }
        let noise = random.below(Taxonomy.topics.count)
        if random.chance(0.15) && !topicsFollowed.contains(noise) { topicsFollowed.append(noise) }
        for _ in 0..<random.below(3) {
            let skill = random.below(Taxonomy.skills.count)
            if !profileSkills.contains(skill) { profileSkills.append(skill) }
        }
    }

    private mutating func adopt(options: GeneratorOptions, using random: inout CounterRandom) {
        if !random.chance(0.4) { return }
        var pull = Taxonomy.topicShares
        for interest in interests { pull[interest.topic] = 0 }
        let interest = Self.interest(&pull, using: &random)
        let from = options.start * 86_400 + Int(random.uniform() * Double(options.days * 86_400))
        if from < joins || from >= leaves { return }
        interests.append(Interest(topic: interest.topic, weight: 0, skills: interest.skills))
        adopted = (interest.topic, from)
    }
}
