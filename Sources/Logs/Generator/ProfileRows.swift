import LinearAlgebra

/// Rows about learners and courses: what the platform knows of them, and the planted truth.
enum ProfileRows {
    static let learnerHeader =
        "learner_id,segment,country,industry,language,languages,seniority,years_experience,skills,topics_followed,joined_at\n"
    static let learnerTruthHeader =
        "learner_id,second_language,topics,weights,liked_skills,adopted_topic,adopted_at,level,activity,"
        + "click_intercept,click_by_duration,style_x,style_y,leaves_at\n"
    static let courseHeader =
        "course_id,title,language,published_at,retired_at,duration_seconds,category,topic,difficulty,skills\n"
    static let courseTruthHeader =
        "course_id,language,topic,main_skill,popularity,click_intercept,"
        + Taxonomy.segments.map { "click_\($0)" }.joined(separator: ",")
        + ",duration_score,style_x,style_y,next_course_id\n"
    static let watchHeader = "learner_id,course_id,started_at,watched_seconds,channel\n"
    static let engagementHeader = "learner_id,course_id,time,kind,channel\n"
    static let suppressionHeader = "learner_id,course_id,scope\n"

    /// Some learners have no profile; some profiles have gaps.
    /// - Returns: whether a row was written.
    static func appendProfile(
        _ learner: SyntheticLearner, _ platform: SyntheticPlatform, to bytes: inout RowBytes
    ) -> Bool {
        var random = RandomKey(seed: platform.options.seed, purpose: "generate.gaps").stream(learner.number)
        if random.chance(0.01) { return false }
        let languages = [learner.language] + (learner.secondLanguage.map { [$0] } ?? [])
        platform.appendID(ofLearner: learner.number, to: &bytes)
        bytes.comma()
        bytes.append(field: Taxonomy.segments[learner.segment])
        bytes.comma()
        if !random.chance(0.02) { bytes.append(field: Taxonomy.countries[learner.language][learner.country].code) }
        bytes.comma()
        if !random.chance(0.03) { bytes.append(field: Taxonomy.industries[learner.industry]) }
        bytes.comma()
        bytes.append(field: Taxonomy.languages[learner.language])
        bytes.comma()
        bytes.append(list: languages.map { Taxonomy.languages[$0] })
        bytes.comma()
        bytes.append(field: Taxonomy.seniorities[learner.seniority])
        bytes.comma()
        if !random.chance(0.05) { bytes.append(learner.years) }
        bytes.comma()
        bytes.append(list: learner.profileSkills.map { Taxonomy.skills[$0] })
        bytes.comma()
        bytes.append(list: learner.topicsFollowed.map { Taxonomy.topics[$0] })
        bytes.comma()
        bytes.append(CivilDate.text(Int((Double(learner.joins) / 86_400).rounded(.down))))
        bytes.newline()
        return true
    }

    static func appendTruth(
        _ learner: SyntheticLearner, _ platform: SyntheticPlatform, to bytes: inout RowBytes
    ) {
        let steady = learner.interests.filter { $0.topic != learner.adopted?.topic }
        let skills = learner.interests.flatMap { interest -> [String] in
            (0..<Taxonomy.skillsPerTopic).filter { interest.skills >> UInt8($0) & 1 == 1 }
                .map { Taxonomy.skills[interest.topic * Taxonomy.skillsPerTopic + $0] }
        }
        platform.appendID(ofLearner: learner.number, to: &bytes)
        bytes.comma()
        if let second = learner.secondLanguage { bytes.append(field: Taxonomy.languages[second]) }
        bytes.comma()
        bytes.append(list: steady.map { Taxonomy.topics[$0.topic] })
        bytes.comma()
        for (i, interest) in steady.enumerated() {
            if i > 0 { bytes.append(byte: UInt8(ascii: "|")) }
            bytes.append(decimal: interest.weight)
        }
        bytes.comma()
        bytes.append(list: skills)
        bytes.comma()
        if let adopted = learner.adopted { bytes.append(field: Taxonomy.topics[adopted.topic]) }
        bytes.comma()
        if let adopted = learner.adopted { platform.times.append(adopted.from, to: &bytes) }
        for number in [
            learner.level, learner.activity, learner.clickIntercept, learner.clickByDuration, learner.style.x,
            learner.style.y,
        ] {
            bytes.comma()
            bytes.append(decimal: number)
        }
        bytes.comma()
        if learner.leaves < platform.end { bytes.append(CivilDate.text(learner.leaves / 86_400)) }
        bytes.newline()
    }
}

extension ProfileRows {
    static func appendCourse(_ number: Int, _ catalogue: SyntheticCatalogue, to bytes: inout RowBytes) {
        let course = catalogue.courses[number]
        bytes.append(catalogue.ids[number])
        bytes.comma()
        bytes.append(field: course.title)
        bytes.comma()
        bytes.append(field: Taxonomy.languages[course.language])
        bytes.comma()
        bytes.append(CivilDate.text(course.published))
        bytes.comma()
        if let retired = course.retired { bytes.append(CivilDate.text(retired)) }
        bytes.comma()
        if course.durationKnown { bytes.append(course.duration) }
        bytes.comma()
        bytes.append(field: Taxonomy.categories[Taxonomy.category(ofTopic: course.topic)])
        bytes.comma()
        bytes.append(field: Taxonomy.topics[course.topic])
        bytes.comma()
        bytes.append(field: Taxonomy.difficulties[course.level])
        bytes.comma()
        bytes.append(list: course.skills.map { Taxonomy.skills[$0] })
        bytes.newline()
    }

    static func appendCourseTruth(_ number: Int, _ catalogue: SyntheticCatalogue, to bytes: inout RowBytes) {
        let course = catalogue.courses[number]
        bytes.append(catalogue.ids[number])
        bytes.comma()
        bytes.append(field: Taxonomy.languages[course.language])
        bytes.comma()
        bytes.append(field: Taxonomy.topics[course.topic])
        bytes.comma()
        bytes.append(field: Taxonomy.skills[course.topic * Taxonomy.skillsPerTopic + course.skill])
        let numbers = [course.popularity, course.clickIntercept] + course.clickBySegment
        for value in numbers + [course.durationScore, course.style.x, course.style.y] {
            bytes.comma()
            bytes.append(decimal: value)
        }
        bytes.comma()
        if let next = course.next { bytes.append(catalogue.ids[next]) }
        bytes.newline()
    }

    /// One learner in 500 has opted out of recommendations, one in 2,000 also of training.
    static func appendOptOut(
        _ learner: SyntheticLearner, _ platform: SyntheticPlatform, to bytes: inout RowBytes
    ) {
        var random = RandomKey(seed: platform.options.seed, purpose: "generate.opt-out").stream(learner.number)
        let choice = random.uniform()
        if choice >= 0.002 { return }
        platform.appendID(ofLearner: learner.number, to: &bytes)
        bytes.append(choice < 0.0005 ? ",,both\n" : ",,recommend\n")
    }

    /// One course in 200 is under embargo.
    static func appendEmbargo(_ number: Int, _ platform: SyntheticPlatform, to bytes: inout RowBytes) {
        var random = RandomKey(seed: platform.options.seed, purpose: "generate.embargo").stream(number)
        if !random.chance(0.005) { return }
        bytes.comma()
        bytes.append(platform.catalogue.ids[number])
        bytes.append(",recommend\n")
    }
}
