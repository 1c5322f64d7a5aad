import LinearAlgebra

/// The planted response model: an impression is clicked with probability σ(z),
///
///     z = intercept + channel + language match + skills·cos(profile skills, course skills) + difficulty
///       + duration·d + novelty·exp(−age/45 d) + pull[industry, category]                          (fixed effects)
///       + a_l + a_l,duration·d + interest(l, topic) + level(l, difficulty)                       (per learner)
///       + g_c + g_c,segment                                                                      (per course)
///       + taste[segment, topic]                                                       (per segment, if asked for)
///
/// d is the standardised log duration. It is GLMix's own form, except that interest may begin at a moment.
package struct ResponseTruth: Sendable {
    package var intercept = -2.0
    package var channel = [0.35, -0.35, 0.2]
    package var firstLanguage = 0.0
    package var secondLanguage = -0.6
    package var otherLanguage = -2.4
    package var skills = 0.9
    package var difficulty = [0.15, 0.0, -0.25]
    package var duration = -0.25
    package var novelty = 0.5
    package var noveltyDays = 45.0
    /// Times log of (pull / mean pull of the industry).
    package var pull = 0.35
    /// Effects of the learner: of a topic without interest, of interest 0…1 in it, per level of distance from the
    /// wanted difficulty.
    package var noInterest = -0.5
    package var interest = 1.7
    package var levelDistance = -0.5

    /// Segment → topic → effect; all 0 unless asked for.
    package let taste: [[Double]]

    private let industryEffects: [[Double]]

    package init(options: GeneratorOptions = GeneratorOptions()) {
        let key = RandomKey(seed: options.seed, purpose: "generate.segment-taste")
        taste = Taxonomy.segments.indices.map { segment in
            var random = key.stream(segment)
            return Taxonomy.topics.map { _ in random.normal(0, options.segmentTaste) }
        }
        industryEffects = Taxonomy.industryPull.map { row in
            let mean = row.reduce(0, +) / Double(row.count)
            return row.map { Scalar.log($0 / mean) }
        }
    }

    package func pullEffect(industry: Int, category: Int) -> Double { pull * industryEffects[industry][category] }

    package struct Score {
        /// All that does not depend on who the learner or which the course is, but for their columns.
        package var fixed: Double
        package var learner: Double
        package var course: Double
        package var logit: Double { fixed + learner + course }
    }

    /// - Parameters:
    ///   - time: seconds since 1970.
    ///   - channel: index into `Taxonomy.channels`.
    func score(_ learner: SyntheticLearner, _ course: SyntheticCourse, channel: Int, time: Int) -> Score {
        let age = Double(time - course.published * 86_400) / 86_400
        let match =
            course.language == learner.language
            ? firstLanguage : course.language == learner.secondLanguage ? secondLanguage : otherLanguage
        let fixed =
            intercept + self.channel[channel] + match + skills * cosine(learner.profileSkills, course.skills)
            + difficulty[course.level] + duration * course.durationScore
            + novelty * Scalar.exp(-max(0, age) / noveltyDays)
            + pullEffect(industry: learner.industry, category: Taxonomy.category(ofTopic: course.topic))
        let level = learner.interest(in: course.topic, at: time)
        let personal =
            learner.clickIntercept + learner.clickByDuration * course.durationScore
            + (level > 0 ? interest * level : noInterest)
            + levelDistance * (Double(course.level) - learner.level).magnitude
            + taste[learner.segment][course.topic]
        return Score(
            fixed: fixed, learner: personal, course: course.clickIntercept + course.clickBySegment[learner.segment])
    }

    /// Overlap of two lists without repetition: |A ∩ B| / √(|A|·|B|), 0 if one is empty.
    private func cosine(_ a: [Int], _ b: [Int]) -> Double {
        if a.isEmpty || b.isEmpty { return 0 }
        var common = 0
        for value in b where a.contains(value) { common += 1 }
        return Double(common) / Double(a.count * b.count).squareRoot()
    }
}

/// How well a score tells clicks from other impressions: AUC from counts per bin of the logit, so that blocks of
/// learners can be counted apart and added in any order. Ties within a bin (width .0016) count half.
package struct LogitHistogram: Sendable, Equatable {
    static let bins = 16_384
    static let bound = 13.0
    private var positives = [Int](repeating: 0, count: bins)
    private var negatives = [Int](repeating: 0, count: bins)

    package init() {}

    package mutating func add(_ logit: Double, positive: Bool) {
        let share = (min(max(logit, -Self.bound), Self.bound) + Self.bound) / (2 * Self.bound)
        let bin = min(Int(share * Double(Self.bins)), Self.bins - 1)
        if positive { positives[bin] += 1 } else { negatives[bin] += 1 }
    }

    mutating func add(_ other: LogitHistogram) {
        for bin in 0..<Self.bins {
            positives[bin] += other.positives[bin]
            negatives[bin] += other.negatives[bin]
        }
    }

    /// Nil without clicks or without other impressions.
    package var auc: Double? {
        let (clicks, others) = (positives.reduce(0, +), negatives.reduce(0, +))
        if clicks == 0 || others == 0 { return nil }
        var below = 0
        var doubled = 0
        for bin in 0..<Self.bins {
            doubled += positives[bin] * (2 * below + negatives[bin])
            below += negatives[bin]
        }
        return Double(doubled) / (2 * Double(clicks) * Double(others))
    }
}
