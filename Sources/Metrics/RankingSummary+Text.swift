extension RankingSummary {
    /// The slices as tables for people: one line a model, the reference's paired differences beside it.
    /// - Parameter k: the cut-off shown, if it was computed.
    package func text(slices names: [String], k: Int) -> String {
        names.compactMap { self[$0] }.map { text($0, k) }.joined(separator: "\n")
    }

    private func text(_ slice: Slice, _ k: Int) -> String {
        let cuts = slice.rows == slice.learners ? "" : " (\(slice.rows) rows: a learner and a cut each)"
        let title = "\(slice.name): \(slice.learners) learners\(cuts)\n"
        if slice.rows == 0 { return title }
        var lines = [
            [
                "", "NDCG@\(k) (95 %)", "\(reference) − it (95 %)", "Recall@\(k) (95 %)", "\(reference) − it (95 %)",
                "Precision", "MAP", "HitRate",
            ]
        ]
        for model in models {
            func value(_ metric: RankingMetric) -> Interval? { slice.metrics[model]?[Self.name(metric, k)] }
            func difference(_ metric: RankingMetric) -> Interval? { slice.differences[model]?[Self.name(metric, k)] }
            lines.append([
                model, value(.ndcg).map(Self.text) ?? "–", difference(.ndcg).map(Self.signed) ?? "",
                value(.recall).map(Self.text) ?? "–", difference(.recall).map(Self.signed) ?? "",
                value(.precision).map { Self.number($0.mean) } ?? "–", value(.map).map { Self.number($0.mean) } ?? "–",
                value(.hitRate).map { Self.number($0.mean) } ?? "–",
            ])
        }
        return title + Self.aligned(lines)
    }

    /// `.0412 (.0350–.0471)`
    package static func text(_ interval: Interval) -> String {
        "\(number(interval.mean)) (\(number(interval.low))–\(number(interval.high)))"
    }

    /// `+.0012 (−.0035 to +.0071)`
    package static func signed(_ interval: Interval) -> String {
        func sign(_ value: Double) -> String { (value < 0 ? "−" : "+") + number(abs(value)) }
        return "\(sign(interval.mean)) (\(sign(interval.low)) to \(sign(interval.high)))"
    }

    /// Four decimals, without the leading zero.
    package static func number(_ value: Double) -> String {
        let scaled = Int((abs(value) * 10_000).rounded())
        let digits = String(10_000 + scaled % 10_000).dropFirst()
        let whole = scaled / 10_000
        return (value < 0 && scaled > 0 ? "−" : "") + (whole == 0 ? "" : String(whole)) + "." + digits
    }

    /// Columns of equal width, the first to the left.
    package static func aligned(_ lines: [[String]]) -> String {
        let columns = lines.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in lines.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return lines.map { line in
            let cells = line.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + pad : pad + cell
            }
            var text = "  " + cells.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text + "\n"
        }.joined()
    }
}
