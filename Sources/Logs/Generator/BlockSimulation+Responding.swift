import LinearAlgebra

/// What is shown, and what becomes of it.
extension BlockSimulation {
    /// One shelf of three to seven courses that the learner does not know, all shown at once.
    mutating func showShelf(at time: Int) {
        let channel = random.index(weights: [0.55, 0.3, 0.15])
        let hour = Int32(time / 3_600)
        for _ in 0..<3 + random.below(5) {
            guard let course = pickForShelf(at: time) else { continue }
            let before = state(course)
            // Two days apart, so that no click could be taken for the answer to an earlier impression.
            if before.known || Int(hour) - Int(before.shown) < 48 || !isAvailable(course, at: time) { continue }
            change(course) { $0.shown = hour }
            append(.impression, course, at: time, channel)
            respond(to: course, at: time, channel: channel)
        }
    }

    /// The platform already recommends something sensible: a part by interest, a part by popularity, a part at
    /// random, and now and then in a language that is not the learner's.
    private mutating func pickForShelf(at time: Int) -> Int? {
        let catalogue = platform.catalogue
        let week = platform.heat.week(ofDay: time / 86_400)
        if random.chance(0.1) { return draw(0..<catalogue.courses.count, week: week) }
        var language = learner.language
        if random.chance(0.12) { language = learner.secondLanguage ?? 0 }
        let all = catalogue.cells(language: language)
        let choice = random.uniform()
        if choice < 0.3 {
            let topic = learner.drawTopic(at: time, using: &random)
            return draw(catalogue.cell(language: language, topic: topic), week: week)
        }
        if choice < 0.65 { return draw(all, week: week) }
        return all.isEmpty ? nil : catalogue.order[all.lowerBound + random.below(all.count)]
    }

    /// A click with the planted probability. Clicks lead to watches, at once or (bookmarked) in a later session;
    /// some of what is not clicked is dismissed, and not watched or shown again.
    private mutating func respond(to number: Int, at time: Int, channel: Int) {
        let score = platform.truth.score(
            learner, platform.catalogue.courses[number], channel: channel, time: time)
        let probability = Scalar.sigmoid(score.logit)
        let later = time + 3 + random.below(120)
        let clicked = random.chance(probability)
        // The last seconds of the logs: an answer after their end is not seen.
        let seen = clicked && later + 200 < platform.end
        counts.planted.add(score.logit, positive: seen)
        counts.fixed.add(score.fixed, positive: seen)
        if seen {
            append(.click, number, at: later, channel)
            if random.chance(0.18) {
                append(.bookmark, number, at: later + 5 + random.below(100), channel)
                wanted.append(number)
            } else if random.chance(platform.options.watchedClicks) && isAvailable(number, at: later + 2) {
                _ = watch(number, at: later + 2)
            } else if random.chance(0.3) {
                wanted.append(number)
            }
        } else if random.chance(0.025 * (1 - probability)) && later < platform.end {
            append(.dismiss, number, at: later, channel)
            change(number) { $0.known = true }
        }
    }

    /// In the order of `Taxonomy.kinds`.
    private enum Kind: Int { case impression, click, bookmark, dismiss }

    private mutating func append(_ kind: Kind, _ course: Int, at time: Int, _ channel: Int) {
        platform.appendID(ofLearner: learner.number, to: &engagements)
        engagements.comma()
        engagements.append(platform.catalogue.ids[course])
        engagements.comma()
        platform.times.append(time, to: &engagements)
        engagements.comma()
        engagements.append(Self.kinds[kind.rawValue])
        engagements.comma()
        engagements.append(Self.channels[channel])
        engagements.newline()
        switch kind {
        case .impression: counts.impressions += 1
        case .click: counts.clicks += 1
        case .bookmark: counts.bookmarks += 1
        case .dismiss: counts.dismissals += 1
        }
    }

    private static let kinds = Taxonomy.kinds.map { Array($0.utf8) }
    private static let channels = Taxonomy.channels.map { Array($0.utf8) }
}
