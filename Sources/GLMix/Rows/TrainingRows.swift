import LinearAlgebra
import Platform

/// The rows of one learner shard, made from its engagements: column by column.
package struct TrainingRows: Sendable, Equatable {
    /// Row of the learner in its shard.
    package var learner: [UInt32] = []
    package var course: [UInt32] = []
    /// As of when the features are: the impression's time, else the engagement's.
    package var time: [Int64] = []
    package var label: [UInt8] = []
    /// Watched seconds of the course within the weight window; 0 for negatives.
    package var watched: [Float] = []
    /// 1, or what a drawn negative stands for. The watch weight multiplies it.
    package var mass: [Float] = []
    /// −log(mass·q) on rows of learners and channels without impressions, else 0.
    package var offset: [Float] = []
    /// Whether the row belongs to a learner and channel without impressions.
    package var drawn: [Bool] = []
    /// The learner's positive engagements on days before the row's.
    package var earlier: [Int32] = []
    package var counts = Counts()

    package struct Counts: Sendable, Equatable {
        package var read = 0
        package var positives = 0
        package var negatives = 0
        package var drawnNegatives = 0
        /// Engagements that share a row with another.
        package var merged = 0
        /// Impressions of a course before one that was engaged with.
        package var repeatedImpressions = 0
        /// Impressions whose attribution window ends after the cutoff.
        package var tooRecent = 0

        package init() {}

        package mutating func add(_ other: Counts) {
            read += other.read
            positives += other.positives
            negatives += other.negatives
            drawnNegatives += other.drawnNegatives
            merged += other.merged
            repeatedImpressions += other.repeatedImpressions
            tooRecent += other.tooRecent
        }
    }

    package init() {}

    package var count: Int { label.count }
}

/// How engagements become rows.
package struct RowRules: Sendable {
    /// Seconds after an impression within which an engagement belongs to it.
    package var attribution: Int64 = 86_400
    /// Seconds after a positive in which its watch time counts.
    package var weightWindow: Int64 = 28 * 86_400
    /// Drawn negatives per positive where a learner and channel have no impressions.
    package var negatives = 4
    /// What they stand for, at most, in positives.
    package var negativeMass = 20.0
    /// Exponent of popularity in drawing.
    package var alpha = 0.5
    package var seed: UInt64 = 1
    /// Only rows whose label was not yet known at this time, for a fit that goes on from one of then: an engagement at
    /// or after it, an impression whose attribution ends after it.
    package var since = Int64.min

    package init() {}
}

/// Makes the rows of a learner shard (spec: 1 = an engagement before the cutoff; 0 = an impression without one within
/// `attribution`, a dismissal, or a drawn negative). Rows come by learner and time; a drawn negative follows its
/// positive.
package struct RowBuilder: Sendable {
    let rules: RowRules
    /// Nothing at or after it is seen.
    let cutoff: Int64
    let sampler: NegativeSampler

    package init(rules: RowRules, cutoff: Int64, sampler: NegativeSampler) {
        (self.rules, self.cutoff, self.sampler) = (rules, cutoff, sampler)
    }

    /// - Parameters:
    ///   - engagements, watches: of one shard, sorted by (learner, time).
    ///   - hashes: `LearnerHash` of each learner's id, which seeds its draws.
    package func rows(_ engagements: Engagements, _ watches: Watches, hashes: [UInt64]) -> TrainingRows {
        var rows = TrainingRows()
        var open = [Int32](repeating: -1, count: sampler.courseCount)
        let watchGroups = RowGroups(count: hashes.count, group: watches.learner)
        var start = 0
        while start < engagements.count {
            let learner = engagements.learner[start]
            var end = start
            while end < engagements.count, engagements.learner[end] == learner { end += 1 }
            var one = LearnerRows(attribution: rules.attribution)
            for i in ordered(engagements, start..<end) where engagements.time[i] < cutoff {
                one.add(
                    course: engagements.course[i], time: engagements.time[i],
                    label: EngagementLabel(rawValue: engagements.label[i])!, channel: engagements.channel[i], &open)
            }
            for row in one.rows { open[Int(row.course)] = -1 }
            append(one, learner, hashes[Int(learner)], watches, watchGroups, to: &rows)
            start = end
        }
        return rows
    }

    /// Rows of equal time and course: impressions first, so that an engagement in the same second finds its own.
    private func ordered(_ e: Engagements, _ range: Range<Int>) -> [Int] {
        var order = Array(range)
        var at = 0
        while at < order.count {
            var end = at + 1
            let first = order[at]
            while end < order.count, e.time[range.lowerBound + end] == e.time[first],
                e.course[range.lowerBound + end] == e.course[first]
            { end += 1 }
            if end - at > 1 {
                let group = Array(order[at..<end])
                let shown = group.filter { e.label[$0] == EngagementLabel.impression.rawValue }
                order.replaceSubrange(
                    at..<end, with: shown + group.filter { e.label[$0] != EngagementLabel.impression.rawValue })
            }
            at = end
        }
        return order
    }

    private func append(
        _ one: LearnerRows, _ learner: UInt32, _ hash: UInt64, _ watches: Watches, _ groups: RowGroups,
        to rows: inout TrainingRows
    ) {
        rows.counts.read += one.read
        rows.counts.merged += one.merged
        let shownChannels = Set(one.rows.filter(\.isImpression).map(\.channel))
        let engaged = Set(one.rows.filter { $0.isEngaged }.map(\.course))
        for row in one.rows {
            if row.isImpression && !row.isEngaged {
                if row.isRepeated {
                    rows.counts.repeatedImpressions += 1
                    continue
                }
                if row.time > cutoff - rules.attribution {
                    rows.counts.tooRecent += 1
                    continue
                }
            }
            let isKnown =
                row.isEngaged
                ? row.engagedAt < rules.since : rules.since != .min && row.time <= rules.since - rules.attribution
            if isKnown { continue }
            let drawn = !shownChannels.contains(row.channel)
            let seconds = row.label == 1 ? watched(row, watches, groups, Int(learner)) : 0
            let earlier = one.positivesBefore(row.time)
            if row.label == 1 { rows.counts.positives += 1 } else { rows.counts.negatives += 1 }
            if !drawn {
                rows.append(
                    learner, row.course, row.time, label: row.label, watched: seconds, mass: 1, offset: 0, drawn: false,
                    earlier: earlier)
                continue
            }
            let candidates = sampler.candidates(at: row.time, not: engaged)
            rows.append(
                learner, row.course, row.time, label: row.label, watched: seconds, mass: 1,
                offset: sampler.offset(row.course, own: true, rules, candidates), drawn: true, earlier: earlier)
            if row.label == 0 { continue }
            let courses = sampler.draw(
                rules, candidates, at: row.time, not: engaged, hash: hash, course: row.course)
            let mass = Float(sampler.mass(rules, candidates) / Double(max(1, courses.count)))
            for course in courses {
                rows.append(
                    learner, course, row.time, label: 0, watched: 0, mass: mass,
                    offset: sampler.offset(course, own: false, rules, candidates), drawn: true, earlier: earlier)
            }
            rows.counts.drawnNegatives += courses.count
        }
    }

    /// Seconds of the course in [time, time + window), before the cutoff; unknown watch time counts as none.
    private func watched(_ row: LearnerRows.Row, _ watches: Watches, _ groups: RowGroups, _ learner: Int) -> Float {
        var total: Float = 0
        let end = min(cutoff, row.time + rules.weightWindow)
        for at in groups.range(learner) {
            let i = Int(groups.rows[at])
            if watches.time[i] < row.time || watches.course[i] != row.course { continue }
            if watches.time[i] >= end { break }
            if !watches.seconds[i].isNaN { total += watches.seconds[i] }
        }
        return total
    }
}

