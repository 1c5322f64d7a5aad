/// Where did data get lost?
package struct DataLoss: Sendable {
    /// Rows of an input table: read = before T + from T on + rejected.
    package struct Account: Sendable {
        package var table: String
        package var read: Int
        package var before: Int
        package var after: Int
        package var rejected: Int
        package init(table: String, read: Int, before: Int, after: Int, rejected: Int) {
            (self.table, self.read, self.before, self.after, self.rejected) = (table, read, before, after, rejected)
        }
    }

    /// Watch time of single watches of courses of one duration class.
    package struct WatchTime: Sendable {
        package var bucket: String
        /// Lower ends in seconds, ascending, and counts.
        package var bins: [(seconds: Double, count: Int)]
        /// Seconds from which on a course counts, for a course without a known duration.
        package var threshold: Double
        package init(bucket: String, bins: [(seconds: Double, count: Int)], threshold: Double) {
            (self.bucket, self.bins, self.threshold) = (bucket, bins, threshold)
        }
    }

    /// A stretch of time; all in seconds since 1970.
    package struct Window: Sendable {
        package var name: String
        package var from: Double
        package var to: Double
        package var text: String
        package var colour: Int
        package init(name: String, from: Double, to: Double, text: String, colour: Int) {
            (self.name, self.from, self.to, self.text, self.colour) = (name, from, to, text, colour)
        }
    }

    package var accounts: [Account] = []
    /// Steps from rows read to learners evaluated.
    package var funnel: [(step: String, count: Int, note: String)] = []
    package var rejects: [(reason: String, rows: Int, example: String)] = []
    package var watchTimes: [WatchTime] = []
    /// What the threshold is made of.
    package var rule = ""
    package var windows: [Window] = []
    /// Snapshots: their times.
    package var snapshots: (fit: [Double], refit: [Double]) = ([], [])
    /// Moments per week: start of the week, count.
    package var weeks: [(start: Double, count: Int)] = []
    /// Dates under the time axis.
    package var dates: [(time: Double, text: String)] = []

    package init() {}

    package var section: Page.Section {
        Page.Section(
            id: "data", question: "Where did data get lost?", answer: answer,
            [funnelFigure, accountFigure, rejectFigure, watchTimeFigure, windowFigure])
    }

    private var answer: String {
        let (read, rejected) = (accounts.reduce(0) { $0 + $1.read }, accounts.reduce(0) { $0 + $1.rejected })
        var text =
            "Of \(Format.count(read)) rows read \(rejected == 0 ? "none was" : "\(Format.count(rejected)) were") rejected"
        let after = accounts.reduce(0) { $0 + $1.after }
        text += after == 0 ? "; nothing follows T." : " and \(Format.count(after)) lie after T."
        if let watches = funnel.first(where: { $0.step == "watches before T" }),
            let moments = funnel.first(where: { $0.step == "moments" }), watches.count > 0
        {
            text +=
                " \(Format.count(watches.count)) watches before T made \(Format.count(moments.count)) moments at which a course "
                + "became relevant (\(Format.percent(Double(moments.count) / Double(watches.count))))."
        }
        return text
    }

    private var funnelFigure: HTML {
        let most = funnel.map(\.count).max() ?? 0
        if most == 0 { return "" }
        let table = GlyphTable(
            Scale(0, Double(most)), heads: ["step", "", "count", ""],
            funnel.map {
                .init(HTML($0.step), .bar(Double($0.count), colour: 1), [HTML(Format.count($0.count)), HTML($0.note)])
            },
            ticks: [(0, "0"), (Double(most), Format.count(most))])
        return Piece.figure(
            "funnel", table, "From rows to learners.", "Each step counts what its name says, not always rows.")
    }

    private var accountFigure: HTML {
        if accounts.isEmpty { return "" }
        return Piece.figure(
            "accounts", "Every row is accounted for.", "Read = before T + from T on + rejected.",
            Piece.table(
                ["table", "read", "before T", "from T on", "rejected"],
                accounts.map { account in
                    [account.table] + [account.read, account.before, account.after, account.rejected].map(Format.count)
                }))
    }

    private var rejectFigure: HTML {
        if rejects.isEmpty { return Piece.absent("No row was rejected.") }
        return Piece.figure(
            "rejects", "Rejected rows.", "All of them, with file and line, are in logs/rejected.csv.gz.",
            Piece.table(
                ["reason", "rows", "first at"], rejects.map { [$0.reason, Format.count($0.rows), $0.example] }))
    }

    private var watchTimeFigure: HTML {
        let shown = watchTimes.filter { $0.bins.contains { $0.count > 0 } }
        if shown.isEmpty {
            return Piece.absent("No histogram of watch time: the log does not say how long anything was watched.")
        }
        let ticks = [1.0, 10, 60, 600, 3_600, 36_000]
        @Sendable func time(_ seconds: Double) -> String {
            seconds < 60
                ? "\(Int(seconds)) s" : seconds < 3_600 ? "\(Int(seconds / 60)) min" : "\(Int(seconds / 3_600)) h"
        }
        let plots = shown.enumerated().map { at, found -> HTML in
            let total = found.bins.reduce(0) { $0 + $1.count }
            let high = found.bins.last { $0.count > 0 }.map { $0.seconds * 1.3 } ?? 10
            let scale = Scale(1, max(high, 10), logarithmic: true)
            let points = found.bins.map { (x: $0.seconds, y: Double($0.count)) }.filter { $0.x <= high }
            var plot = Plot(
                "Watch time: \(Self.courses(found.bucket))",
                x: .init("watch time", scale, ticks: ticks.filter { $0 <= scale.high }, text: time),
                y: .init("watches", Scale(covering: points.map(\.y), including: [0])) {
                    Format.count(Int($0.rounded()))
                },
                [Plot.Series("", colour: 1, .steps, points)])
            if found.threshold >= 1 { plot.rules = [(found.threshold, "counts from \(time(found.threshold))")] }
            return Piece.figure(
                "watch-time-\(at + 1)", plot, "\(Self.courses(found.bucket)).", "\(Format.count(total)) watches.")
        }
        return "<h3>Watch time, and from when on a course counts</h3>" + Piece.paragraph(rule) + Piece.row(plots)
    }

    private static func courses(_ bucket: String) -> String {
        bucket.hasPrefix("under") ? "Courses \(bucket)" : bucket == "longer" ? "Longer courses" : "Courses of \(bucket)"
    }

    private var windowFigure: HTML {
        guard let low = (windows.map(\.from) + weeks.map(\.start)).min(), let high = windows.map(\.to).max() else {
            return ""
        }
        let most = Double(weeks.map(\.count).max() ?? 1)
        var rows: [GlyphTable.Row] = []
        if !weeks.isEmpty {
            rows.append(
                .init(
                    "moments a week", .profile(weeks.map { ($0.start, Double($0.count) / most) }, colour: 8),
                    [HTML("at most \(Format.count(Int(most)))")]))
        }
        for window in windows {
            rows.append(
                .init(HTML(window.name), .spans([(window.from, window.to, window.colour)]), [HTML(window.text)]))
        }
        for (name, times) in [
            ("training snapshots, fit", snapshots.fit), ("training snapshots, refit", snapshots.refit),
        ] {
            rows.append(.init(HTML(name), .points(times, colour: 4), [HTML("\(times.count)")]))
        }
        let table = GlyphTable(
            Scale(low, high), heads: ["", "time, to scale", ""], rows, ticks: dates.map { ($0.time, $0.text) })
        return Piece.figure(
            "windows", table, "The run's times, drawn to scale.",
            "Nothing at or after T influences the run; validation looks from t_v into the label window before T.")
    }
}
