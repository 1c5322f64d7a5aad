/// One profile or metadata column of all rows of a table (the learners of a shard, or all courses).
package enum AttributeColumn: Sendable, Equatable {
    /// Codes into the column's dictionary; `valid[i] == false` means no value.
    case categorical(codes: [UInt32], valid: [Bool])
    /// Row i has codes `values[offsets[i]..<offsets[i + 1]]`, in the order of the input; empty means no value.
    case list(offsets: [Int], values: [UInt32])
    case numeric(values: [Double], valid: [Bool])
    /// Free text as UTF-8, row i at `bytes[offsets[i]..<offsets[i + 1]]`.
    case text(offsets: [Int], bytes: [UInt8])

    package var rows: Int {
        switch self {
        case .categorical(let codes, _): codes.count
        case .list(let offsets, _), .text(let offsets, _): offsets.count - 1
        case .numeric(let values, _): values.count
        }
    }
}

/// Named columns of one table.
package struct AttributeTable: Sendable, Equatable {
    package var rows: Int
    package var columns: [String: AttributeColumn]

    package init(rows: Int, columns: [String: AttributeColumn] = [:]) {
        precondition(columns.values.allSatisfy { $0.rows == rows })
        (self.rows, self.columns) = (rows, columns)
    }

    /// Column names, sorted: the order in which anything derived from a table comes.
    package var names: [String] { columns.keys.sorted() }
}

/// The values of one categorical or list column, sorted by bytes: code i is `values[i]`.
package struct ValueDictionary: Sendable, Equatable {
    package var values: [String]
    package init(values: [String]) { self.values = values }
}

/// All courses of a run, numbered 0..<count by ascending id. Times are seconds since 1970 UTC.
package struct Catalogue: Sendable {
    package var ids: [String]
    package var titles: [String]
    /// First second at which the course counts as published; `Int64.min` means always.
    package var publishedAt: [Int64]
    /// From then on it is not recommended; `Int64.max` means never.
    package var retiredAt: [Int64]
    /// Seconds; nil means unknown.
    package var duration: [Float?]
    /// Metadata, `language` (if there is one) among them as a categorical column.
    package var attributes: AttributeTable
    /// By column name.
    package var dictionaries: [String: ValueDictionary]

    package init(
        ids: [String], titles: [String], publishedAt: [Int64], retiredAt: [Int64], duration: [Float?],
        attributes: AttributeTable, dictionaries: [String: ValueDictionary]
    ) {
        (self.ids, self.titles) = (ids, titles)
        (self.publishedAt, self.retiredAt, self.duration) = (publishedAt, retiredAt, duration)
        (self.attributes, self.dictionaries) = (attributes, dictionaries)
    }

    package var count: Int { ids.count }

    /// Published before `time` and not retired by it.
    package func isEligible(_ course: Int, at time: Int64) -> Bool {
        publishedAt[course] < time && retiredAt[course] > time
    }
}

/// The learners of one shard, rows sorted by id.
package struct Learners: Sendable {
    package var ids: [String]
    /// Profile columns, `segment` (if there is one) among them as a categorical column.
    package var attributes: AttributeTable

    package init(ids: [String], attributes: AttributeTable) {
        precondition(attributes.rows == ids.count)
        (self.ids, self.attributes) = (ids, attributes)
    }

    package var count: Int { ids.count }
}

/// The watch rows of one shard, sorted by (learner, time, course, then every other column).
package struct Watches: Sendable, Equatable {
    /// Row of the learner in its shard.
    package var learner: [UInt32]
    package var course: [UInt32]
    package var time: [Int64]
    /// Watched seconds; NaN means that the log does not say.
    package var seconds: [Float]
    /// Code into the dictionary of channels; `UInt32.max` means none.
    package var channel: [UInt32]

    /// - Parameter channel: nil means none in all rows.
    package init(
        learner: [UInt32], course: [UInt32], time: [Int64], seconds: [Float], channel: [UInt32]? = nil
    ) {
        (self.learner, self.course, self.time, self.seconds) = (learner, course, time, seconds)
        self.channel = channel ?? [UInt32](repeating: .max, count: learner.count)
    }

    package var count: Int { learner.count }
}

/// What an engagement row means for response prediction.
package enum EngagementLabel: UInt8, Sendable, CaseIterable {
    /// Shown, nothing more.
    case impression = 0
    /// Click, bookmark, …: a response.
    case positive = 1
    /// Dismissed: a non-response, and in export a bar.
    case dismiss = 2
    /// A stated non-response without an impression (a low rating).
    case negative = 3
}

/// The engagement rows of one shard, sorted by (learner, time, course, then every other column).
package struct Engagements: Sendable, Equatable {
    package var learner: [UInt32]
    package var course: [UInt32]
    package var time: [Int64]
    package var label: [UInt8]
    /// Code into the dictionary of engagement kinds.
    package var kind: [UInt32]
    /// Code into the dictionary of channels; `UInt32.max` means none.
    package var channel: [UInt32]

    package init(
        learner: [UInt32], course: [UInt32], time: [Int64], label: [UInt8], kind: [UInt32], channel: [UInt32]
    ) {
        (self.learner, self.course, self.time) = (learner, course, time)
        (self.label, self.kind, self.channel) = (label, kind, channel)
    }

    package var count: Int { learner.count }
}
