import Foundation
import Logs
import Platform
import Reporting
import ShardKinds
import Shards
import StageKit

extension FinishedRun {
    /// - Parameter evaluated: learners with a relevant course after T.
    func dataLoss(evaluated: Int) throws -> DataLoss {
        var data = DataLoss()
        data.accounts = try accounts()
        data.rejects = try rejects()
        (data.watchTimes, data.rule) = try watchTimes()
        let moments = try WatchedShards.allMoments(watched)
        data.funnel = funnel(data.accounts, moments, evaluated)
        data.windows = timeWindows(moments)
        data.snapshots = (windows.fitSnapshots.map(Double.init), windows.refitSnapshots.map(Double.init))
        data.weeks = weeks(moments)
        let from = min(data.windows.map(\.from).min() ?? 0, data.weeks.first?.start ?? .infinity)
        data.dates = Self.months(from: Int64(from), to: Int64(data.windows.map(\.to).max() ?? 0))
        return data
    }

    // MARK: Rows

    /// Only counts are read of what follows T.
    private func accounts() throws -> [DataLoss.Account] {
        let (after, _) = try Manifest.read(stageFolder: "\(logs.folder)/\(LogsShards.afterFolder)")
        return LogTable.allCases.compactMap { table in
            let name = table.rawValue
            guard let read = after.counts["\(name) read"] else { return nil }
            return .init(
                table: name, read: read, before: after.counts["\(name) before T"] ?? 0,
                after: after.counts["\(name) from T on"] ?? 0, rejected: after.counts["\(name) rejected"] ?? 0)
        }
    }

    private func funnel(
        _ accounts: [DataLoss.Account], _ moments: [Moments], _ evaluated: Int
    ) -> [(step: String, count: Int, note: String)] {
        let watches = accounts.first { $0.table == LogTable.watches.rawValue }
        let found = moments.reduce(0) { $0 + $1.courses.count }
        let withMoment = moments.reduce(0) { sum, part in
            sum + (0..<part.learnerCount).count { !part.range($0).isEmpty }
        }
        let bots = watched.manifest.counts["learners dropped as bots"] ?? 0
        return [
            ("watch rows read", watches?.read ?? 0, ""),
            ("watches before T", watches?.before ?? logs.manifest.counts["watches"] ?? 0, ""),
            ("moments", found, "watch time passed the threshold"),
            ("learners", logs.manifest.counts["learners"] ?? 0, "in profiles or before T"),
            ("learners with a moment", withMoment, bots == 0 ? "" : "\(Format.count(bots)) dropped as bots"),
            (
                "learners evaluated", evaluated,
                evaluated == 0 ? "no relevant course in the window after T" : "a relevant course after T"
            ),
        ]
    }

    /// `rejected.csv.gz` by reason; what is quoted in a reason differs from row to row and is left out.
    private func rejects() throws -> [(reason: String, rows: Int, example: String)] {
        let path = "\(logs.folder)/rejected.csv.gz"
        guard FileSystem.exists(path) else { return [] }
        let form = RowForm(delimiter: UInt8(ascii: ","), quoted: true)
        let reader = try RowReader(path: path, form: form)
        let cursor = RowCursor(form: form, columns: reader.header.count)
        var found: [String: (rows: Int, example: String)] = [:]
        while let block = try reader.next() {
            cursor.start(block)
            while cursor.next() {
                if cursor.count != 3 { continue }
                let reason = cursor[2].string.split(separator: ": \"", maxSplits: 1).first.map(String.init) ?? ""
                let example = "\((cursor[0].string as NSString).lastPathComponent):\(cursor[1].string)"
                found[reason, default: (0, example)].rows += 1
            }
        }
        return found.sorted { ($1.value.rows, $0.key) < ($0.value.rows, $1.key) }.map {
            ($0.key, $0.value.rows, $0.value.example)
        }
    }

    // MARK: Watch time

