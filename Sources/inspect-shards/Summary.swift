import Foundation
import Shards
import StageKit

/// What `stats` says of the numbers of one column: exact count, nulls, extremes and mean; quantiles and histogram from
/// at most `room` values.
struct NumberSummary {
    static let room = 1 << 22
    private(set) var count = 0
    private(set) var notANumber = 0
    private(set) var least = Double.infinity
    private(set) var greatest = -Double.infinity
    private var sum = 0.0
    /// Every `stride`-th value in order of coming.
    private var kept: [Double] = []
    private(set) var stride = 1

    mutating func add(_ value: Double) {
        if value.isNaN {
            notANumber += 1
            return
        }
        if count % stride == 0 {
            if kept.count == Self.room { thin() }
            if count % stride == 0 { kept.append(value) }
        }
        count += 1
        sum += value
        least = min(least, value)
        greatest = max(greatest, value)
    }

    /// Forgets every second kept value.
    private mutating func thin() {
        stride *= 2
        kept = Swift.stride(from: 0, to: kept.count, by: 2).map { kept[$0] }
    }

    var mean: Double { sum / Double(count) }

    /// Values at shares of the sorted kept values: the smallest with at least that share at or below it.
    func quantiles(_ shares: [Double]) -> [Double] {
        let sorted = kept.sorted()
        return shares.map { sorted[max(0, Int((Double(sorted.count) * $0).rounded(.up)) - 1)] }
    }

    /// Counts in ten equally wide bins from least to greatest; of logarithms where values are positive and the
    /// largest is over 1000 times the smallest.
    var histogram: (bins: [Int], isLog: Bool) {
        let isLog = least > 0 && greatest / least > 1000
        let scale: (Double) -> Double = isLog ? { log($0) } : { $0 }
        let (low, high) = (scale(least), scale(greatest))
        var bins = [Int](repeating: 0, count: 10)
        guard (high - low).isFinite else { return (bins, isLog) }
        for value in kept where value.isFinite {
            bins[high > low ? min(9, Int((scale(value) - low) / (high - low) * 10)) : 0] += 1
        }
        return (bins, isLog)
    }

    static func bars(_ bins: [Int]) -> String {
        let marks = Array("▁▂▃▄▅▆▇█")
        let most = max(1, bins.max() ?? 1)
        return String(bins.map { $0 == 0 ? " " : marks[min(7, $0 * 8 / most)] })
    }
}

/// What `stats` says of one column over all shards of a name.
struct ColumnSummary {
    let name: String
    private var nulls = 0
    private var numbers = NumberSummary()
    private var lengths = NumberSummary()
    private var times = false
    /// Occurrences of each name or boolean, where values are such.
    private var named: [String: Int] = [:]
    private var texts = 0
    private var isText = false
    private var isList = false

    init(name: String) { self.name = name }

    mutating func add(_ column: Table.Column, rows: Int) {
        for row in 0..<rows {
            if let valid = column.valid, !valid[row] { nulls += 1 }
        }
        if case .text(let strings) = column.meaning {
            isText = true
            texts += rows
            for row in 0..<rows { lengths.add(Double(strings.range(row).count)) }
            return
        }
        if let offsets = column.offsets {
            isList = true
            for row in 0..<rows { lengths.add(Double(offsets[row + 1] - offsets[row])) }
        }
        let valid = column.offsets == nil ? column.valid : nil
        switch column.values {
        case .integers(let values): addIntegers(values, valid, column.meaning)
        case .floats(let values): for (i, v) in values.enumerated() where valid?[i] ?? true { numbers.add(Double(v)) }
        case .doubles(let values): for (i, v) in values.enumerated() where valid?[i] ?? true { numbers.add(v) }
        case .booleans(let values):
            for (i, v) in values.enumerated() where valid?[i] ?? true { named[v ? "true" : "false", default: 0] += 1 }
        }
    }

    private mutating func addIntegers(_ values: [Int64], _ valid: [Bool]?, _ meaning: Table.Meaning) {
        if case .codes(let names) = meaning {
            var counts: [Int64: Int] = [:]
            for (i, v) in values.enumerated() where valid?[i] ?? true { counts[v, default: 0] += 1 }
            for (code, count) in counts {
                named[code < names.count ? names.string(Int(code)) : "number \(code)", default: 0] += count
            }
            return
        }
        if case .time = meaning { times = true }
        for (i, v) in values.enumerated() where valid?[i] ?? true { numbers.add(Double(v)) }
    }

    // MARK: As text

    var text: String {
        var lines = [name]
        if isText { lines.append("  strings \(texts), nulls \(nulls), bytes " + range(lengths)) }
        if isList { lines.append("  lists \(lengths.count), entries a list " + range(lengths)) }
        if !named.isEmpty { lines += namedLines }
        if numbers.count > 0 || numbers.notANumber > 0 { lines += numberLines }
        if lines.count == 1 { lines.append("  count 0, nulls \(nulls)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func range(_ summary: NumberSummary) -> String {
        if summary.count == 0 { return "none" }
        return "\(Int(summary.least)) to \(Int(summary.greatest)), mean \(short(summary.mean))"
    }

    private var namedLines: [String] {
        let count = named.values.reduce(0, +)
        let most = named.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(6)
        let shares = most.map { "\($0.key) \(percent($0.value, of: count))" }
        return [
            "  count \(count), nulls \(nulls), distinct \(named.count)", "  most: " + shares.joined(separator: ", "),
        ]
    }

    private var numberLines: [String] {
        var first = "  count \(numbers.count), nulls \(nulls)"
        if numbers.notANumber > 0 { first += ", not a number \(numbers.notANumber)" }
        if numbers.count == 0 { return [first] }
        let quantiles = numbers.quantiles([0.05, 0.25, 0.5, 0.75, 0.95])
        let (bins, isLog) = numbers.histogram
        let share = numbers.stride > 1 ? " (of every \(numbers.stride)th value)" : ""
        let labels = zip(["5 %", "25 %", "50 %", "75 %", "95 %"], quantiles).map { "\($0) \(show($1))" }
        return [
            first + ", min \(show(numbers.least)), max \(show(numbers.greatest)), mean \(show(numbers.mean))",
            "  " + labels.joined(separator: ", ") + share,
            "  |\(NumberSummary.bars(bins))|" + (isLog ? " from min to max, log scale" : " from min to max"),
        ]
    }

    private func show(_ value: Double) -> String {
        times && value.isFinite && abs(value) < 1e12 ? Moment.text(Int64(value)) : short(value)
    }

    private func short(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(format: "%.5g", value)
    }

    private func percent(_ count: Int, of all: Int) -> String {
        String(format: "%.1f %%", 100 * Double(count) / Double(max(1, all)))
    }
}
