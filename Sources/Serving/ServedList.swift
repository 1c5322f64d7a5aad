/// One list as serving layers get it: ids and texts instead of numbers.
package struct ServedList: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var course: String
        /// From 1.
        package var rank: Int
        package var score: Float
        package var listScore: Float
        /// nil: the format has none (related courses).
        package var reason: String?
        /// The id of the course watched, or what fits; nil: nothing particular.
        package var because: String?

        package init(
            course: String, rank: Int, score: Float, listScore: Float, reason: String? = nil, because: String? = nil
        ) {
            (self.course, self.rank, self.score, self.listScore) = (course, rank, score, listScore)
            (self.reason, self.because) = (reason, because)
        }
    }

    /// The id of the learner (segment, course) it is for; nil: everybody.
    package var key: String?
    package var rung: String?
    /// Why the list has fewer courses than asked for; nil: it has not.
    package var short: String?
    package var entries: [Entry]

    package init(key: String?, rung: String? = nil, short: String? = nil, entries: [Entry]) {
        (self.key, self.rung, self.short, self.entries) = (key, rung, short, entries)
    }
}

/// What a key is called in JSON.
package enum ListKind: String, Sendable {
    case learner, segment, course
}

/// An id that a format cannot carry.
package struct UnservableID: Error, Equatable, CustomStringConvertible {
    package let id: String
    package let format: String
    package let reason: String

    package init(id: String, format: String, reason: String) {
        (self.id, self.format, self.reason) = (id, format, reason)
    }

    package var description: String { "id \(quoted(id)) cannot be written as \(format): \(reason)" }

    private func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONLines.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
