import ShardKinds
import Shards
import StageKit

/// What must hold before a run goes live.
struct Gates {
    struct Result {
        let name: String
        /// nil: could not be measured, which is no failure; the line says why.
        let value: Double?
        let passes: Bool
        let line: String
    }

    let inputs: PublicationInputs
    /// 1 − mean overlap with the lists published before; nil: there are none.
    let churn: Double?
    /// Why there is no churn although something is published.
    let absent: String?
    private(set) var results: [Result] = []

    init(_ inputs: PublicationInputs, churn: Double?, absent: String? = nil) {
        (self.inputs, self.churn, self.absent) = (inputs, churn, absent)
    }

    func evaluate() throws -> Gates {
        var gates = self
        try gates.lift()
        gates.add("churn", churn, atMost: "publish.max_churn", absent: absent ?? "nothing was published before")
        gates.add(
            "coverage", gates.number(inputs.topk, "coverage"), atLeast: "publish.min_coverage", absent: "not recorded")
        try gates.volume()
        gates.scales()
        return gates
    }

    /// - Throws: `.badData` naming every gate that failed.
    func require(current: String?) throws {
        let failed = results.filter { !$0.passes }
        if failed.isEmpty { return }
        throw LecternError.data(
            "\(inputs.run): not published: " + failed.map(\.line).joined(separator: "; ") + "; "
                + (current.map { "\($0) stays current" } ?? "nothing is current")
                + "; look at \(inputs.run)/report/index.html; "
                + "if the run is right all the same, let it pass by SET=\"publish.…=…\"")
    }

    /// `<run>/gates.json`, for people and the report: left alone if it says the same already, so that make does not
    /// render the report again.
    func record(_ run: String) throws {
        let list = results.map { result -> Value in
            .map([
                "gate": .text(result.name), "value": result.value.map { .number($0) } ?? .null,
                "passes": .boolean(result.passes), "line": .text(result.line),
            ])
        }
        let (path, bytes) = (run + "/gates.json", Value.list(list).jsonBytes())
        if FileSystem.exists(path), try FileSystem.read(path) == bytes { return }
        try FileSystem.replace(path, with: bytes)
    }

    /// The blend must beat popularity on the validation table by more than chance.
    private mutating func lift() throws {
        let table = try BlendedShards.validation(inputs.blended.shard(BlendedShards.validation))
        let entry = table.first {
            $0.model == "blend" && $0.against == "popular" && $0.group == "all" && $0.metric == "ndcg"
        }
        add(
            "lift over popular", entry.flatMap { $0.learners > 0 ? $0.low : nil },
            atLeast: "publish.min_lift_over_popular", absent: "no validation learners")
    }

    /// Watch events of the last 7 days before T against the median of the four weeks before them.
    private mutating func volume() throws {
        if inputs.slice.number("publish.min_volume_ratio") == 0 { return }
        let week: Int64 = 7 * 86_400
        let asOf = inputs.logs.manifest.asOf
        var counts = [Int](repeating: 0, count: 5)
        for name in inputs.logs.names("watches") {
            for time in try inputs.logs.shard(name).values("time", as: Int64.self) {
                let age = asOf - 1 - time
                if age >= 0 && age < 5 * week { counts[Int(age / week)] += 1 }
            }
        }
        let before = counts[1...].sorted()
        let median = Double(before[1] + before[2]) / 2
        add(
            "volume of the last week", median > 0 ? Double(counts[0]) / median : nil,
            atLeast: "publish.min_volume_ratio", absent: "no events in the four weeks before")
    }

    /// Scores of the refitted models must spread as those that fitted the blend did.
    private mutating func scales() {
        let limit = inputs.slice.number("publish.scale_ratio")
        for model in ["ncf", "glmix"] {
            let ratio = number(inputs.blended, "scale_ratio_\(model)")
            let passes = ratio.map { $0 >= 1 / limit && $0 <= limit } ?? true
            let shown = ratio.map(Self.text) ?? "not recorded"
            results.append(
                Result(
                    name: "scale of \(model)", value: ratio, passes: passes,
                    line: "scale of \(model) \(shown), publish.scale_ratio \(Self.text(limit))"
                        + (passes ? "" : ": failed")))
        }
    }

    private func number(_ input: StageInput, _ fact: String) -> Double? {
        switch input.manifest.facts[fact] {
        case .number(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }

    private mutating func add(
        _ name: String, _ value: Double?, atLeast low: String? = nil, atMost high: String? = nil, absent: String
    ) {
        let parameter = (low ?? high)!
        let limit = inputs.slice.number(parameter)
        guard let value else {
            results.append(Result(name: name, value: nil, passes: true, line: "\(name): \(absent)"))
            return
        }
        let passes = low != nil ? value >= limit : value <= limit
        results.append(
            Result(
                name: name, value: value, passes: passes,
                line: "\(name) \(Self.text(value)), \(parameter) \(Self.text(limit))" + (passes ? "" : ": failed")))
    }

    private static func text(_ value: Double) -> String {
        let scaled = Int((abs(value) * 10_000).rounded())
        let digits = String(scaled % 10_000)
        return (value < 0 && scaled > 0 ? "-" : "") + "\(scaled / 10_000)."
            + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
