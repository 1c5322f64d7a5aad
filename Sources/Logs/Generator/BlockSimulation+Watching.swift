import LinearAlgebra

/// What is watched, for how long.
extension BlockSimulation {
    /// One session: one or more courses, one after the other.
    mutating func learn(from time: Int) {
        var time = time
        repeat {
            if let course = chooseCourse(at: time) { time += watch(course, at: time) + 20 + random.below(60) }
        } while random.chance(0.48)
    }

    /// What was bookmarked; else what was begun; else what comes next in the sequence; else by interest.
    private mutating func chooseCourse(at time: Int) -> Int? {
        if !wanted.isEmpty && random.chance(0.5) {
            let course = wanted.removeFirst()
            if isAvailable(course, at: time) { return course }
        }
        if let last {
            let unfinished = Int(state(last).seconds) * 10 < platform.catalogue.courses[last].duration * 9
            if unfinished && random.chance(0.3) && isAvailable(last, at: time) { return last }
            if let next = platform.catalogue.courses[last].next, random.chance(0.35), isAvailable(next, at: time),
                !state(next).known
            {
                return next
            }
        }
        return explore(at: time)
    }

    /// By language, topic and heat; among what is found in the topic, by skills, difficulty and hidden taste.
    private mutating func explore(at time: Int) -> Int? {
        let catalogue = platform.catalogue
        let week = platform.heat.week(ofDay: time / 86_400)
        if random.chance(0.03) { return draw(0..<catalogue.courses.count, week: week) }
        var language = learner.language
        if let second = learner.secondLanguage, random.chance(0.2) { language = second }
        if random.chance(0.12) { return draw(catalogue.cells(language: language), week: week) }
        var topic = learner.drawTopic(at: time, using: &random)
        if let last, random.chance(0.35) {
            let stays = catalogue.courses[last].topic
            if learner.interest(in: stays, at: time) > 0 { topic = stays }
        }
        for _ in 0..<3 {
            if let found = pick(from: catalogue.cell(language: language, topic: topic), week: week) { return found }
            topic = learner.drawTopic(at: time, using: &random)
        }
        // Nothing new in the topics that came to mind.
        return random.chance(0.3) ? draw(catalogue.cells(language: language), week: week) : nil
    }

    /// A course of one language and topic that is not known yet: the first that is liked, else the last one looked at.
    private mutating func pick(from cell: Range<Int>, week: Int) -> Int? {
        var found: Int? = nil
        for _ in 0..<6 {
            guard let course = draw(cell, week: week) else { break }
            if state(course).known { continue }
            found = course
            if random.chance(liking(of: course)) { break }
        }
        return found
    }

    mutating func draw(_ cell: Range<Int>, week: Int) -> Int? {
        platform.heat.draw(cell, week: week, using: &random).map { platform.catalogue.order[$0] }
    }

    /// How readily a course within a topic of interest is taken, in (0, 1).
    private func liking(of number: Int) -> Double {
        let course = platform.catalogue.courses[number]
        let taste = learner.style.x * course.style.x + learner.style.y * course.style.y
        let skilled = learner.likes(skill: course.skill, ofTopic: course.topic) ? 1.8 : 0
        return Scalar.sigmoid(-1.2 + skilled + 0.7 * taste - 0.8 * (Double(course.level) - learner.level).magnitude)
    }

    /// Writes a watch and returns its seconds. With little interest most watches end after seconds; else the log
    /// of the share that is watched is normal, its mean rising with interest.
    mutating func watch(_ number: Int, at time: Int) -> Int {
        if time >= platform.end { return 0 }
        let course = platform.catalogue.courses[number]
        let understood = course.language == learner.language || course.language == learner.secondLanguage
        let skilled = learner.likes(skill: course.skill, ofTopic: course.topic)
        let interest =
            0.55 * learner.interest(in: course.topic, at: time) + (understood ? 0.25 : 0) + (skilled ? 0.2 : 0)
        let left = max(10, course.duration - Int(state(number).seconds))
        var seconds: Int
        if random.chance(0.6 - 0.5 * interest) {
            seconds = Int(random.logNormal(2.6, 0.8))
        } else {
            seconds = Int(Double(course.duration) * random.logNormal(-2 + 1.4 * interest, 0.8))
        }
        seconds = max(1, min(seconds, left, 4 * 3_600))
        change(number) {
            $0.seconds += Int32(seconds)
            $0.known = true
        }
        last = number
        appendWatch(number, time: time, seconds: seconds)
        return seconds
    }

    private mutating func appendWatch(_ number: Int, time: Int, seconds: Int) {
        platform.appendID(ofLearner: learner.number, to: &watches)
        watches.comma()
        watches.append(platform.catalogue.ids[number])
        watches.comma()
        platform.times.append(time, to: &watches)
        watches.comma()
        watches.append(seconds)
        watches.comma()
        watches.append(Self.watchChannels[random.index(weights: Taxonomy.watchChannelShares)])
        watches.newline()
        counts.watches += 1
    }

    private static let watchChannels = Taxonomy.watchChannels.map { Array($0.utf8) }
}
