/// How a field of a log file is read.
package enum Conversion: Sendable, Equatable {
    /// UTF-8 as it is: ids, titles, free text.
    case text
    /// A value of a small set; stored as a code into the column's dictionary.
    case category
    case number
    case list(ListForm)
    case time(TimeForm)
    /// Share of the course's duration or an amount of time; stored in seconds.
    case watchTime(WatchTimeForm)
    /// Seconds per unit.
    case duration(Double)
    case label(LabelRule)
    case scope

    package enum ListForm: Sendable, Equatable {
        /// Values between separators; blanks around a value do not count.
        case split(UInt8)
        /// `['a', 'b']`, as Python prints a list of strings.
        case bracketed
    }

    package enum TimeForm: Sendable, Equatable {
        /// `2024-03-01`, `2024-03-01T09:30:00Z`, `2024-03-01 09:30:00.25+01:00`; without an offset UTC is meant.
        case iso8601
        case epochSeconds
        case epochMilliseconds
        case year
        /// For logs without an order of time: a second of the year 2000, by hash of learner and course.
        case random
        /// The same in the year 2001: a test pair, kept apart from those of the year 2000 by T.
        case heldOut

        /// T of a dataset with test pairs: the first second of 2001.
        package static let heldOutFrom: Int64 = 978_307_200

        /// Made up from learner and course, not read.
        var isMadeUp: Bool { self == .random || self == .heldOut }
    }

    package enum WatchTimeForm: Sendable, Equatable {
        /// Seconds per unit.
        case amount(Double)
        /// Duration is multiplied by value × scale.
        case share(Double)
    }

    /// What an engagement row means.
    package enum LabelRule: Sendable, Equatable {
        /// Value of the field → label; other values reject the row.
        case byValue([String: UInt8])
        /// A number at or above it is positive, below it negative.
        case positiveFrom(Double)
    }
}

/// One column of a table: where it comes from and how it is read.
package struct ColumnMapping: Sendable, Equatable {
    package enum Origin: Sendable, Equatable {
        /// Header of the file's column, as in the file or (for `name:type`) up to the colon.
        case column(String)
        case constant(String)
        /// No source (`as: random`, `as: held_out`).
        case nothing
    }

    package let target: String
    package let origin: Origin
    package let conversion: Conversion
    /// A file without the column counts as one in which it is empty.
    package let optional: Bool
    /// Whether it becomes a profile or metadata column.
    package let isAttribute: Bool
}

/// What happens to columns of a file that the mapping does not name.
package enum OtherColumns: Sendable, Equatable {
    case ignored
    /// Taken as attributes, with the type that the header states after a colon (`age:number`, `skills:list`, RecBole's
    /// `class:token_seq`); without one they are categories. Lists are split at the byte.
    case byHeader(listSeparator: UInt8)
}

/// One kind of file that feeds a table.
package struct SourceMapping: Sendable, Equatable {
    package let table: LogTable
    /// Names this source in the list of inputs: the table, from its second source on with a number (`watches.2`).
    package let label: String
    /// Patterns relative to the data folder.
    package let files: [String]
    package let optional: Bool
    /// One byte, or two that are equal.
    package let delimiter: [UInt8]
    /// Latin-1 instead of UTF-8.
    package let latin1: Bool
    /// RFC 4180's quotes; without them a quote is a character like any other.
    package let quoted: Bool
    /// Fields that mean "no value", beside the empty one.
    package let nullMarks: [String]
    /// Names of the columns of files without a header row; nil: they have one.
    package let header: [String]?
    /// The last column may stand any number of times in a row.
    package let repeatsLast: Bool
    package let columns: [ColumnMapping]
    package let others: OtherColumns
}