    private func watchTimes() throws -> ([DataLoss.WatchTime], rule: String) {
        let shard = try watched.shard(WatchedShards.thresholds)
        let filter = try WatchedShards.filter(watched)
        guard shard.has("histogram"), shard.has("bucket") else { return ([], "") }
        let names = try shard.strings("bucket").strings
        let histogram = try shard.ragged("histogram", as: Int64.self)
        let joined = 8  // a quarter of a natural logarithm
        let found = names.indices.map { bucket -> DataLoss.WatchTime in
            let counts = Array(histogram[bucket])
            let bins = stride(from: 0, to: counts.count, by: joined).map { first in
                (
                    seconds: Double(WatchTimeHistogram.lowerEnd(first)),
                    count: Int(counts[first..<min(counts.count, first + joined)].reduce(0, +))
                )
            }
            return .init(
                bucket: names[bucket], bins: bins,
                threshold: Double(max(filter.minSeconds, filter.quantileSeconds[bucket])))
        }
        let unknown = filter.keepsUnknown ? "counts at once" : "never counts"
        let rule =
            "A course counts once its total watch time passes the largest of \(Format.decimal(Double(filter.minSeconds), 0)) s, "
            + "\(Format.percent(Double(filter.minFraction))) of its duration, and the quantile drawn below. A watch without "
            + "watch time \(unknown)."
        return (found, rule)
    }

    // MARK: Time

    private func timeWindows(_ moments: [Moments]) -> [DataLoss.Window] {
        let first = moments.compactMap { $0.times.min() }.min() ?? windows.asOf - windows.history
        func window(_ name: String, _ from: Int64, _ to: Int64, _ colour: Int) -> DataLoss.Window {
            let days = Format.decimal(Double(to - from) / 86_400, 0)
            return .init(
                name: name, from: Double(max(from, first)), to: Double(to),
                text: "\(Self.day(from).prefix(10)) – \(Self.day(to).prefix(10)) (\(days) d)", colour: colour)
        }
        var found = [
            window("context as of T", windows.asOf - windows.history, windows.asOf, 1),
            window("labels of validation", windows.validation, windows.asOf, 2),
        ]
        if let oldest = windows.fitSnapshots.min() {
            found.append(window("training labels, fit", oldest, windows.validation, 4))
        }
        if let oldest = windows.refitSnapshots.min() {
            found.append(window("training labels, refit", oldest, windows.asOf, 4))
        }
        struct Ends: Decodable { var windowEnd: [Int64?] }
        if let end = Self.json("\(metrics.folder)/\(MetricsShards.report)", as: Ends.self)?.windowEnd.first ?? nil {
            found.append(window("evaluation, after T", windows.asOf, end, 3))
        }
        return found
    }

    private func weeks(_ moments: [Moments]) -> [(start: Double, count: Int)] {
        let week: Int64 = 7 * 86_400
        var counts: [Int64: Int] = [:]
        for part in moments {
            for time in part.times { counts[(windows.asOf - 1 - time) / week, default: 0] += 1 }
        }
        let oldest = counts.keys.max() ?? 0
        return (0...oldest).reversed().map {
            (start: Double(windows.asOf - ($0 + 1) * week), count: counts[$0] ?? 0)
        }
    }

    /// First days of months, years or several years apart: at most five.
    static func months(from: Int64, to: Int64) -> [(time: Double, text: String)] {
        guard from < to, let year = Int(Moment.text(from).prefix(4)), let last = Int(Moment.text(to).prefix(4)) else {
            return []
        }
        for step in [1, 2, 3, 6, 12, 24, 60, 120] {
            let found = stride(from: 0, through: (last - year + 1) * 12, by: step).compactMap {
                month -> (Double, String)? in
                let (y, m) = (year + month / 12, month % 12 + 1)
                let text = "\(y)-\(m < 10 ? "0" : "")\(m)"
                guard let time = Moment.parse(text + "-01"), time >= from, time <= to else { return nil }
                return (Double(time), text)
            }
            if found.count <= 5 { return found.map { (time: $0.0, text: $0.1) } }
        }
        return []
    }
}
