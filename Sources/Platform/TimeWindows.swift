/// The times of a run (docs/time.md). All are seconds since 1970 UTC, all windows half-open `[from, to)`.
package struct TimeWindows: Codable, Sendable, Equatable {
    /// T: no event at or after it influences anything.
    package var asOf: Int64
    /// A context reaches back this many seconds.
    package var history: Int64
    /// Labels of a time t lie in `[t, t + labelWindow)`.
    package var labelWindow: Int64
    /// Distance between snapshots.
    package var stride: Int64
    /// Training snapshots of the validation fit, newest first: t_v − labelWindow − i·stride.
    package var fitSnapshots: [Int64]
    /// The same of the refit, with T in the place of t_v.
    package var refitSnapshots: [Int64]

    package init(
        asOf: Int64, history: Int64, labelWindow: Int64, stride: Int64, snapshots: Int, firstMoment: Int64
    ) {
        self.asOf = asOf
        self.history = history
        self.labelWindow = labelWindow
        self.stride = stride
        func before(_ end: Int64) -> [Int64] {
            (0..<Int64(snapshots)).map { end - labelWindow - $0 * stride }.filter { $0 >= firstMoment }
        }
        fitSnapshots = before(asOf - labelWindow)
        refitSnapshots = before(asOf)
    }

    /// t_v = T − labelWindow: what is fitted for validation uses nothing at or after it.
    package var validation: Int64 { asOf - labelWindow }

    /// Every time for which co-watch matrices exist, ascending: snapshots of both fits, t_v and T.
    package var cowatchTimes: [Int64] {
        Set(fitSnapshots + refitSnapshots + [validation, asOf]).sorted()
    }

    /// Half of the validation learners, by id hash.
    package enum Half: String, Codable, Sendable {
        /// Early stopping and tuning.
        case a
        /// The blend and every reported number.
        case b
    }

    /// Below this many validation learners both halves are all of them.
    package static let leastToHalve = 600
}
