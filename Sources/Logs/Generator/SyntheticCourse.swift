import LinearAlgebra

/// One course of the synthetic catalogue, with what its columns show and what they hide.
package struct SyntheticCourse: Sendable {
    package var language: Int
    package var topic: Int
    /// The skill it mainly teaches: 0..<8 within its topic.
    package var skill: Int
    /// Every skill it names, numbers into `Taxonomy.skills`, the main one first.
    package var skills: [Int]
    /// 0 beginner … 2 advanced.
    package var level: Int
    package var duration: Int
    /// (log duration − mean) / deviation of the planted distribution: the feature of the planted logit.
    package var durationScore: Double
    /// Some catalogues lack a duration: the column is then empty.
    package var durationKnown: Bool
    /// Days since 1970; it can be watched from the next week on.
    package var published: Int
    package var retired: Int?
    /// Zipf–Mandelbrot weight, before trends; 1 for the most popular.
    package var popularity: Double
    /// What it adds to everybody's logit of a click.
    package var clickIntercept: Double
    /// What it adds by segment.
    package var clickBySegment: [Double]
    /// Hidden taste: no column shows it, only who watches what.
    package var style: (x: Double, y: Double)
    /// The course that follows it within its language and skill, if any.
    package var next: Int?
    package var title = ""
}

extension SyntheticCourse {
    static let meanLogDuration = 8.1  // 55 minutes
    static let deviationLogDuration = 0.9

    /// Draws a course; `popularity`, `next` and `title` are set by the catalogue, which sees all courses.
    static func draw(_ number: Int, options: GeneratorOptions) -> SyntheticCourse {
        var random = RandomKey(seed: options.seed, purpose: "generate.course").stream(number)
        let topic = random.index(weights: Taxonomy.topicShares)
        let skill = min(Int(random.exponential(mean: 2.6)), Taxonomy.skillsPerTopic - 1)
        let level = random.index(weights: Taxonomy.difficultyShares)
        let score = min(max(random.normal(), -3), 3)
        let published = publication(number, options: options, using: &random)
        return SyntheticCourse(
            language: random.index(weights: Taxonomy.courseLanguageShares), topic: topic, skill: skill,
            skills: namedSkills(topic: topic, skill: skill, using: &random), level: level,
            duration: Int(Scalar.exp(meanLogDuration + deviationLogDuration * score)), durationScore: score,
            durationKnown: random.chance(0.98), published: published,
            retired: retirement(number, published: published, options: options, using: &random), popularity: 0,
            clickIntercept: random.normal(0, 0.6),
            clickBySegment: Taxonomy.segments.map { _ in random.normal(0, 0.35) },
            style: (random.normal(), random.normal()), next: nil)
    }

    /// Two fifths of the catalogue are older than the logs, by up to three years; the rest comes evenly.
    private static func publication(
        _ number: Int, options: GeneratorOptions, using random: inout CounterRandom
    ) -> Int {
        let old = random.chance(0.4)
        let share = random.uniform()
        if old || number == 0 { return options.start - 14 - Int(share * 1_080) }
        return options.start + Int(share * Double(options.days))
    }

    private static func retirement(
        _ number: Int, published: Int, options: GeneratorOptions, using random: inout CounterRandom
    ) -> Int? {
        let retires = random.chance(0.12)
        let after = 180 + Int(random.exponential(mean: 500))
        let day = published + after
        return retires && number > 0 && day < options.end + 60 ? day : nil
    }

    /// The main skill, up to two others of its topic, now and then one of another topic.
    private static func namedSkills(topic: Int, skill: Int, using random: inout CounterRandom) -> [Int] {
        let base = topic * Taxonomy.skillsPerTopic
        var named = [base + skill]
        for _ in 0..<random.below(3) {
            let other = base + random.below(Taxonomy.skillsPerTopic)
            if !named.contains(other) { named.append(other) }
        }
        if random.chance(0.15) {
            let other = random.below(Taxonomy.skills.count)
            if !named.contains(other) { named.append(other) }
        }
        return named
    }
}