extension TrainingRows {
    mutating func append(
        _ learner: UInt32, _ course: UInt32, _ time: Int64, label: UInt8, watched: Float, mass: Float, offset: Float,
        drawn: Bool, earlier: Int32
    ) {
        self.learner.append(learner)
        self.course.append(course)
        self.time.append(time)
        self.label.append(label)
        self.watched.append(watched)
        self.mass.append(mass)
        self.offset.append(offset)
        self.drawn.append(drawn)
        self.earlier.append(earlier)
    }

    /// Only the rows that satisfy a predicate; counts stay.
    package func filter(_ keep: (Int) -> Bool) -> TrainingRows {
        var kept = TrainingRows()
        kept.counts = counts
        for i in 0..<count where keep(i) {
            kept.append(
                learner[i], course[i], time[i], label: label[i], watched: watched[i], mass: mass[i], offset: offset[i],
                drawn: drawn[i], earlier: earlier[i])
        }
        return kept
    }
}

/// Attributes one learner's engagements to its impressions, in the order of time.
struct LearnerRows {
    struct Row {
        var course: UInt32
        var time: Int64
        var channel: UInt32
        var label: UInt8
        var isImpression: Bool
        var isEngaged = false
        /// Time of the first engagement.
        var engagedAt: Int64
        /// Another impression of the course followed, and that was engaged with within this one's attribution.
        var isRepeated = false
        /// The course's row before this one, −1: none.
        var previous: Int32
    }

    let attribution: Int64
    var rows: [Row] = []
    var read = 0
    var merged = 0
    /// Days of positive engagements, ascending.
    private var positiveDays: [Int32] = []

    init(attribution: Int64) { self.attribution = attribution }

    /// - Parameter open: the latest row of each course, −1: none.
    mutating func add(
        course: UInt32, time: Int64, label: EngagementLabel, channel: UInt32, _ open: inout [Int32]
    ) {
        read += 1
        if label == .positive { positiveDays.append(CourseActivity.day(time)) }
        let last = open[Int(course)]
        let isWithin = last >= 0 && time - rows[Int(last)].time < attribution
        if label != .impression, isWithin {
            engage(Int(last), time, positive: label == .positive)
            return
        }
        open[Int(course)] = Int32(rows.count)
        rows.append(
            Row(
                course: course, time: time, channel: channel, label: label == .positive ? 1 : 0,
                isImpression: label == .impression, isEngaged: label != .impression, engagedAt: time, previous: last))
    }

    /// Positive engagements on days before that of a time.
    func positivesBefore(_ time: Int64) -> Int32 {
        let day = CourseActivity.day(time)
        var count = positiveDays.count
        while count > 0, positiveDays[count - 1] >= day { count -= 1 }
        return Int32(count)
    }

    /// A dismissal wins over a click on the same row, whichever came first.
    private mutating func engage(_ row: Int, _ time: Int64, positive: Bool) {
        if rows[row].isEngaged {
            merged += 1
            if !positive { rows[row].label = 0 }
            return
        }
        rows[row].isEngaged = true
        rows[row].engagedAt = time
        rows[row].label = positive ? 1 : 0
        var before = Int(rows[row].previous)
        while before >= 0, rows[before].isImpression, !rows[before].isEngaged, time - rows[before].time < attribution {
            rows[before].isRepeated = true
            before = Int(rows[before].previous)
        }
    }
}
